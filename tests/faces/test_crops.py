"""The geometry of a crop, computed by hand from detections that the test dictates."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from agfer_bench.faces.cascade import Cascades, Part
from agfer_bench.faces.crops import CropBoxes, NoCrop, cut, find_crop
from agfer_bench.faces.largest import Rect
from tests.opencv import needs_cascades

Found = dict[Part, list[tuple[int, int, int, int]]]

GREY = np.zeros((400, 400), np.uint8)
FACE = (180, 180, 240, 240)
EYE = (40, 30, 60, 60)
MOUTH = (50, 50, 90, 45)
BOXES: Found = {"face": [FACE], "eye": [EYE], "mouth": [MOUTH]}
"""In a 400-pixel image with a border of 80: the face at the scale of the search, so that the eye's
and mouth's boxes, relative to their search areas, need no scaling."""


class Dictated:
    """Detectors that find what they are told, and remember what they were shown."""

    def __init__(self, found: Found) -> None:
        self.found = found
        self.shown: dict[str, tuple[int, ...]] = {}

    def detect(self, part: Part, grey: NDArray[np.uint8], **_: Any) -> NDArray[np.int64]:
        self.shown[part] = grey.shape
        return np.array(self.found[part], np.int64).reshape(-1, 4)

    def largest(self, part: Part, grey: NDArray[np.uint8], **_: Any) -> Rect | None:
        self.shown[part] = grey.shape
        return max(self.found[part], key=lambda box: box[2] * box[3], default=None)


def _find(image: NDArray[np.uint8] = GREY, **changed: Any) -> CropBoxes:
    return find_crop(image, cast(Cascades, Dictated(cast(Found, BOXES | changed))))


def test_the_boxes_by_hand() -> None:
    # The border of 80 comes off the face. The eye area starts at (0, 24) and the mouth area at
    # (24, 132) of the face. The eye box grows by 0.3 * 60 and is mirrored at x = 220.
    assert _find() == CropBoxes(
        face=(100, 100, 240, 240),
        eye=(140, 154, 60, 60),
        pair=(140, 136, 160, 78),
        mouth=(174, 282, 90, 45),
        crop=(140, 136, 160, 191),
    )


def test_boxes_are_scaled_back_to_the_source() -> None:
    large = np.zeros((1280, 1280, 3), np.uint8)
    cascades = Dictated({"face": [(228, 228, 240, 240)], "eye": [EYE], "mouth": [MOUTH]})
    boxes = find_crop(large, cast(Cascades, cascades))
    assert cascades.shown["face"] == (640 + 2 * 128, 640 + 2 * 128)
    assert boxes.face == (200, 200, 480, 480)
    assert boxes.eye == (280, 308, 120, 120)
    assert boxes.crop == (280, 272, 320, 382)


def test_eye_and_mouth_are_searched_in_their_parts_of_the_face_only() -> None:
    cascades = Dictated(BOXES)
    find_crop(GREY, cast(Cascades, cascades))
    assert cascades.shown["eye"] == (120, 120)
    assert cascades.shown["mouth"] == (132, 192)


def test_a_face_of_another_size_is_scaled_for_the_search() -> None:
    cascades = Dictated({"face": [(180, 180, 120, 120)], "eye": [EYE], "mouth": [MOUTH]})
    boxes = find_crop(GREY, cast(Cascades, cascades))
    assert cascades.shown["eye"] == (120, 120)
    assert boxes.eye == (120, 127, 30, 30)


def test_of_several_boxes_the_one_nearest_to_its_usual_place_counts() -> None:
    high, low = (55, 0, 80, 40), (60, 85, 80, 40)
    aside = (0, 60, 60, 30)
    assert _find(mouth=[high, MOUTH, low, aside]) == _find()
    assert _find(eye=[(0, 60, 50, 50), EYE, (70, 70, 50, 50)]) == _find()


@pytest.mark.parametrize("part", ["face", "eye", "mouth"])
def test_a_part_that_is_not_found_is_the_reason(part: str) -> None:
    with pytest.raises(NoCrop) as caught:
        _find(GREY, **{part: []})
    assert caught.value.reason == f"no {part}"


@pytest.mark.parametrize(
    "changed",
    [
        {"mouth": [(50, 0, 40, 4)], "eye": [(40, 60, 60, 60)]},
        {"face": [(10, 180, 240, 240)], "eye": [(0, 30, 60, 60)]},
        {"face": [(180, 180, 16, 16)]},
    ],
    ids=["mouth beside the eyes", "outside the image", "tiny"],
)
def test_boxes_that_make_no_sensible_crop_are_degenerate(changed: dict[str, Any]) -> None:
    with pytest.raises(NoCrop) as caught:
        _find(**changed)
    assert caught.value.reason == "degenerate"


def test_a_crop_that_reaches_out_a_little_is_clipped() -> None:
    boxes = _find(face=[(50, 180, 240, 240)], eye=[(10, 30, 60, 60)])
    assert boxes.pair[0] == -20
    assert boxes.crop[0] == 0
    assert boxes.crop[2] == boxes.pair[2] - 20


@needs_cascades
@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (3000, 2), (20, 20, 3), (400, 400, 3)])
def test_images_without_a_face_of_any_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(NoCrop, match="no face"):
        find_crop(np.full(shape, 90, np.uint8), Cascades.load(None))


@given(
    x=st.integers(0, 119),
    y=st.integers(0, 119),
    side=st.integers(12, 96),
    mouth=st.tuples(
        st.integers(0, 150), st.integers(0, 110), st.integers(24, 168), st.integers(12, 84)
    ),
    corner=st.tuples(st.integers(0, 300), st.integers(0, 300)),
)
def test_a_crop_lies_in_the_image_or_there_is_none(
    x: int, y: int, side: int, mouth: tuple[int, ...], corner: tuple[int, int]
) -> None:
    try:
        boxes = _find(face=[(*corner, 240, 240)], eye=[(x, y, side, side)], mouth=[mouth])
    except NoCrop:
        return
    left, top, width, height = boxes.crop
    assert left >= 0
    assert top >= 0
    assert left + width <= 400
    assert top + height <= 400
    assert min(width, height) >= 16


def test_cutting_averages_areas_and_keeps_the_channels() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8)
    expected = rgb[10:50, 20:80].reshape(20, 2, 20, 3, 3).mean(axis=(1, 3))
    assert np.abs(cut(rgb, (20, 10, 60, 40), 20) - expected).max() <= 1


def test_cutting_at_the_same_size_copies() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8)
    np.testing.assert_array_equal(cut(rgb, (20, 10, 32, 32), 32), rgb[10:42, 20:52])


def test_cutting_enlarges_smoothly() -> None:
    ramp = np.repeat(np.arange(0, 160, 10, dtype=np.uint8)[None, :, None], 16, 0).repeat(3, 2)
    large = cut(ramp, (0, 0, 16, 16), 64)
    assert large.shape == (64, 64, 3)
    assert (np.diff(large[0, :, 0].astype(int)) <= 4).all()
