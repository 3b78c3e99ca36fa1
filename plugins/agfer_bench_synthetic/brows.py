"""Brows, which an expression moves; from near, each is made of hairs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agfer_bench_synthetic.canvas import (
    Canvas,
    Colour,
    Points,
    mirror,
    points,
    ribbon,
    smooth,
    taper,
)
from agfer_bench_synthetic.expression import Expression
from agfer_bench_synthetic.identity import Identity
from agfer_bench_synthetic.tone import shaded

HAIRS_SHOW = 150.0
"""Pixels to an eye distance from which the single hairs of a brow can be seen."""


def paint_brow(canvas: Canvas, who: Identity, what: Expression, side: int) -> None:
    """Paint the brow at the image's right (side 1) or left (-1)."""
    lower = what.brow_lower
    # Frowning and grieving tilt a brow about its middle: a brow that moved as a whole would take
    # the detected eye, and so the crop, with it.
    wrinkled = what.nose_wrinkle
    inner = -0.12 * what.brow_inner_up + 0.12 * lower + 0.03 * wrinkled
    outer = -0.09 * what.brow_outer_up + 0.08 * what.brow_inner_up - 0.1 * lower - 0.04 * wrinkled
    middle = 0.3 * inner + 0.7 * outer
    x = who.brow_gap - 0.06 * lower
    height, slope = -who.brow_height, who.brow_slope
    line = smooth(
        points(
            (x, height + 0.05 + inner),
            (x + 0.2, height + 0.005 - 0.5 * slope + 0.6 * inner + 0.4 * middle),
            (x + 0.42, height - 0.03 - slope + middle),
            (0.78, height + 0.05 - slope + 0.2 * outer),
        )
    )
    widths = np.interp(np.linspace(0, 1, len(line)), [0, 0.12, 0.5, 1], [0.55, 1, 0.9, 0.12])
    outline = ribbon(mirror(line, side), (widths * who.brow_thickness).astype(np.float32))
    red, green, blue = who.hair
    colour = (0.62 * red, 0.6 * green, 0.6 * blue)
    canvas.paint(outline, shaded(who.skin, 0.4), alpha=0.35, soft=0.03)
    if canvas.scale < HAIRS_SHOW:
        canvas.paint(outline, colour, alpha=0.88, soft=0.013)
        return
    canvas.paint(outline, colour, alpha=0.6, soft=0.02)
    _brow_hairs(canvas, mirror(line, side), widths * who.brow_thickness, side, colour)


def _brow_hairs(
    canvas: Canvas, line: Points, widths: NDArray[np.float64], side: int, colour: Colour
) -> None:
    """Single hairs across a brow, steeper towards the nose; spread by the golden ratio."""
    for number in range(90):
        along, across = (0.618 * number) % 1, (0.414 * number) % 1 - 0.5
        place = along * (len(line) - 1)
        low = min(int(place), len(line) - 2)
        root = line[low] + (place - low) * (line[low + 1] - line[low])
        root[1] += np.float32(across * widths[low])
        lean, length = 0.5 + 0.9 * along + 0.3 * across, 0.05 + 0.02 * ((0.732 * number) % 1)
        tip = root + np.array(
            [side * length * np.sin(lean), -length * np.cos(lean)], dtype=np.float32
        )
        tone = 0.75 + 0.5 * ((0.555 * number) % 1)
        hair = (min(tone * colour[0], 1), min(tone * colour[1], 1), min(tone * colour[2], 1))
        shape = ribbon(np.stack([root, (root + tip) / 2, tip]), taper(3, 0.011, ends=0.4))
        canvas.paint(shape, hair, alpha=0.75, soft=0.002)
