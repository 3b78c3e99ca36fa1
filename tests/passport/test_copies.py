"""Copies: planted ones are found, other pictures are not, and groups follow from pairs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from agfer_bench.faces.look import take_look
from agfer_bench.passport.copies import Pictures, find_copies, find_shared, groups_of, members_of
from tests.passport.pictures import (
    Image,
    brighter,
    cropped,
    face,
    mirrored,
    recompressed,
    rescaled,
)

KINDS: dict[str, Callable[[Image], Image]] = {
    "recompressed": recompressed,
    "half": lambda image: rescaled(image, 0.5),
    "double": lambda image: rescaled(image, 2),
    "mirrored": mirrored,
    "brighter": lambda image: brighter(image, 1.2),
    "darker": lambda image: brighter(image, 0.8),
    "cut at a corner": lambda image: cropped(image, 0, 1),
    "cut all round": lambda image: cropped(image, 0.5, 0.5),
    "cut, mirrored, darker": lambda image: brighter(mirrored(cropped(image, 1, 0.3)), 0.85),
}


def pictures(images: list[Image], sequences: list[str | None] | None = None) -> Pictures:
    looks = [take_look(one[:, :, ::-1], (0, 0, one.shape[1], one.shape[0])).grey for one in images]
    return Pictures(
        names=[str(number) for number in range(len(images))],
        sha256=[hashlib.sha256(one.tobytes()).hexdigest() for one in images],
        sequences=sequences or [None] * len(images),
        looks_NSS=np.stack(looks) if looks else np.zeros((0, 64, 64), dtype=np.uint8),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_planted_copies_are_found_and_nothing_else(kind: str) -> None:
    originals = [face(number) for number in range(60)]
    planted = [KINDS[kind](one) for one in originals[:15]]
    pairs = find_copies(pictures(originals + planted))
    found = set(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
    assert found == {(number, 60 + number) for number in range(15)}
    assert not pairs.exact.any()
    assert pairs.mirrored.tolist() == ["mirrored" in kind] * 15
    back = find_shared(pictures(originals), pictures(planted))
    assert back.first.tolist() == back.second.tolist() == list(range(15))


def test_two_expressions_of_one_person_are_no_copies() -> None:
    closed = [face(number) for number in range(20)]
    opened = [face(number, mouth=1) for number in range(20)]
    assert len(find_copies(pictures(closed + opened))) == 0


def test_noise_and_uniform_pictures_have_no_copies() -> None:
    random = np.random.default_rng(0)
    noise = [random.integers(0, 256, (48, 48, 3), dtype=np.uint8) for _ in range(60)]
    grey = [np.full((48, 48, 3), value, dtype=np.uint8) for value in (10, 11, 200)]
    assert len(find_copies(pictures(noise + grey))) == 0


def test_equal_files_are_copies_whatever_they_show_and_stand_for_each_other() -> None:
    black = np.zeros((32, 32, 3), dtype=np.uint8)
    images = [black, face(1), black, mirrored(face(1)), face(1), face(2)]
    pairs = find_copies(pictures(images))
    told = zip(pairs.first.tolist(), pairs.second.tolist(), pairs.exact.tolist(), strict=True)
    assert sorted(told) == [(0, 2, True), (1, 3, False), (1, 4, True)]
    groups = groups_of(pairs, len(images))
    assert groups.tolist() == [0, 1, 0, 1, 1, 2]
    assert members_of(groups) == [[0, 2], [1, 3, 4]]


def test_frames_of_one_recording_are_no_copies_unless_their_bytes_are_equal() -> None:
    images = [face(1), recompressed(face(1)), face(1), recompressed(face(1), 70)]
    pairs = find_copies(pictures(images, ["a", "a", "a", None]))
    found = set(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
    assert (0, 2) in found
    assert (0, 1) not in found
    assert {(0, 3), (1, 3)} <= found


@pytest.mark.parametrize("count", [0, 1])
def test_a_set_of_no_or_one_picture(count: int) -> None:
    few = pictures([face(0)] * count)
    assert len(find_copies(few)) == 0
    assert groups_of(find_copies(few), count).tolist() == [0] * count
    assert len(find_shared(few, pictures([face(0)]))) == count


def test_pictures_with_many_neighbours_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agfer_bench.passport.copies.NEIGHBOURS", 2)
    monkeypatch.setattr("agfer_bench.passport.copies.PAIRS", 0)
    same = [recompressed(face(1), quality) for quality in range(50, 90, 5)]
    pairs = find_copies(pictures(same))
    assert pairs.crowded == len(same)
    assert cv2.absdiff(same[0], same[1]).any()
