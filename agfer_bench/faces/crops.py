"""From a photograph to the tight crop around brows, eyes and mouth.

Source: Arabian et al. 2023, doi:10.3390/app131810179, section 2.5. The paper gives the order of
the steps and no numbers; the numbers here were chosen on photographs with known eyes and mouths.
A departure: the search runs on a padded copy of at most 640 pixels, and eye and mouth are searched
in the face enlarged or shrunk to one size, so that the outcome does not hang on the resolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from agfer_bench.faces.cascade import Cascades
from agfer_bench.faces.decode import Pixels, opencv
from agfer_bench.faces.detector import Detector
from agfer_bench.plugin.specs import FoundFace, NoFace, Point

Box = tuple[int, int, int, int]
"""x and y of the upper left corner, width and height, in pixels of the source image."""

_FloatBox = NDArray[np.float64]

FACE_SIDE = 240
"""Side in pixels to which a face is scaled before eye and mouth are searched."""
EYE_AREA = (0.0, 0.1, 0.5, 0.6)
"""Left, top, right, bottom of the search for the eye, in units of the face box."""
MOUTH_AREA = (0.1, 0.55, 0.9, 1.1)
"""The same for the mouth; open mouths reach below the face box."""
EYE_EXPECTED = (0.31, 0.35)
"""Usual centre of the eye box, which holds some brow, in units of the face box."""
MOUTH_EXPECTED = (0.50, 0.80)
"""Usual centre of the mouth, in units of the face box."""
EYE_SIDE, EYE_RAISED = 0.64, 0.09
"""Side of the box of an eye whose centre a detector gives, and how far the box's centre lies above
it, in units of the distance between the eyes. The means of what the cascade finds on 102
photographs with known eyes (SD 0.04 and 0.02)."""
MOUTH_SIDES, MOUTH_LOWERED = (1.12, 0.56), 0.09
"""Width and height of the mouth's box, and how far its centre lies below the middle of the mouth,
in the same units and from the same photographs (SD 0.09, 0.05 and 0.06)."""
BROW = 0.3
"""What the eye box grows upward to take in the brow, in units of its height."""
SMALLEST = 16
"""Sides of a crop below this many source pixels count as degenerate."""
MOST_OUTSIDE = 0.25
"""Largest part of a crop's width or height that may lie outside the image."""


class NoCrop(Exception):
    """A photograph that yields no crop.

    `reason` is ``no face``, ``no eye``, ``no mouth`` or ``degenerate``; `detail` is one line.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, kw_only=True)
class CropBoxes:
    """What was found in a photograph, in its own pixels."""

    face: Box
    """The largest face; may reach outside the image."""
    eye: Box
    """The eye at the left of the image, as detected; around a detector's point."""
    pair: Box
    """Both eyes with their brows; may reach outside the image."""
    mouth: Box
    """The mouth."""
    crop: Box
    """Top of the pair to bottom of the mouth, as wide as the pair, within the image."""


def find_crop(
    image: Pixels, finder: Cascades | Detector, *, padding: float = 0.2, longest_side: int = 640
) -> CropBoxes:
    """Find face, eye and mouth, and the crop that they span.

    What follows is about cascades. A detector finds the face with five points: boxes of the usual
    size are put around both eyes and the mouth, and the crop goes on from there by the same rule.

    The largest face counts. The eye is searched only in the left half of its upper part, and
    mirrored at the face's centre line: that a single eye is searched is the paper's way. Of
    several eye or mouth boxes the one counts whose centre is nearest to where such boxes usually
    lie in a face (`EYE_EXPECTED`, `MOUTH_EXPECTED`).

    Args:
        image: Pixels of shape (H, W) or RGB (H, W, 3), uint8.
        finder: The paper's cascades, or a detector of a plugin.
        padding: Width of the border that is added on every side before the search, in units of
            the longest side; the edge pixels are repeated. Finds faces that fill the image.
        longest_side: The search runs on a copy shrunk to at most this many pixels.

    Raises:
        NoCrop: A part was not found, or the boxes make no sensible crop.
        PluginError: The detector's plugin failed.
    """
    cv2 = opencv()
    if isinstance(finder, Detector):
        source = image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    else:
        source = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    rows, columns = source.shape[:2]
    scale = min(1.0, longest_side / max(rows, columns))
    copy = _resized(source, max(1, round(columns * scale)), max(1, round(rows * scale)))
    border = round(padding * max(copy.shape[:2]))
    padded = cv2.copyMakeBorder(copy, border, border, border, border, cv2.BORDER_REPLICATE)

    if isinstance(finder, Detector):
        face, eye, pair, mouth = _around_points(finder.detect(padded))
    else:
        face = _largest_face(padded, finder)
        eye = _nearest(padded, face, finder, "eye")
        mouth = _nearest(padded, face, finder, "mouth")
        pair = _eye_pair(face, eye)

    def in_source(box: _FloatBox) -> _FloatBox:
        moved: _FloatBox = (box - np.array([border, border, 0, 0])) / scale
        return moved

    return CropBoxes(
        face=_whole(in_source(face)),
        eye=_whole(in_source(eye)),
        pair=_whole(in_source(pair)),
        mouth=_whole(in_source(mouth)),
        crop=_crop(in_source(pair), in_source(mouth), columns, rows),
    )


def cut(rgb: Pixels, crop: Box, size: int) -> Pixels:
    """Cut a box out and stretch it to a square, colours kept.

    Args:
        rgb: Pixels of shape (H, W, 3), uint8.
        crop: A box within the image.
        size: Side of the result in pixels.

    Returns:
        Pixels of shape (size, size, 3), uint8: averaged over areas where the crop is larger,
        interpolated linearly where it is smaller.
    """
    x, y, width, height = crop
    return _resized(rgb[y : y + height, x : x + width], size, size)


def in_grey(rgb: Pixels) -> Pixels:
    """Return an image of the same shape whose three channels are its grey values (ITU-R BT.601)."""
    cv2 = opencv()
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    return cast(Pixels, cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB))


def _resized(image: Pixels, width: int, height: int) -> Pixels:
    """Scale an image; areas are averaged when it shrinks."""
    cv2 = opencv()
    if image.shape[:2] == (height, width):
        return image
    shrinks = image.shape[0] >= height and image.shape[1] >= width
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cast(Pixels, cv2.resize(image, (width, height), interpolation=how))


def _largest_face(padded: Pixels, cascades: Cascades) -> _FloatBox:
    """The largest face box, in pixels of the padded copy."""
    smallest = max(20, max(padded.shape) // 14)
    face = cascades.largest("face", padded, step=1.1, neighbours=3, smallest=(smallest, smallest))
    if face is None:
        raise NoCrop("no face", "the face cascade finds nothing")
    return np.array(face, np.float64)


def _nearest(padded: Pixels, face: _FloatBox, cascades: Cascades, part: str) -> _FloatBox:
    """The box of an eye or a mouth nearest to its usual place, in pixels of the padded copy."""
    is_eye = part == "eye"
    area, expected = (EYE_AREA, EYE_EXPECTED) if is_eye else (MOUTH_AREA, MOUTH_EXPECTED)
    patch, corner, scale = _face_part(padded, face, area)
    if is_eye:
        found = cascades.detect(
            "eye",
            patch,
            step=1.05,
            neighbours=2,
            smallest=_side(0.12, 0.12),
            largest=_side(0.4, 0.4),
        )
    else:
        found = cascades.detect(
            "mouth",
            patch,
            step=1.05,
            neighbours=3,
            smallest=_side(0.2, 0.1),
            largest=_side(0.7, 0.35),
        )
    if len(found) == 0:
        raise NoCrop(f"no {part}", f"the {part} cascade finds nothing in the face")
    boxes = found / scale
    boxes[:, :2] += corner
    centres = boxes[:, :2] + boxes[:, 2:] / 2
    offsets = centres - (face[:2] + np.array(expected) * face[2:])
    return cast(_FloatBox, boxes[np.argmin((offsets**2).sum(axis=1))])


def _side(width: float, height: float) -> tuple[int, int]:
    """Units of the face box to pixels of the scaled face."""
    return round(width * FACE_SIDE), round(height * FACE_SIDE)


def _face_part(
    padded: Pixels, face: _FloatBox, area: tuple[float, float, float, float]
) -> tuple[Pixels, NDArray[np.float64], float]:
    """An area of the face at the scale of the search.

    Returns:
        Its pixels, its upper left corner in the padded copy, and the factor between the two.
    """
    left, top = np.floor(face[:2] + np.array(area[:2]) * face[2:]).astype(int)
    right, bottom = np.ceil(face[:2] + np.array(area[2:]) * face[2:]).astype(int)
    left, top = max(left, 0), max(top, 0)
    part = padded[top:bottom, left:right]
    scale = FACE_SIDE / float(face[2])
    width, height = (max(1, round(side * scale)) for side in (part.shape[1], part.shape[0]))
    return _resized(part, width, height), np.array([left, top], np.float64), scale


def _eye_pair(face: _FloatBox, eye: _FloatBox) -> _FloatBox:
    """The eye box grown over its brow and mirrored at the face's vertical centre line.

    On 102 photographs with known eyes the face's centre misses the middle between them by 0.02
    interocular distances (SD), the mouth's centre by 0.04.
    """
    x, y, _, height = eye
    brow = BROW * height
    right = 2 * (face[0] + face[2] / 2) - x
    return np.array([x, y - brow, right - x, height + brow])


def _around_points(found: FoundFace | NoFace) -> tuple[_FloatBox, _FloatBox, _FloatBox, _FloatBox]:
    """Return the boxes of face, eye, pair and mouth around what a detector found.

    The pair reaches from the outer edge of one eye's box to that of the other's, so that it needs
    no centre line; its top is that of the higher eye's box grown over the brow.
    """
    if isinstance(found, NoFace):
        raise NoCrop(found.reason, found.detail or "the detector finds nothing")
    face = np.array(found.box, np.float64)
    left, right = np.array(found.left_eye), np.array(found.right_eye)
    if min(face[2:]) <= 0:
        raise NoCrop("degenerate", "the face's box has no area")
    if left[0] >= right[0]:
        raise NoCrop("degenerate", "the left eye lies beside the right eye, or right of it")
    apart = float(np.hypot(*(right - left)))
    side = EYE_SIDE * apart

    def eye(centre: NDArray[np.float64]) -> _FloatBox:
        corner = centre - (side / 2, side / 2 + EYE_RAISED * apart)
        return np.array([*corner, side, side])

    boxes = eye(left), eye(right)
    top = min(box[1] for box in boxes) - BROW * side
    bottom = max(box[1] for box in boxes) + side
    pair = np.array([boxes[0][0], top, boxes[1][0] + side - boxes[0][0], bottom - top])
    return face, boxes[0], pair, _mouth_box(found.left_mouth, found.right_mouth, apart)


def _mouth_box(left: Point, right: Point, apart: float) -> _FloatBox:
    """The box around a mouth whose corners are known.

    Args:
        left: One corner.
        right: The other.
        apart: Distance between the eyes.
    """
    sides = np.array(MOUTH_SIDES) * apart
    centre = (np.array(left) + np.array(right)) / 2 + (0, MOUTH_LOWERED * apart)
    return np.array([*(centre - sides / 2), *sides])


def _crop(pair: _FloatBox, mouth: _FloatBox, width: int, height: int) -> Box:
    """The box from the top of the pair to the bottom of the mouth, clipped to the image."""
    if mouth[1] + mouth[3] / 2 <= pair[1] + pair[3]:
        raise NoCrop("degenerate", "the mouth lies as high as the eyes")
    corners = np.array([pair[0], pair[1], pair[0] + pair[2], mouth[1] + mouth[3]])
    inside = np.clip(corners, 0, (width, height, width, height))
    kept = (inside[2:] - inside[:2]) / (corners[2:] - corners[:2])
    if kept.min() < 1 - MOST_OUTSIDE:
        raise NoCrop("degenerate", f"{1 - kept.min():.0%} of the crop lies outside the image")
    box = _whole(np.concatenate([inside[:2], inside[2:] - inside[:2]]))
    if min(box[2:]) < SMALLEST:
        raise NoCrop("degenerate", f"the crop has {box[2]}x{box[3]} pixels")
    return box


def _whole(box: _FloatBox) -> Box:
    """Corners rounded to whole pixels."""
    left, top, right, bottom = np.rint([box[0], box[1], box[0] + box[2], box[1] + box[3]])
    return int(left), int(top), int(right - left), int(bottom - top)
