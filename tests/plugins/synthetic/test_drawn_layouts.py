"""The drawn databases have the names and the counts of the real ones, and the same bytes again."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from agfer_bench_synthetic import draw_faces, draw_oulu_casia
from agfer_bench_synthetic.casting import Cast, Stream, onset, rising
from agfer_bench_synthetic.drawing import draw_share
from agfer_bench_synthetic.layouts import Faces, OuluCasia

from agfer_bench import DRAWN_MARKER, Place
from tests.plugins.synthetic.conftest import READERS

Places = Callable[..., Place]
Tree = Callable[[Path], dict[str, bytes]]

SEQUENCE = re.compile(
    r"OriginalImg/VL/Strong/(P0(?:0[1-9]|[1-7]\d|80))/"
    r"(Anger|Disgust|Fear|Happiness|Sadness|Surprise)/(\d{3})\.jpeg"
)
PORTRAIT = re.compile(r"(\d{3})_([ymo])_([mf])_([adfhns])_([ab])\.jpg")


def names_in(folder: Path) -> list[str]:
    """All files but the marker, as paths relative to the folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert folder / DRAWN_MARKER in files
    return sorted(
        path.relative_to(folder).as_posix() for path in files if path.name != DRAWN_MARKER
    )


def at(places: Places, folder: Path, workers: int = 2) -> Place:
    return replace(places(folder.parent / "cache", workers), folder=folder)


@pytest.mark.slow
def test_oulu_casia_has_80_subjects_with_six_sequences(place: Places, tmp_path: Path) -> None:
    draw_oulu_casia(at(place, tmp_path / "set"), frames=2, neutral_frames=1, width=64, height=48)
    found = [SEQUENCE.fullmatch(name) for name in names_in(tmp_path / "set")]
    assert all(found)
    parts = [match.groups() for match in found if match]
    assert Counter(subject for subject, _, _ in parts) == {f"P{n:03d}": 12 for n in range(1, 81)}
    assert set(Counter(emotion for _, emotion, _ in parts).values()) == {160}
    assert Counter(frame for _, _, frame in parts) == {"000": 480, "001": 480}
    read = READERS["oulu-casia"](at(place, tmp_path / "set"), neutral_frames=1)
    assert len({image.sequence for image in read.images}) == 480
    assert Counter(image.emotion for image in read.images) == {"neutral": 480} | dict.fromkeys(
        ("anger", "disgust", "fear", "happiness", "sadness", "surprise"), 80
    )
    assert read.notes == ()


@pytest.mark.slow
def test_faces_has_171_persons_with_twelve_portraits(place: Places, tmp_path: Path) -> None:
    draw_faces(at(place, tmp_path / "set"), width=40, height=50)
    names = names_in(tmp_path / "set")
    found = [PORTRAIT.fullmatch(name) for name in names]
    assert len(names) == 2052
    assert all(found)
    parts = [match.groups() for match in found if match]
    kinds = {(emotion, take) for emotion in "adfhns" for take in "ab"}
    people = {(person, group, sex) for person, group, sex, _, _ in parts}
    assert Counter(person for person, *_ in parts) == dict.fromkeys({p for p, _, _ in people}, 12)
    assert len(people) == len({person for person, _, _ in people}) == 171
    for one in people:
        assert {(emotion, take) for *who, emotion, take in parts if tuple(who) == one} == kinds
    assert Counter(group for _, group, _ in people) == {"y": 58, "m": 56, "o": 57}
    sexes = Counter((group, sex) for _, group, sex in people)
    assert all(abs(sexes[group, "f"] - sexes[group, "m"]) <= 1 for group in "ymo")
    read = READERS["faces"](at(place, tmp_path / "set"))
    assert Counter(image.emotion for image in read.images) == dict.fromkeys(
        ("anger", "disgust", "fear", "happiness", "neutral", "sadness"), 342
    )
    ages = Counter(image.age_group for image in read.images)
    assert ages == {"young": 58 * 12, "middle": 56 * 12, "old": 57 * 12}
    assert read.notes == ()


@pytest.mark.parametrize("persons", [3, 6, 7])
def test_few_persons_are_balanced(persons: int, place: Places, tmp_path: Path) -> None:
    draw_faces(at(place, tmp_path / "set"), persons=persons, width=40, height=50)
    parts = [name.split("_") for name in names_in(tmp_path / "set")]
    groups = Counter(group for _, group, *_ in parts)
    sexes = Counter(sex for _, _, sex, *_ in parts)
    assert max(groups.values()) - min(groups.values()) <= 12
    assert set(groups) == set("ymo")
    assert abs(sexes["f"] - sexes["m"]) <= 12


def test_lengths_vary_as_in_the_real_set(place: Places, tmp_path: Path) -> None:
    """10,379 frames at 80 subjects, so 259 or 260 at two; names come from the same function."""
    draw_oulu_casia(at(place, tmp_path / "set"), subjects=2, width=64, height=48)
    names = names_in(tmp_path / "set")
    order = OuluCasia(subjects=80, frames=0, neutral_frames=3, width=320, height=240, seed=0)
    assert set(names) < set(order.names)
    assert len(names) in (259, 260)
    assert len(order.names) == len(set(order.names)) == 10_379
    folders = Counter(name.rpartition("/")[0] for name in order.names)
    assert len(folders) == 480
    assert min(folders.values()) >= 9
    assert len(set(folders.values())) > 10
    for folder, count in folders.items():
        assert f"{folder}/{count - 1:03d}.jpeg" in order.names


def test_frames_are_colour_pictures_of_the_size(place: Places, tmp_path: Path) -> None:
    draw_oulu_casia(at(place, tmp_path / "set"), subjects=1, frames=2)
    for name in names_in(tmp_path / "set"):
        picture = cv2.imread(str(tmp_path / "set" / name), cv2.IMREAD_UNCHANGED)
        assert picture is not None
        assert picture.shape == (240, 320, 3)


@pytest.mark.slow
def test_the_same_bytes_again_and_with_more_workers(
    place: Places, tree: Tree, tmp_path: Path
) -> None:
    for name, draw, options in (
        ("sequences", draw_oulu_casia, {"subjects": 2, "frames": 2, "width": 64, "height": 48}),
        ("portraits", draw_faces, {"persons": 2, "width": 40, "height": 50}),
    ):
        drawn: list[dict[str, bytes]] = []
        for workers in (1, 1, 2, 3):
            folder = tmp_path / f"{name}{len(drawn)}-{workers}"
            draw(at(place, folder, workers), **options)
            drawn.append(tree(folder))
        assert drawn[0] == drawn[1] == drawn[2] == drawn[3]
        draw(at(place, tmp_path / f"{name}-other"), **options, seed=1)
        other = tree(tmp_path / f"{name}-other")
        assert other.keys() == drawn[0].keys()
        assert not other.items() & drawn[0].items()


@pytest.mark.slow
def test_more_people_leave_the_first_ones_as_they_are(
    place: Places, tree: Tree, tmp_path: Path
) -> None:
    for count in (2, 3):
        to = at(place, tmp_path / f"sequences{count}")
        draw_oulu_casia(to, subjects=count, frames=0, width=64, height=48)
        to = at(place, tmp_path / f"portraits{count}")
        draw_faces(to, persons=count, width=40, height=50)
    for name in ("sequences", "portraits"):
        few, more = tree(tmp_path / f"{name}2"), tree(tmp_path / f"{name}3")
        assert {n: b for n, b in few.items() if n != DRAWN_MARKER}.items() <= more.items()


def test_portraits_show_others_than_the_sequences_do() -> None:
    first = [Cast(seed=0, troupe=t).rng(Stream.IDENTITY, 0).uniform(size=9) for t in (1, 2)]
    assert not np.isin(first[0], first[1]).any()


def test_two_takes_of_an_expression_differ(place: Places, tmp_path: Path) -> None:
    draw_faces(at(place, tmp_path / "set"), persons=1, width=80, height=100)
    for letter in "adfhns":
        first, second = (
            (tmp_path / "set" / f"001_y_f_{letter}_{take}.jpg").read_bytes() for take in "ab"
        )
        assert first != second


def test_a_portrait_in_full_size(tmp_path: Path) -> None:
    """One of the 2052, as the set has it: not flat, not blocky, no larger than a photograph."""
    order = Faces(persons=171, width=2835, height=3543, seed=0)
    assert next(draw_share(order, tmp_path)) is None
    (path,) = tmp_path.iterdir()
    assert path.name == "001_y_f_a_a.jpg"
    assert 2e5 < path.stat().st_size < 5e6
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert grey is not None
    assert grey.shape == (3543, 2835)
    steps = np.abs(np.diff(grey.astype(np.float64), axis=1))
    # Noise and detail make neighbours differ; an enlarged small picture has them equal in runs.
    assert (steps != 0).mean() > 0.3
    assert steps.mean() < 3


def test_intensities_rise_to_the_apex() -> None:
    assert rising(1) == [1.0]
    rise = rising(4)
    assert rise == sorted(rise)
    assert (rise[0], rise[-1]) == (0.65, 1.0)


@pytest.mark.parametrize("frames", [1, 2, 3, 5, 8, 9, 21, 40])
@pytest.mark.parametrize("rest", [0, 1, 3])
def test_a_sequence_rests_and_then_rises(frames: int, rest: int) -> None:
    steps = onset(frames, neutral_frames=rest)
    quiet = min(rest, frames - 1)
    assert len(steps) == frames
    assert steps == sorted(steps)
    assert steps[:quiet] == [0.0] * quiet
    assert steps[-1] == 1.0
    shown = steps[quiet:]
    assert min(shown) >= (0.65 if len(shown) <= 4 else 0.149)
    assert sum(step >= 0.65 for step in shown) >= 0.6 * len(shown)
