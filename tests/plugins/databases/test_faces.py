"""The FACES reader: four persons, counted by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from agfer_bench_databases.faces import read_faces

from agfer_bench import FaceTable, Place, UserError

Grow = Callable[..., Path]


@pytest.fixture
def read(place: Callable[[Path | None], Place]) -> Callable[[Path | None], FaceTable]:
    return lambda folder: read_faces(place(folder))


def _portraits(who: str, emotions: str = "adfhns", takes: str = "ab") -> list[str]:
    return [f"{who}_{emotion}_{take}.jpg" for emotion in emotions for take in takes]


@pytest.fixture
def faces(grow: Grow) -> Path:
    """004 and 066 with all 12 portraits, 079 with 4 (anger, sadness), 140 with 3 (happiness, n)."""
    grow(*_portraits("004_o_m"), *(f"young/{name}" for name in _portraits("066_y_m")))
    grow(*(f"more/deep/{name}" for name in _portraits("079_m_f", "as")))
    return grow("140_y_f_h_a.JPG", "140_y_f_h_b.PNG", "140_Y_F_N_A.jpeg")


def test_classes_counted_by_hand(faces: Path, read: Callable[[Path | None], FaceTable]) -> None:
    table = read(faces)
    assert Counter(image.emotion for image in table.images) == {
        "anger": 2 + 2 + 2,
        "disgust": 2 + 2,
        "fear": 2 + 2,
        "happiness": 2 + 2 + 2,
        "neutral": 2 + 2 + 1,
        "sadness": 2 + 2 + 2,
    }
    assert Counter((i.subject, i.age_group, i.sex) for i in table.images) == {
        ("004", "old", "male"): 12,
        ("066", "young", "male"): 12,
        ("079", "middle", "female"): 4,
        ("140", "young", "female"): 3,
    }
    assert table.notes == ("persons with fewer than 12 portraits: 2, first 079 with 4",)


def test_a_name_says_everything(faces: Path, read: Callable[[Path | None], FaceTable]) -> None:
    table = read(faces)
    assert [table.name(image) for image in table.images] == sorted(
        table.name(image) for image in table.images
    )
    (image,) = [i for i in table.images if i.path.name == "079_m_f_s_b.jpg"]
    assert (image.emotion, image.take, image.sequence, image.frame) == ("sadness", "b", None, None)
    assert table.name(image) == "more/deep/079_m_f_s_b.jpg"


def test_what_is_odd_is_counted(grow: Grow, read: Callable[[Path | None], FaceTable]) -> None:
    folder = grow(*_portraits("004_o_m"), *(f"z/{name}" for name in _portraits("004_o_m", "a")))
    grow("004_o_m_a_c.jpg", "4-old.jpg", "P001/Anger/000.jpeg", "list.csv", "Thumbs.db")
    grow("__MACOSX/x.jpg", ".hidden.jpg", "._004_o_m_a_a.jpg")
    grow("066_y_m_a_a.jpg", "066_m_m_a_b.jpg")
    grow("a/066_y_m_d_a.jpg", data=b"")
    grow("b/066_y_m_d_a.jpg")
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "066_y_m_d_b.jpg").symlink_to(folder / "gone.jpg")
    table = read(folder)
    assert len(table.images) == 12 + 3
    assert {table.name(i) for i in table.images if i.subject == "004"} == set(_portraits("004_o_m"))
    assert "b/066_y_m_d_a.jpg" in {table.name(image) for image in table.images}
    assert table.notes == (
        "images whose names do not fit, left out: 3, first 004_o_m_a_c.jpg",
        "links to no file, left out: 1, first 066_y_m_d_b.jpg",
        "files of zero bytes, left out: 1, first a/066_y_m_d_a.jpg",
        "files that are no images: 1, first list.csv",
        "images that stand twice, the first kept: 2, first z/004_o_m_a_a.jpg",
        "persons with fewer than 12 portraits: 1, first 066 with 3",
        "persons of two age groups or sexes, by their names: 1, first 066",
    )


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "found nothing; name the folder that holds the portraits"),
        (["a.jpg", "b.txt"], r"004_o_m_a_a\.jpg .* found a\.jpg, b\.txt \(images whose names"),
        (["P001/Anger/000.jpeg"], r"found P001 \(.*left out: 1, first P001/Anger/000\.jpeg\)"),
    ],
)
def test_what_does_not_fit_is_one_line(
    tmp_path: Path,
    grow: Grow,
    read: Callable[[Path | None], FaceTable],
    files: list[str],
    message: str,
) -> None:
    (tmp_path / "data").mkdir()
    grow(*files)
    with pytest.raises(UserError, match=message) as caught:
        read(tmp_path / "data")
    assert "\n" not in str(caught.value)


def test_a_missing_or_closed_folder_is_named(
    faces: Path, read: Callable[[Path | None], FaceTable], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="no such folder"):
        read(faces / "004_o_m_a_a.jpg")
    with pytest.raises(UserError, match="faces=FOLDER"):
        read(None)

    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("os.scandir", refuse)  # root may read everything, so chmod is no test
    with pytest.raises(UserError, match=r"cannot read .*: Permission denied"):
        read(faces)
