"""The FER2013 reader: a table counted by hand, unpacked once, whole or not at all."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from agfer_bench_databases.fer2013 import read_fer2013

from agfer_bench import Place, UserError
from agfer_bench.faces.crop_cache import CropSettings
from agfer_bench.faces.prepare import prepare

PlaceOf = Callable[[Path | None], Place]
HEADER = "emotion,pixels,Usage"

CROP = "the images are cropped faces already: --set crop=none takes them as they are"


def _pixels(shift: int) -> list[int]:
    return [(number * 7 + shift) % 256 for number in range(48 * 48)]


def _row(emotion: object, usage: str, shift: int = 0) -> str:
    return f"{emotion},{' '.join(map(str, _pixels(shift)))},{usage}"


ROWS = [
    *(_row(emotion, "Training", emotion) for emotion in range(7)),
    _row(3, "PublicTest", 30),
    _row(6, "PublicTest", 60),
    _row(3, "PrivateTest", 31),
]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    folder = tmp_path / "fer"
    folder.mkdir()
    (folder / "fer2013.csv").write_text("\n".join([HEADER, *ROWS, ""]))
    return folder / "fer2013.csv"


def test_classes_counted_by_hand(table: Path, place: PlaceOf) -> None:
    for folder in (table, table.parent, table.parent.parent):
        faces = read_fer2013(place(folder))
        assert Counter(image.emotion for image in faces.images) == {
            "anger": 1,
            "disgust": 1,
            "fear": 1,
            "happiness": 3,
            "sadness": 1,
            "surprise": 1,
            "neutral": 2,
        }
        assert [image.emotion for image in faces.images[3:5]] == ["happiness", "sadness"]
        assert faces.name(faces.images[0]) == "Training/00002.pgm"
        assert faces.notes == (CROP,)
        assert {image.subject for image in faces.images} == {None}


def test_the_pixels_are_the_tables(table: Path, place: PlaceOf) -> None:
    for image, shift in zip(
        read_fer2013(place(table)).images, [*range(7), 30, 60, 31], strict=True
    ):
        grey = cv2.imread(str(image.path), cv2.IMREAD_UNCHANGED)
        assert grey is not None
        assert grey.shape == (48, 48)
        assert np.array_equal(grey.ravel(), _pixels(shift))


@pytest.mark.parametrize(
    ("usage", "number"), [("all", 10), ("Training", 7), ("PublicTest", 2), ("PrivateTest", 1)]
)
def test_usages(table: Path, place: PlaceOf, usage: Any, number: int) -> None:
    assert len(read_fer2013(place(table), usage=usage).images) == number


def test_a_table_is_unpacked_once(table: Path, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    place = Place(folder=table, cache=tmp_path / "cache", progress=lambda *args: seen.append(args))
    first = read_fer2013(place)
    assert seen == [("unpacking fer2013", 11, 11)]
    assert read_fer2013(place) == first
    assert len(seen) == 1
    assert [path.name for path in first.root.parent.iterdir()] == [first.root.name]
    first.images[4].path.unlink()
    assert read_fer2013(place) == first
    assert first.images[4].path.is_file()
    table.write_text("\n".join([HEADER, *ROWS[:3]]))
    other = read_fer2013(place)
    assert other.root != first.root
    assert len(other.images) == 3


def test_an_interrupted_unpacking_leaves_nothing(table: Path, tmp_path: Path) -> None:
    def interrupt(what: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_fer2013(Place(folder=table, cache=tmp_path / "cache", progress=interrupt))
    assert list((tmp_path / "cache/fer2013").iterdir()) == []


def test_bad_rows_are_counted(table: Path, place: PlaceOf) -> None:
    bad = [
        _row(7, "Training"),
        _row(0, "Testing"),
        "0,1 2 3,Training",
        f"0,{' '.join(['256'] * 2304)},Training",
        f"0,{' '.join(['x'] * 2304)},Training",
        "0",
    ]
    table.write_text("\n".join([HEADER, ROWS[0], *bad, "", ROWS[1]]))
    faces = read_fer2013(place(table))
    assert [faces.name(image) for image in faces.images] == [
        "Training/00002.pgm",
        "Training/00010.pgm",
    ]
    assert faces.notes == ("rows that do not fit, left out: 6, first line 3: emotion '7'", CROP)
    assert read_fer2013(place(table)) == faces


def test_the_columns_may_stand_in_any_order(table: Path, place: PlaceOf) -> None:
    pixels = " ".join(map(str, _pixels(0)))
    (table.parent / "icml_face_data.csv").write_text(
        f"emotion, Usage, pixels\n4,PublicTest,{pixels}\n"
    )
    table.unlink()
    faces = read_fer2013(place(table.parent))
    assert [(faces.name(i), i.emotion) for i in faces.images] == [
        ("PublicTest/00002.pgm", "sadness")
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "with the columns emotion,pixels,Usage, found nothing; name the file"),
        (b"emotion,image\n0,1\n", "found emotion,image; name the file"),
        (b"pixels\n1 2\n", "no column emotion .found pixels.: nothing tells what its images show"),
        (b"\x89PNG\r\n\xff\xfe", "not a CSV file in UTF-8"),
        (b"emotion,pixels,Usage\n", "found no row below the first; download"),
        (b"emotion,pixels,Usage\n0,1 2,Training\n", "1 rows that do not fit, line 2: 2 pixels"),
        (b"emotion,pixels,Usage\n0," + b"1 " * 99999 + b",Training\n", "not a CSV .*field larger"),
    ],
)
def test_what_is_no_table_is_one_line(
    table: Path, place: PlaceOf, data: bytes, message: str
) -> None:
    table.write_bytes(data)
    with pytest.raises(UserError, match=message) as caught:
        read_fer2013(place(table))
    assert "\n" not in str(caught.value)


def test_what_does_not_fit_is_one_line(table: Path, tmp_path: Path, place: PlaceOf) -> None:
    table.write_text("\n".join([HEADER, ROWS[0]]))
    with pytest.raises(UserError, match="no row with Usage PublicTest: found Training; set usage"):
        read_fer2013(place(table), usage="PublicTest")
    table.rename(table.with_name("other.txt"))
    with pytest.raises(UserError, match=r"expected fer2013\.csv .*, found other\.txt; name the"):
        read_fer2013(place(table.parent))
    with pytest.raises(UserError, match="fer2013=FOLDER"):
        read_fer2013(place(None))
    with pytest.raises(UserError, match="no such folder"):
        read_fer2013(place(tmp_path / "absent"))


def test_a_cache_that_cannot_be_written_is_named(
    table: Path, place: PlaceOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    with pytest.raises(UserError, match=r"cannot write .*cache/fer2013: No space left"):
        read_fer2013(place(table))


def test_a_table_without_usage_is_training(table: Path, place: PlaceOf) -> None:
    """As Kaggle's train.csv, beside a test.csv without labels."""
    rows = [row.rpartition(",")[0] for row in ROWS[:4]]
    (table.parent / "train.csv").write_text("\n".join(["Emotion,Pixels", *rows, "9,1", ""]))
    (table.parent / "test.csv").write_text("pixels\n1 2 3\n")
    table.unlink()
    faces = read_fer2013(place(table.parent))
    assert [image.emotion for image in faces.images] == ["anger", "disgust", "fear", "happiness"]
    assert faces.images[2].path.read_bytes().endswith(bytes(_pixels(2)))
    assert faces.notes == (
        "rows that do not fit, left out: 1, first line 6: emotion '9'",
        "the table has no column Usage: all its rows are taken as Training",
        CROP,
    )
    assert read_fer2013(place(table.parent)) == faces
    assert len(read_fer2013(place(table.parent), usage="Training").images) == 4
    with pytest.raises(UserError, match="no row with Usage PrivateTest: found Training"):
        read_fer2013(place(table.parent), usage="PrivateTest")


def test_rows_of_zeros_give_no_crop(table: Path, place: PlaceOf, tmp_path: Path) -> None:
    """FER2013 has some; they are rows that fit, and nobody's face."""
    black = f"4,{' '.join(['0'] * 2304)},Training"
    table.write_text("\n".join([HEADER, ROWS[0], black, ROWS[1], black]))
    faces = read_fer2013(place(table))
    assert len(faces.images) == 4
    crops = prepare(
        faces,
        CropSettings(image_size=48, method="none"),
        cascades_folder=None,
        cache=tmp_path / "cache",
        workers=1,
        progress=lambda what, done, total: None,
    )
    assert list(crops.table["name"]) == ["Training/00002.pgm", "Training/00004.pgm"]
    assert list(crops.excluded["name"]) == ["Training/00003.pgm", "Training/00005.pgm"]
    assert set(crops.excluded["reason"]) == {"uniform"}


def test_usages_in_other_letters_are_known(table: Path, place: PlaceOf) -> None:
    table.write_text("\n".join([HEADER.upper(), _row(1, "training"), _row(2, "PUBLICTEST")]))
    assert len(read_fer2013(place(table)).images) == 2
    assert len(read_fer2013(place(table), usage="PublicTest").images) == 1


def test_an_image_that_was_changed_is_unpacked_again(table: Path, place: PlaceOf) -> None:
    path = read_fer2013(place(table)).images[5].path
    whole = path.read_bytes()
    for damaged in (whole[:900] + bytes(400) + whole[1300:], whole[:-1]):
        path.write_bytes(damaged)
        later = path.stat().st_mtime_ns + 10**9  # the clock of some disks is coarse
        os.utime(path, ns=(later, later))
        assert read_fer2013(place(table)).images[5].path.read_bytes() == whole
