"""Hair: what lies behind the head, and what falls over the forehead."""

from __future__ import annotations

import cv2
import numpy as np

from agfer_bench_synthetic.canvas import Canvas, Points, ellipse, points, ribbon, smooth
from agfer_bench_synthetic.identity import Identity
from agfer_bench_synthetic.tone import shaded

CROWN = -1.72
"""Height of the bare skull over the eyes."""


def paint_back_hair(canvas: Canvas, who: Identity) -> None:
    """Hair that stands out behind the head and turns with it; paint it before the skull."""
    thick = who.hair_volume
    if who.hair_style == "bun":
        canvas.paint(ellipse(0.0, CROWN - 0.25, 0.42, 0.34), shaded(who.hair, 0.1))
    if who.hair_style == "curly":
        for x, y in _ring(who, 1.04, count=17):
            canvas.paint(
                ellipse(x, y, 0.22 + 0.5 * thick, 0.22 + 0.5 * thick, steps=16),
                shaded(who.hair, 0.2),
            )


def paint_long_hair(canvas: Canvas, who: Identity) -> None:
    """Hair that falls behind the neck; paint it before the neck."""
    wide, thick = who.face_width, who.hair_volume
    if who.hair_style == "long":
        half = [
            (0.0, CROWN - thick),
            (0.8 * wide, -1.55 - 0.5 * thick),
            (1.08 * wide + thick, -0.7),
            (1.1 * wide + thick, 0.4),
            (1.12 * wide + 1.2 * thick, 1.4),
            (1.0 * wide + thick, 2.4),
            (0.0, 2.4),
        ]
        outline = smooth(points(*half, *((-x, y) for x, y in reversed(half[1:-1]))), closed=True)
        canvas.paint(outline, shaded(who.hair, 0.4))


def paint_front_hair(canvas: Canvas, who: Identity, rng: np.random.Generator) -> None:
    """Hair over the skull, down to the hairline; paint it over the face."""
    cap = _cap(who)
    canvas.paint(
        cap + np.array([0, 0.05], dtype=np.float32),
        shaded(who.skin, 0.5),
        alpha=0.35,
        soft=0.05,
        clip=_skull(who),
    )
    if who.hair_style == "curly":
        for x, y in _ring(who, 0.93, count=15):
            canvas.paint(ellipse(x, y, 0.2, 0.2, steps=16), shaded(who.hair, 0.1), soft=0.01)
    canvas.paint(cap, who.hair, soft=0.012)
    _strands(canvas, who, cap, rng)
    _streaks(canvas, who, rng)


def _skull(who: Identity) -> Points:
    return ellipse(0.0, -0.4, who.face_width, 1.4)


def _ring(who: Identity, reach: float, *, count: int) -> list[tuple[float, float]]:
    angles = np.linspace(np.pi * 1.0, np.pi * 2.0, count)
    rx, ry = reach * (who.face_width + 0.3 * who.hair_volume), reach * 1.42
    return [(float(rx * np.cos(a)), float(-0.35 + ry * np.sin(a))) for a in angles]


def _cap(who: Identity) -> Points:
    """Closed outline between the hair's outer edge and the hairline."""
    wide, line = who.face_width, -who.forehead
    thick = 0.06 if who.hair_style == "receding" else who.hair_volume
    low = {"long": 0.55, "parted": 0.0, "curly": -0.2, "bun": -0.25}.get(who.hair_style, -0.15)
    outer = [
        (-wide - 0.35 * thick, low),
        (-wide - 0.6 * thick, -0.6),
        (-0.92 * wide - 0.5 * thick, -1.2),
        (-0.55 * wide, -1.6 - 0.8 * thick),
        (0.0, CROWN - thick),
        (0.55 * wide, -1.6 - 0.8 * thick),
        (0.92 * wide + 0.5 * thick, -1.2),
        (wide + 0.6 * thick, -0.6),
        (wide + 0.35 * thick, low),
    ]
    temple = 0.9 * wide
    lift = 0.28 if who.hair_style == "receding" else 0.0
    part = 0.5 * who.hair_part
    inner = [
        (temple + 0.06, low - 0.05),
        (temple, -0.55),
        (0.72 * wide, line - 0.06 - lift),
        (0.35 * wide + 0.3 * part, line - 0.02 - 0.4 * lift),
        (part, line - (0.14 if who.hair_style in ("parted", "long") else -0.04)),
        (-0.35 * wide + 0.3 * part, line - 0.02 - 0.4 * lift),
        (-0.72 * wide, line - 0.06 - lift),
        (-temple, -0.55),
        (-temple - 0.06, low - 0.05),
    ]
    return smooth(points(*outer, *inner), closed=True)


def _strands(canvas: Canvas, who: Identity, cap: Points, rng: np.random.Generator) -> None:
    """Light and dark strands that run from the parting down to the sides."""
    origin = 0.5 * who.hair_part if who.hair_style != "bun" else 0.0
    inside = canvas.coverage(cap)
    for _ in range(26):
        end, bend, tone = rng.uniform(-1, 1), rng.normal(0, 0.06), rng.uniform(-0.3, 0.5)
        x = end * (who.face_width + 0.1)
        side = 1 if x > origin else -1
        strand = smooth(
            points(
                (origin + 0.1 * end, CROWN - 0.25),
                ((origin + x) / 2 + 0.1 * side, -1.45 + bend),
                (x, -0.75 + 0.35 * abs(end)),
            )
        )
        canvas.paint(
            ribbon(strand, 0.05), shaded(who.hair, tone), alpha=0.3, soft=0.014, within=inside
        )


def _streaks(canvas: Canvas, who: Identity, rng: np.random.Generator) -> None:
    """Single hairs, fanned out from the parting, as light and shade on all that is painted."""
    rows, columns = canvas.rgba.shape[:2]
    own = np.random.default_rng(rng.integers(2**32))
    # Enough knots for the finest hair that the canvas can show, at most 1/90 of an eye distance.
    around = round(np.pi * 1.6 * min(canvas.scale / 2.5, 90))
    tones = own.standard_normal((5, around), dtype=np.float32)
    origin = 0.5 * who.hair_part if who.hair_style != "bun" else 0.0
    # The map is smooth: work it out coarsely and stretch it.
    x = np.linspace(canvas.window.left, canvas.window.left + canvas.window.width, 96)
    y = np.linspace(canvas.window.top, canvas.window.top + canvas.window.height, 96)
    # From a point above the crown, so that hair is combed down the temples.
    grid_x, grid_y = np.meshgrid(x - origin, y - CROWN + 0.4)
    bearing = (np.arctan2(grid_x, np.maximum(grid_y, 0.01)) / np.pi + 0.5).clip(0, 1)
    along = np.hypot(grid_x, grid_y)
    maps = np.dstack([bearing * (around - 1), along]).astype(np.float32)
    maps = np.asarray(cv2.resize(maps, (columns, rows), interpolation=cv2.INTER_LINEAR))
    shade = cv2.remap(
        tones, maps[:, :, 0], maps[:, :, 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    canvas.rgba[:, :, :3] *= np.exp(0.09 * np.asarray(shade, dtype=np.float32))[:, :, None]
    np.minimum(canvas.rgba, 1, out=canvas.rgba)
