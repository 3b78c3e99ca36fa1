"""The reader of muxspace/facial_expressions: its legend, counted by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from agfer_bench_databases.muxspace import read_muxspace

from agfer_bench import Place, UserError

Grow = Callable[..., Path]
PlaceOf = Callable[[Path | None], Place]

LEGEND = """user.id,image,emotion
a,Ann_Lee_0001.jpg,neutral
b,Ann_Lee_0002.jpg,HAPPINESS
b,Ann_Lee_0001.jpg,NEUTRAL
c,Bo_1.jpg,sadness
c,Bo_1.jpg,anger
d,Bo_12.jpg,anger
d,face-k.jpg,anger
e,gone_1.jpg,fear
e,Ann_Lee_0002.jpg,bored
"""
NAMES = ("Ann_Lee_0001.jpg", "Ann_Lee_0002.jpg", "Bo_1.jpg", "Bo_12.jpg", "face-k.jpg", "new_1.png")


@pytest.fixture
def folder(grow: Grow) -> Path:
    grow("data/legend.csv", data=LEGEND.encode("utf-8-sig"))
    grow("images/empty_1.jpg", data=b"")
    return grow(*(f"images/{name}" for name in NAMES), "images/read.me")


def test_counted_by_hand(folder: Path, place: PlaceOf) -> None:
    table = read_muxspace(place(folder))
    assert [(table.name(i), i.emotion, i.subject) for i in table.images] == [
        ("images/Ann_Lee_0001.jpg", "neutral", "Ann_Lee"),
        ("images/Ann_Lee_0002.jpg", "happiness", "Ann_Lee"),
        ("images/Bo_12.jpg", "anger", "Bo"),
        ("images/face-k.jpg", "anger", "face-k"),
    ]
    assert table.notes == (
        "images labelled twice: 2, first Ann_Lee_0001.jpg",
        "rows with no known emotion, left out: 1, first line 10: 'bored'",
        "images with two emotions, left out: 1, first Bo_1.jpg",
        "labelled images that are missing: 1, first gone_1.jpg",
        "images without a label, left out: 2, first empty_1.jpg",
        "files that are no images: 1, first images/read.me",
    )


def test_few_images_of_an_emotion(folder: Path, place: PlaceOf) -> None:
    table = read_muxspace(place(folder), least=2)
    assert {image.emotion for image in table.images} == {"anger"}
    assert "neutral: 1 images, fewer than least=2: left out" in table.notes
    with pytest.raises(UserError, match="4 are labelled, and no emotion has least=3 of them"):
        read_muxspace(place(folder), least=3)


def test_the_folder_around_it(folder: Path, place: PlaceOf) -> None:
    assert len(read_muxspace(place(folder.parent)).images) == 4


@pytest.mark.parametrize(
    ("legend", "message"),
    [
        (b"image,mood\na.jpg,happy\n", "no columns image and emotion"),
        (b"", "in its first line, but nothing"),
        (b"image,emotion\na\xff.jpg,fear\n", "not a CSV file in UTF-8"),
        (b"image,emotion\n", "is not laid out as muxspace"),
        (None, "is not laid out as muxspace"),
    ],
)
def test_what_does_not_fit_is_one_line(
    grow: Grow, place: PlaceOf, legend: bytes | None, message: str
) -> None:
    folder = grow("images/a_1.jpg")
    if legend is not None:
        grow("data/legend.csv", data=legend)
    with pytest.raises(UserError, match=message) as caught:
        read_muxspace(place(folder))
    assert "\n" not in str(caught.value)


def test_the_real_set(place: PlaceOf) -> None:
    real = Path(__file__).parents[4] / "shared" / "data" / "muxspace"
    if not real.is_dir():
        pytest.skip("needs the photographs of ../shared, which a user's machine does not have")
    table = read_muxspace(place(real))
    assert Counter(image.emotion for image in table.images) == {
        "happiness": 1298, "neutral": 1297, "surprise": 367, "sadness": 267, "anger": 252,
        "disgust": 208, "fear": 21, "contempt": 9,
    }  # fmt: skip
    assert len({image.subject for image in table.images}) == 1662
    assert table.notes[:2] == (
        "images labelled twice: 6, first Kimora_Lee_0001.jpg",
        "images with two emotions, left out: 1, first Avinash_30.jpg",
    )
