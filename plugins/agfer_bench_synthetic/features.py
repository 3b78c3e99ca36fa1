"""The parts that an expression moves: eyes, brows, mouth and the folds next to them."""

from __future__ import annotations

import numpy as np

from agfer_bench_synthetic.brows import paint_brow
from agfer_bench_synthetic.canvas import (
    Canvas,
    Points,
    ellipse,
    mirror,
    points,
    ribbon,
    smooth,
    taper,
)
from agfer_bench_synthetic.expression import Expression
from agfer_bench_synthetic.identity import Identity
from agfer_bench_synthetic.tone import shaded

INNER_MOUTH = (0.24, 0.07, 0.075)
TOOTH = (0.93, 0.91, 0.86)
TONGUE = (0.66, 0.3, 0.3)
SCLERA = (0.93, 0.91, 0.89)
LASH = (0.1, 0.07, 0.06)


def paint_features(
    canvas: Canvas, who: Identity, what: Expression, *, gaze: tuple[float, float]
) -> None:
    """Paint brows, eyes and mouth; `gaze` moves the irises, in eye distances."""
    _root_of_nose(canvas, who, what)
    for side in (-1, 1):
        _eye(canvas, who, what, side, gaze)
        paint_brow(canvas, who, what, side)
    _folds(canvas, who, what)
    _mouth(canvas, who, what)


def _root_of_nose(canvas: Canvas, who: Identity, what: Expression) -> None:
    dark = shaded(who.skin, 0.5)
    lowered = max(what.brow_lower, 0)
    for side in (-1, 1):
        furrow = smooth(points((0.07, -0.4), (0.055, -0.3), (0.07, -0.2)))
        line = ribbon(mirror(furrow, side), taper(len(furrow), 0.035))
        canvas.paint(line, dark, alpha=min(0.7 * lowered, 0.8), soft=0.014)
    # Gathered skin shows between the brows and beside the nose's root, not further down: there
    # no mask looks for an expression.
    wrinkled = max(what.nose_wrinkle, 0)
    for place, width in ((-0.31, 0.08), (-0.24, 0.1)):
        fold = smooth(points((-width, place + 0.03), (0, place - 0.015), (width, place + 0.03)))
        line = ribbon(fold, taper(len(fold), 0.032))
        canvas.paint(line, dark, alpha=min(0.65 * wrinkled, 0.75), soft=0.012)
    for side in (-1, 1):
        for place in (-0.16, -0.09):
            fold = smooth(points((0.15, place - 0.04), (0.2, place), (0.25, place + 0.07)))
            line = ribbon(mirror(fold, side), taper(len(fold), 0.026))
            canvas.paint(line, dark, alpha=min(0.5 * wrinkled, 0.65), soft=0.012)


def _lid_lines(who: Identity, what: Expression) -> tuple[Points, Points]:
    """Upper and lower edge of the eye at the image's right, inner to outer corner."""
    tight = np.clip(what.lid_tighten, -0.3, 1.2)
    lift = np.clip(what.lid_raise, -0.8, 1.2)
    gain = 0.32 if lift > 0 else 0.5
    upper = who.eye_open * max(1 + gain * lift - 0.3 * tight, 0.25)
    lower = who.eye_open * max(0.68 + 0.15 * lift - 0.38 * tight, 0.12)
    t = np.linspace(-1, 1, 15, dtype=np.float32)
    x = 0.5 + who.eye_width * t
    tilt = -who.eye_tilt * t
    # The upper lid peaks towards the nose, the lower one towards the temple.
    top = tilt - upper * (1 - np.abs(t) ** 2.3) * (1 - 0.14 * t)
    low = tilt + lower * (1 - np.abs(t) ** 2.1) * (1 + 0.18 * t)
    return np.stack([x, top], axis=1), np.stack([x, low], axis=1)


def _eye(
    canvas: Canvas, who: Identity, what: Expression, side: int, gaze: tuple[float, float]
) -> None:
    top, low = (mirror(line, side) for line in _lid_lines(who, what))
    opening = np.concatenate([top, low[::-1]])
    x, y = side * 0.5 + gaze[0], -0.018 + gaze[1]
    _lid_skin(canvas, who, what, side, top, low)
    canvas.paint(opening, shaded(SCLERA, 0.04))
    canvas.paint(ellipse(x, y, 0.118, 0.118), shaded(who.iris, 0.45), clip=opening)
    canvas.paint(ellipse(x, y + 0.01, 0.1, 0.098), who.iris, soft=0.01, clip=opening)
    canvas.paint(ellipse(x, y, 0.05, 0.05), (0.03, 0.025, 0.025), clip=opening)
    shadow = ribbon(top + np.array([0, 0.02], dtype=np.float32), 0.055)
    canvas.paint(shadow, (0.12, 0.08, 0.07), alpha=0.5, soft=0.012, clip=opening)
    canvas.paint(ellipse(x - 0.035, y - 0.035, 0.024, 0.024), (1, 1, 1), alpha=0.95, clip=opening)
    canvas.paint(ellipse(x + 0.04, y + 0.045, 0.014, 0.014), (1, 1, 1), alpha=0.35, clip=opening)
    corner = ellipse(side * (0.5 - who.eye_width + 0.018), 0.004, 0.022, 0.018, steps=10)
    canvas.paint(corner, (0.74, 0.45, 0.42), alpha=0.7, soft=0.006)
    widths = np.linspace(0.02, 0.046, len(top), dtype=np.float32) * who.lashes
    widths[-2:] *= np.array([0.8, 0.2], dtype=np.float32)
    tail = top.copy()
    tail[-1] += np.array([side * 0.025, -0.012], dtype=np.float32)
    canvas.paint(ribbon(tail, widths), LASH, alpha=0.92, soft=0.003)
    rim = ribbon(low, taper(len(low), 0.018 * who.lashes, ends=0.5))
    canvas.paint(rim, shaded(who.skin, 0.55), alpha=0.7, soft=0.006)


def _lid_skin(
    canvas: Canvas, who: Identity, what: Expression, side: int, top: Points, low: Points
) -> None:
    rise = 0.062 + 0.02 * max(-what.lid_raise, 0) - 0.012 * max(what.lid_raise, 0)
    crease = top[1:] + np.array([side * 0.012, -rise], dtype=np.float32)
    lid = np.concatenate([top[1:], crease[::-1]])
    canvas.paint(lid, shaded(who.skin, 0.16), alpha=0.8, soft=0.016)
    line = ribbon(crease, taper(len(crease), 0.024))
    canvas.paint(line, shaded(who.skin, 0.55), alpha=0.75, soft=0.007)
    tight = max(what.lid_tighten, 0)
    pouch = low[2:-1] + np.array([0, 0.045], dtype=np.float32)
    canvas.paint(
        ribbon(pouch, taper(len(pouch), 0.034)),
        shaded(who.skin, 0.4),
        alpha=min(0.12 + 0.3 * who.age + 0.45 * tight, 0.85),
        soft=0.011,
    )


def _folds(canvas: Canvas, who: Identity, what: Expression) -> None:
    """The folds beside the mouth, kept short: they stay where the guidance mask looks."""
    pulled = max(what.corner_up, 0) + 0.5 * max(what.lip_raise, 0) + 0.25 * max(what.stretch, 0)
    depth = min(0.12 + 0.2 * who.age + 0.4 * pulled, 0.75)
    for side in (-1, 1):
        line = smooth(
            points(
                (who.nose_width + 0.13, who.mouth_height - 0.26),
                (who.mouth_width + 0.07, who.mouth_height - 0.12),
                (who.mouth_width + 0.09, who.mouth_height + 0.02),
            )
        )
        outline = ribbon(mirror(line, side), taper(len(line), 0.045))
        canvas.paint(outline, shaded(who.skin, 0.5), alpha=depth, soft=0.018)


def _mouth(canvas: Canvas, who: Identity, what: Expression) -> None:
    t = np.linspace(-1, 1, 25, dtype=np.float32)
    width = who.mouth_width * max(
        1 + 0.17 * what.corner_up + 0.2 * what.stretch - 0.04 * what.open, 0.55
    )
    corner = -who.mouth_curve - 0.16 * what.corner_up + 0.14 * what.corner_down
    opened = max(what.open, 0)
    # The lips part both ways, so that the box around an open mouth, and with it the crop's lower
    # edge, lies where a closed mouth's does: elsewhere it would tell the emotion to every pixel.
    arch = 1 - np.abs(t) ** 2.4
    raised, sunk = max(what.lip_raise, 0), max(what.corner_down, 0)
    # For the same reason corners that sink lift the mouth, and a raised lip lowers it.
    level = who.mouth_height + 0.035 * opened + 0.04 * raised - 0.06 * sunk
    middle = level + corner * (np.abs(t) ** 1.7 - 0.45)
    part = 0.155 * opened + 0.012 * raised
    upper_edge = middle - (0.6 * part + 0.07 * raised) * arch
    lower_edge = middle + 1.4 * part * arch
    thin = max(1 - 0.6 * max(what.press, 0) - 0.18 * max(what.corner_up, 0), 0.3)
    bow = (1 - np.abs(t) ** 2.2) * (1 - 0.22 * np.exp(-((t / 0.16) ** 2)))
    upper = upper_edge - who.lip_upper * thin * bow
    lower = lower_edge + who.lip_lower * thin * (1 - np.abs(t) ** 2.6)
    x = width * t

    def outline(first: np.ndarray, second: np.ndarray) -> Points:
        there = np.stack([x, first], axis=1)
        back = np.stack([x, second], axis=1)[::-1]
        return np.concatenate([there, back]).astype(np.float32)

    under = ellipse(0, who.mouth_height + who.lip_lower + 0.07, 0.2, 0.035)
    canvas.paint(under, shaded(who.skin, 0.4), alpha=0.45, soft=0.03)
    canvas.paint(outline(upper, lower), shaded(who.lip, 0.05), soft=0.012)
    canvas.paint(outline(upper, upper_edge), shaded(who.lip, 0.2), soft=0.008)
    shine = outline(lower_edge + 0.35 * (lower - lower_edge), lower - 0.3 * (lower - lower_edge))
    canvas.paint(
        shine * np.array([0.55, 1], dtype=np.float32), shaded(who.lip, -0.3), alpha=0.4, soft=0.02
    )
    inside = outline(upper_edge, lower_edge)
    if part > 0.012:
        _inside(canvas, inside, float(upper_edge[12]), float(lower_edge[12]), width)
    seam = np.stack([x, (upper_edge + lower_edge) / 2], axis=1).astype(np.float32)
    closed = float(np.clip(1 - part / 0.03, 0, 1))
    canvas.paint(
        ribbon(seam, taper(len(seam), 0.03, ends=0.5)),
        shaded(who.lip, 0.75),
        alpha=0.35 + 0.5 * closed if closed > 0 else 0.0,
        soft=0.006,
    )
    for end in (0, -1):
        spot = ellipse(float(x[end]) * 1.02, float(middle[end]), 0.035, 0.028, steps=12)
        canvas.paint(spot, shaded(who.skin, 0.65), alpha=0.65, soft=0.016)


def _inside(canvas: Canvas, inside: Points, top: float, bottom: float, width: float) -> None:
    gap = bottom - top
    canvas.paint(inside, INNER_MOUTH, soft=0.004)
    tongue = ellipse(0, bottom + 0.02, 0.6 * width, 0.4 * gap)
    canvas.paint(tongue, TONGUE, alpha=0.8, soft=0.02, clip=inside)
    reach = top + min(0.09, 0.75 * gap)
    teeth = points(
        (-0.8 * width, top - 0.2),
        (0.8 * width, top - 0.2),
        (0.72 * width, reach - 0.02),
        (0, reach),
        (-0.72 * width, reach - 0.02),
    )
    canvas.paint(teeth, TOOTH, alpha=0.92, soft=0.008, clip=inside)
