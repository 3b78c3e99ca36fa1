"""Frames: in the order of their numbers, labelled by their place."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from agfer_bench_databases.frames import Labelling, frame_number, in_order, labelled
from agfer_bench_databases.tree import Notes
from hypothesis import given
from hypothesis import strategies as st

from agfer_bench import UserError

NUMBERS = st.lists(st.integers(0, 99999), unique=True, min_size=1, max_size=30)


@given(
    NUMBERS,
    st.sampled_from(["{}", "{:03d}", "P001_Anger_{:03d}", "S005_001_{:08d}", "7-{}", "x2y{}"]),
    st.integers(0),
)
def test_frames_are_sorted_by_number(numbers: list[int], form: str, seed: int) -> None:
    root = Path("s")
    files = [root / f"{form.format(number)}.jpeg" for number in numbers]
    random.Random(seed).shuffle(files)
    notes = Notes()
    frames = in_order(files, root, notes)
    assert [frame.name for frame in frames] == [f"{form.format(n)}.jpeg" for n in sorted(numbers)]
    assert notes.lines() == ()


def test_names_alone_would_sort_otherwise() -> None:
    names = ["10.jpeg", "9.jpeg", "1.jpeg"]
    frames = in_order([Path(name) for name in names], Path(), Notes())
    assert [frame.name for frame in frames] == ["1.jpeg", "9.jpeg", "10.jpeg"]
    assert sorted(names) != [frame.name for frame in frames]


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("000.jpeg", 0),
        ("1.jpeg", 1),
        ("P001_Anger_012.jpeg", 12),
        ("12.5.jpeg", 5),
        ("3 (copy).jpeg", None),
        ("003_.jpeg", None),
        ("apex.jpeg", None),
        ("٣.jpeg", None),
    ],
)
def test_a_frames_number_ends_its_name(name: str, number: int | None) -> None:
    assert frame_number(Path(name)) == number


def test_what_is_no_frame_is_counted() -> None:
    names = ["1.png", "01.jpg", "2.jpg", "apex.jpg", "last.jpg", "readme.txt"]
    notes = Notes()
    frames = in_order([Path("r/s", name) for name in names], Path("r"), notes)
    assert [frame.name for frame in frames] == ["01.jpg", "2.jpg"]
    assert notes.lines() == (
        "frames whose number stands twice in their sequence, the first kept: 1, first s/1.png",
        "images whose names do not fit, left out: 2, first s/apex.jpg",
        "files that are no images: 1, first s/readme.txt",
    )


@pytest.mark.parametrize(
    ("neutral", "last", "length", "expected"),
    [
        (3, 0, 5, "0n 1n 2n 3e 4e"),
        (3, 1, 5, "0n 1n 2n 4e"),
        (3, 9, 5, "0n 1n 2n 3e 4e"),
        (1, 3, 6, "0n 3e 4e 5e"),
        (0, 0, 2, "0e 1e"),
        (0, 1, 2, "1e"),
        (3, 0, 3, "0n 1n 2n"),
        (3, 3, 2, "0n 1n"),
        (3, 3, 0, ""),
    ],
)
def test_labels_by_place(neutral: int, last: int, length: int, expected: str) -> None:
    labels = Labelling(neutral_frames=neutral, last_frames=last).label(length, "e")
    assert " ".join(f"{place}{emotion[0]}" for place, emotion in labels) == expected


@pytest.mark.parametrize("name", ["neutral_frames", "last_frames"])
def test_numbers_of_frames_are_not_negative(name: str) -> None:
    with pytest.raises(UserError, match=f"^{name}=-1 must be 0 or more$"):
        Labelling(**{"neutral_frames": 0, "last_frames": 0, name: -1})


def test_an_empty_file_keeps_its_place(grow: Callable[..., Path]) -> None:
    root = grow("s/1.jpg", "s/3.jpg", "s/4.jpg")
    grow("s/2.jpg", data=b"")
    (root / "s/5.jpg").symlink_to(root / "gone.jpg")
    notes = Notes()
    frames = in_order((root / "s").iterdir(), root, notes)
    rows = labelled(frames, "fear", Labelling(neutral_frames=2, last_frames=0), root, notes)
    assert [(place, path.name, emotion) for place, path, emotion in rows] == [
        (0, "1.jpg", "neutral"),
        (2, "3.jpg", "fear"),
        (3, "4.jpg", "fear"),
    ]
    assert notes.lines() == (
        "files of zero bytes, left out: 1, first s/2.jpg",
        "links to no file, left out: 1, first s/5.jpg",
    )
