"""What years leave on a skin: lines, bags, spots and grain. No expression moves any of it."""

from __future__ import annotations

import cv2
import numpy as np

from agfer_bench_synthetic.canvas import (
    Canvas,
    Points,
    Raster,
    ellipse,
    mirror,
    points,
    ribbon,
    smooth,
    taper,
)
from agfer_bench_synthetic.identity import Identity
from agfer_bench_synthetic.tone import shaded

GRAINS = (0.05, 0.022, 0.01)
"""Sizes of the skin's grain in eye distances; what a canvas cannot resolve is left out."""


def pores(scale: float, shape: tuple[int, ...], who: Identity, rng: np.random.Generator) -> Raster:
    """Brightness of the skin's grain about 1, at the canvas's size: coarser in old age."""
    rows, columns = shape[:2]
    grain = np.ones((rows, columns), dtype=np.float32)
    # A stream of its own: how many grains show must not shift what else is drawn from `rng`.
    own = np.random.default_rng(rng.integers(2**32))
    for size in GRAINS:
        step = size * scale
        if step < 2:
            break
        coarse = own.standard_normal((round(rows / step), round(columns / step)), dtype=np.float32)
        grown = cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_CUBIC)
        grain += np.float32(0.009 + 0.008 * who.age) * grown
    return grain


def paint_age(canvas: Canvas, who: Identity) -> None:
    """Paint the lines of a face at rest."""
    depth = float(np.clip((who.age - 0.2) * 1.15, 0, 0.85))
    if depth <= 0:
        return
    for line, width, strength, soft in _lines(who):
        for side in (-1, 1) if line[0, 0] > 0.01 else (1,):
            shape = ribbon(mirror(line, side), taper(len(line), width))
            canvas.paint(shape, shaded(who.skin, 0.5), alpha=depth * strength, soft=soft)
            lit = shape + np.array([0, 0.03], dtype=np.float32)
            canvas.paint(lit, shaded(who.skin, -0.35), alpha=0.3 * depth * strength, soft=soft)
    _spots(canvas, who, depth)


def _lines(who: Identity) -> list[tuple[Points, float, float, float]]:
    """Each line at the image's right (or across the middle), its width, strength and softness."""
    nose, mouth, wide = who.nose_length, who.mouth_height, who.mouth_width
    forehead = [
        (smooth(points((-w, y + 0.03), (-0.2, y + d), (0.16, y - d), (w, y + 0.035))), 0.03, 0.85)
        for y, w, d in ((-0.68, 0.42, 0.01), (-0.79, 0.55, -0.012), (-0.91, 0.48, 0.008))
    ]
    crow = [
        (points((0.79, 0.35 * r), (0.87, 0.9 * r), (0.95, 1.5 * r + 0.02)), 0.022, 0.9)
        for r in (-0.1, -0.03, 0.05, 0.12)
    ]
    bags = [
        (smooth(points((0.3, 0.13), (0.42, 0.2 + d), (0.56, 0.21 + d), (0.7, 0.13))), 0.035, 0.75)
        for d in (0.0, 0.06)
    ]
    cheek = [
        (
            smooth(
                points(
                    (who.nose_width + 0.06, nose - 0.06),
                    (who.nose_width + 0.16, mouth - 0.24),
                    (wide + 0.12, mouth - 0.06),
                    (wide + 0.12, mouth + 0.1),
                )
            ),
            0.05,
            0.85,
        ),
        (points((wide + 0.02, mouth + 0.07), (wide + 0.07, mouth + 0.2), (0.43, 1.5)), 0.04, 0.7),
        (points((0.66, 0.45), (0.74, 0.68), (0.72, 0.9)), 0.035, 0.35),
    ]
    lines = forehead + crow + bags + cheek
    return [(line, width, depth, 0.012 if width < 0.04 else 0.02) for line, width, depth in lines]


def _spots(canvas: Canvas, who: Identity, depth: float) -> None:
    """A few darker spots, strewn evenly enough by the golden ratio from a place of one's own."""
    start = 7 * (who.face_width + who.hair_part)
    for number in range(round(14 * max(who.age - 0.5, 0) * 2)):
        angle, reach = 2.4 * number + start, 0.35 + 0.6 * ((0.618 * number + start) % 1)
        x, y = reach * np.cos(angle), 0.1 + 1.1 * reach * np.sin(angle)
        size = 0.018 + 0.02 * ((0.37 * number + start) % 1)
        spot = ellipse(float(x), float(y), size, 0.8 * size, steps=12)
        canvas.paint(spot, shaded(who.skin, 0.4), alpha=0.5 * depth, soft=0.012)
