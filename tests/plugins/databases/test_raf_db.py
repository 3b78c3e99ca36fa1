"""The RAF-DB reader: ten lines of its list, counted by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from agfer_bench_databases.raf_db import read_raf_db

from agfer_bench import Place, UserError

Grow = Callable[..., Path]
PlaceOf = Callable[[Path | None], Place]
LIST = "basic/EmoLabel/list_patition_label.txt"

CROP = "the images are cropped faces already: --set crop=none takes them as they are"


@pytest.fixture
def raf(grow: Grow) -> Path:
    lines = [f"train_{number:05d}.jpg {number}" for number in range(1, 8)]
    lines += ["test_0001.jpg 4", "test_0002.jpg 4", "test_0003.jpg 7", ""]
    grow(LIST, data="\r\n".join(lines).encode())
    grow(*(f"basic/Image/aligned/train_{n:05d}_aligned.jpg" for n in range(1, 8)))
    grow(*(f"basic/Image/original/train_{n:05d}.jpg" for n in range(1, 3)))
    grow("basic/Image/aligned/test_0003_aligned.jpg", data=b"")
    return grow("basic/Image/aligned/test_0001_aligned.jpg", "compound/EmoLabel/other.txt")


def test_labels_counted_by_hand(raf: Path, place: PlaceOf) -> None:
    table = read_raf_db(place(raf))
    assert table.root == raf / "basic"
    assert [(image.path.name, image.emotion, image.subject) for image in table.images] == [
        ("test_0001_aligned.jpg", "happiness", None),
        ("train_00001_aligned.jpg", "surprise", None),
        ("train_00002_aligned.jpg", "fear", None),
        ("train_00003_aligned.jpg", "disgust", None),
        ("train_00004_aligned.jpg", "happiness", None),
        ("train_00005_aligned.jpg", "sadness", None),
        ("train_00006_aligned.jpg", "anger", None),
        ("train_00007_aligned.jpg", "neutral", None),
    ]
    assert table.notes == (
        "images that the list names and that are missing: 1, first test_0002_aligned.jpg",
        "files of zero bytes, left out: 1, first Image/aligned/test_0003_aligned.jpg",
        CROP,
    )
    assert read_raf_db(place(raf / "basic")) == table


def test_the_options_choose(raf: Path, place: PlaceOf) -> None:
    train = read_raf_db(place(raf), part="train")
    assert (len(train.images), train.notes) == (7, (CROP,))
    assert len(read_raf_db(place(raf), part="test").images) == 1
    original = read_raf_db(place(raf), images="original")
    assert [original.name(image) for image in original.images] == [
        "Image/original/train_00001.jpg",
        "Image/original/train_00002.jpg",
    ]
    assert original.notes == (
        "images that the list names and that are missing: 8, first test_0001.jpg",
    )


def test_lines_that_do_not_fit_are_counted(raf: Path, grow: Grow, place: PlaceOf) -> None:
    lines = ["train_00001.jpg 5", "train_00001.jpg 6", "../x.jpg 1", "train_00002.jpg 8"]
    grow(LIST, data=("\ufeff" + "\n".join(lines)).encode() + b"\n\xff\xfe\n")
    table = read_raf_db(place(raf))
    assert [image.emotion for image in table.images] == ["sadness"]
    assert table.notes[0] == "lines of the list that do not fit or name an image again: 4, first 2"


def test_what_does_not_fit_is_one_line(raf: Path, place: PlaceOf) -> None:
    with pytest.raises(UserError, match=r"EmoLabel/list_patition_label\.txt .* found aligned, or"):
        read_raf_db(place(raf / "basic/Image"))
    for image in (raf / "basic/Image/original").iterdir():
        image.unlink()
    with pytest.raises(UserError, match=r"missing: 10, .*put the images into Image/original$"):
        read_raf_db(place(raf), images="original")
    with pytest.raises(UserError, match="raf-db=FOLDER"):
        read_raf_db(place(None))
