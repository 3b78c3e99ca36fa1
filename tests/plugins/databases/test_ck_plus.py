"""The CK+ reader: three subjects, counted by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from agfer_bench_databases.ck_plus import read_ck_plus, read_label

from agfer_bench import FaceTable, Place, UserError

Grow = Callable[..., Path]
PlaceOf = Callable[[Path | None], Place]


def _frames(sequence: str, number: int) -> list[str]:
    name = sequence.replace("/", "_")
    return [f"cohn-kanade-images/{sequence}/{name}_{n:08d}.png" for n in range(1, number + 1)]


def _label(grow: Grow, sequence: str, text: str) -> None:
    name = sequence.replace("/", "_")
    grow(f"Emotion/{sequence}/{name}_00000011_emotion.txt", data=text.encode())


@pytest.fixture
def ck(grow: Grow) -> Path:
    """S005/001 disgust with 11 frames, S010/001 surprise with 3, /002 unlabelled, S011 contempt."""
    grow(*_frames("S005/001", 11), *_frames("S010/001", 3), *_frames("S010/002", 5))
    grow(*_frames("S011/001", 2), "cohn-kanade-images/S011/001/.DS_Store")
    _label(grow, "S005/001", "   3.0000000e+00\n")
    _label(grow, "S010/001", "   7.0000000e+00\n")
    _label(grow, "S011/001", "   2.0000000e+00\n")
    folder = grow("readme.pdf")
    (folder / "Emotion/S010/002").mkdir()
    return folder


def _classes(table: FaceTable) -> dict[str, int]:
    return dict(Counter(image.emotion for image in table.images))


def test_classes_counted_by_hand(ck: Path, place: PlaceOf) -> None:
    table = read_ck_plus(place(ck))
    assert _classes(table) == {"neutral": 3, "disgust": 3, "surprise": 2, "contempt": 1}
    assert [
        (table.name(i), i.subject, i.sequence, i.frame, i.emotion) for i in table.images[:4]
    ] == [
        ("S005/001/S005_001_00000001.png", "S005", "S005/001", 0, "neutral"),
        ("S005/001/S005_001_00000009.png", "S005", "S005/001", 8, "disgust"),
        ("S005/001/S005_001_00000010.png", "S005", "S005/001", 9, "disgust"),
        ("S005/001/S005_001_00000011.png", "S005", "S005/001", 10, "disgust"),
    ]
    assert table.notes == ("sequences without a label, left out: 1, first S010/002",)


def test_the_options_choose(ck: Path, place: PlaceOf) -> None:
    table = read_ck_plus(place(ck), last_frames=0, neutral_frames=2)
    assert _classes(table) == {"neutral": 6, "disgust": 9, "surprise": 1}
    assert "sequences too short to show more than neutral: 1, first S011/001" in table.notes
    table = read_ck_plus(place(ck), last_frames=1, neutral_frames=0)
    assert _classes(table) == {"disgust": 1, "surprise": 1, "contempt": 1}


def test_archives_as_they_unpack(ck: Path, place: PlaceOf) -> None:
    whole = read_ck_plus(place(ck))
    (ck / "extended-cohn-kanade-images").mkdir()
    (ck / "cohn-kanade-images").rename(ck / "extended-cohn-kanade-images/cohn-kanade-images")
    (ck / "Emotion_labels").mkdir()
    (ck / "Emotion").rename(ck / "Emotion_labels/Emotion")
    for folder in (ck, ck.parent):
        table = read_ck_plus(place(folder))
        assert [table.name(i) for i in table.images] == [whole.name(i) for i in whole.images]


def test_what_is_odd_is_counted(ck: Path, grow: Grow, place: PlaceOf) -> None:
    grow(*_frames("S012/001", 2), *_frames("S012/002", 2), *_frames("S012/003", 2))
    _label(grow, "S012/001", "9")
    _label(grow, "S012/002", "1.5")
    _label(grow, "S012/003", "0")
    _label(grow, "S099/001", "1")
    grow("Emotion/S012/003/second_emotion.txt", data=b"1")
    grow("cohn-kanade-images/S005/001/S005_001_00000011.png", data=b"")
    table = read_ck_plus(place(ck))
    assert _classes(table) == {"neutral": 3, "disgust": 2, "surprise": 2, "contempt": 1}
    assert table.notes == (
        "labels without a sequence of images: 1, first S099/001",
        "files of zero bytes, left out: 1, first S005/001/S005_001_00000011.png",
        "sequences without a label, left out: 1, first S010/002",
        "sequences with an unreadable label or several, left out: 3, first S012/001",
    )


@pytest.mark.parametrize(
    ("data", "emotion"),
    [
        (b"0.0000000e+00", "neutral"),
        (b" 1.0e+00\n", "anger"),
        (b"2", "contempt"),
        (b"3.0", "disgust"),
        (b"4", "fear"),
        (b"5", "happiness"),
        (b"6", "sadness"),
        (b"7", "surprise"),
        (b"8", None),
        (b"-1", None),
        (b"3.5", None),
        (b"nan", None),
        (b"inf", None),
        (b"", None),
        (b"fear", None),
        (b"\xff\xfe", None),
    ],
)
def test_labels(tmp_path: Path, data: bytes, emotion: str | None) -> None:
    (tmp_path / "label").write_bytes(data)
    assert read_label(tmp_path / "label") == emotion


def test_what_does_not_fit_is_one_line(ck: Path, place: PlaceOf) -> None:
    with pytest.raises(UserError, match=r"beside Emotion.*, found S005, S010, S011; name the"):
        read_ck_plus(place(ck / "cohn-kanade-images"))
    with pytest.raises(UserError, match="last_frames=-1"):
        read_ck_plus(place(ck), last_frames=-1)
    for label in ck.rglob("*_emotion.txt"):
        label.unlink()
    with pytest.raises(UserError, match=r"without a label, left out: 4, .*labels included$"):
        read_ck_plus(place(ck))
    with pytest.raises(UserError, match="ck-plus=FOLDER"):
        read_ck_plus(place(None))
