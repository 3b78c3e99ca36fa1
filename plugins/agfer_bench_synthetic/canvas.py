"""A raster in face units: polygons and ribbons painted over one another, hard or soft.

Legend: points are float arrays of shape (N, 2), x to the right and y down, in eye distances (the
way between the pupils is 1) with the origin halfway between the eyes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from agfer_bench_synthetic.turn import Turn

Points = NDArray[np.float32]
Raster = NDArray[np.float32]
Colour = tuple[float, float, float]

FRACTION_BITS = 4
"""OpenCV takes corners in 1/16 pixel."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """The part of the face plane that a canvas shows."""

    left: float
    """Smallest x, eye distances."""
    top: float
    """Smallest y, eye distances."""
    width: float
    """Eye distances."""
    height: float
    """Eye distances."""


def points(*pairs: tuple[float, float]) -> Points:
    """Corners as an array of shape (N, 2)."""
    return np.array(pairs, dtype=np.float32)


def mirror(shape: Points, side: int) -> Points:
    """The shape itself for side 1, its mirror image in x for side -1."""
    return shape * np.array([side, 1], dtype=np.float32)


def smooth(corners: Points, *, closed: bool = False, steps: int = 9) -> Points:
    """A Catmull-Rom curve through all corners, `steps` points for each piece."""
    before, after = (corners[-1:], corners[:2]) if closed else (corners[:1], corners[-1:])
    padded = np.concatenate([before, corners, after])
    p0, p1, p2, p3 = (padded[i : len(padded) - 3 + i, None] for i in range(4))
    t = np.linspace(0, 1, steps, endpoint=False, dtype=np.float32)[None, :, None]
    curve = 0.5 * (
        2 * p1
        + (p2 - p0) * t
        + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2
        + (3 * p1 - p0 - 3 * p2 + p3) * t**3
    )
    flat = curve.reshape(-1, 2)
    joined = flat if closed else np.concatenate([flat, corners[-1:]])
    return joined.astype(np.float32)


def ellipse(x: float, y: float, rx: float, ry: float, *, steps: int = 40) -> Points:
    """The outline of an upright ellipse."""
    angle = np.linspace(0, 2 * np.pi, steps, endpoint=False)
    outline = np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], axis=1)
    return outline.astype(np.float32)


def ribbon(line: Points, width: float | NDArray[np.float32]) -> Points:
    """The outline of a line of this full width; give one width per point to taper it."""
    # Central differences by hand: `np.gradient` takes longer than all the rest for so few points.
    along = np.empty_like(line)
    along[1:-1] = line[2:] - line[:-2]
    along[0], along[-1] = line[1] - line[0], line[-1] - line[-2]
    along /= np.maximum(np.hypot(along[:, :1], along[:, 1:]), 1e-6)
    half = np.broadcast_to(np.asarray(width, dtype=np.float32) / 2, (len(line),))[:, None]
    offset = np.stack([-along[:, 1], along[:, 0]], axis=1) * half
    outline = np.concatenate([line + offset, (line - offset)[::-1]])
    return outline.astype(np.float32)


def taper(count: int, width: float, *, ends: float = 0.15) -> NDArray[np.float32]:
    """Widths that swell from `ends` times `width` to `width` and back."""
    swell = np.sin(np.linspace(0, np.pi, count))
    return (width * (ends + (1 - ends) * swell)).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class _Box:
    """A part of a raster, in pixels; right and bottom lie outside."""

    left: int
    top: int
    right: int
    bottom: int


class Canvas:
    """A premultiplied RGBA raster, float32 in 0..1, of one window of the face plane."""

    def __init__(self, window: Window, scale: float, turn: Turn | None = None) -> None:
        """Make a transparent canvas with `scale` pixels to one eye distance.

        Whatever is painted goes through `turn`, so shapes are given as on a frontal face.
        """
        self.turn = turn
        self.window = window
        self.scale = scale
        rows = round(window.height * scale)
        columns = round(window.width * scale)
        self.rgba: Raster = np.zeros((rows, columns, 4), dtype=np.float32)

    def copy(self) -> Canvas:
        """A canvas of its own with the same paint."""
        twin = Canvas.__new__(Canvas)
        twin.window, twin.scale, twin.turn = self.window, self.scale, self.turn
        twin.rgba = self.rgba.copy()
        return twin

    def part(self, rows: slice, columns: slice) -> Canvas:
        """A canvas of its own that shows some rows and columns of this one."""
        twin = Canvas.__new__(Canvas)
        twin.scale, twin.turn = self.scale, self.turn
        twin.rgba = self.rgba[rows, columns].copy()
        twin.window = Window(
            left=self.window.left + columns.start / self.scale,
            top=self.window.top + rows.start / self.scale,
            width=twin.rgba.shape[1] / self.scale,
            height=twin.rgba.shape[0] / self.scale,
        )
        return twin

    def pixels(self, shape: Points) -> Points:
        """Face plane to pixel coordinates, pixel centres at whole numbers."""
        origin = np.array([self.window.left, self.window.top], dtype=np.float32)
        turned = self.turn.move(shape) if self.turn else shape
        return (turned - origin) * np.float32(self.scale) - np.float32(0.5)

    def paint(
        self,
        shape: Points,
        colour: Colour,
        *,
        alpha: float = 1.0,
        soft: float = 0.0,
        clip: Points | None = None,
        within: Raster | None = None,
    ) -> None:
        """Fill a shape: `soft` is the blur of its edge in eye distances, `clip` bounds it.

        Where many shapes have one bound, give its `coverage` as `within` instead.
        """
        corners = self.pixels(shape)
        box = self._box(corners, soft)
        if box is None:
            return
        mask = self._mask(corners, box, soft)
        if clip is not None:
            mask *= self._mask(self.pixels(clip), box, 0.0)
        if within is not None:
            mask *= within[box.top : box.bottom, box.left : box.right]
        if alpha != 1:
            mask *= np.float32(alpha)
        region = self.rgba[box.top : box.bottom, box.left : box.right]
        region += (np.array([*colour, 1], dtype=np.float32) - region) * mask[:, :, None]

    def coverage(self, shape: Points) -> Raster:
        """How much of each of the canvas's pixels a shape covers, 0..1, (rows, columns)."""
        rows, columns = self.rgba.shape[:2]
        whole = _Box(left=0, top=0, right=columns, bottom=rows)
        return self._mask(self.pixels(shape), whole, 0.0)

    def cover(self, shape: Points, texture: Raster) -> None:
        """Fill a shape with an RGB raster of the canvas's size."""
        corners = self.pixels(shape)
        box = self._box(corners, 0.0)
        if box is None:
            return
        weight = self._mask(corners, box, 0.0)[:, :, None]
        rows, columns = slice(box.top, box.bottom), slice(box.left, box.right)
        region = self.rgba[rows, columns]
        region[:, :, :3] += (texture[rows, columns] - region[:, :, :3]) * weight
        region[:, :, 3:] += (1 - region[:, :, 3:]) * weight

    def _box(self, corners: Points, soft: float) -> _Box | None:
        """The part of the raster that a shape can touch; None where it lies outside."""
        margin = 3 * soft * self.scale + 2
        rows, columns = self.rgba.shape[:2]
        (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
        box = _Box(
            left=max(math.floor(left - margin), 0),
            top=max(math.floor(top - margin), 0),
            right=min(math.ceil(right + margin) + 1, columns),
            bottom=min(math.ceil(bottom + margin) + 1, rows),
        )
        return box if box.left < box.right and box.top < box.bottom else None

    def _mask(self, corners: Points, box: _Box, soft: float) -> Raster:
        """How much of each pixel a shape covers, 0..1."""
        wide, high = box.right - box.left, box.bottom - box.top
        sigma = soft * self.scale
        # A wide blur holds no detail: drawing it small keeps its cost free of the resolution.
        shrink = max(1, int(sigma / 3))
        columns, rows = -(-wide // shrink), -(-high // shrink)
        origin = np.array([box.left - 0.5, box.top - 0.5], dtype=np.float32)
        small = (corners - origin) / np.float32(shrink) - np.float32(0.5)
        fixed = np.round(small * 2**FRACTION_BITS).astype(np.int32)
        drawn = np.zeros((rows, columns), dtype=np.uint8)
        cv2.fillPoly(drawn, [fixed], 255, lineType=cv2.LINE_AA, shift=FRACTION_BITS)
        mask: Raster = drawn.astype(np.float32)
        mask *= np.float32(1 / 255)
        if sigma > 0.3:
            blurred = cv2.GaussianBlur(
                mask, (0, 0), sigma / shrink, borderType=cv2.BORDER_REPLICATE
            )
            mask = np.asarray(blurred, dtype=np.float32)
        if shrink > 1:
            large = cv2.resize(mask, (columns * shrink, rows * shrink))
            mask = np.asarray(large[:high, :wide], dtype=np.float32)
        return mask
