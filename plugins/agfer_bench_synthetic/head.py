"""The parts of a head that no expression moves: skull, skin relief, nose, ears and hair."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from agfer_bench_synthetic.age import paint_age, pores
from agfer_bench_synthetic.canvas import (
    Canvas,
    Points,
    Raster,
    Window,
    ellipse,
    mirror,
    points,
    ribbon,
    smooth,
    taper,
)
from agfer_bench_synthetic.identity import Identity
from agfer_bench_synthetic.tone import shaded
from agfer_bench_synthetic.turn import Turn

HEAD = Window(left=-1.9, top=-2.3, width=3.8, height=4.4)
"""What a head's canvas shows: the head with its hair, to just below the chin."""

RELIEF_SCALE = 32.0
"""Pixels to an eye distance at which relief is worked out; it is soft, so few will do."""


@dataclass(frozen=True, kw_only=True)
class Light:
    """The main lamp, seen from the face."""

    x: float
    """Sideways part of its direction; the part towards the camera is 1."""
    y: float
    """Downward part of its direction: negative from above."""
    ambient: float
    """Share of light that comes from everywhere, 0..1."""
    uneven: float
    """Standard deviation of the light's unevenness on the skin (of its logarithm)."""


def face_outline(who: Identity) -> Points:
    """The closed outline of face and skull."""
    wide, jaw, chin = who.face_width, who.face_width * who.jaw_width, who.chin
    half = [
        (0.0, -1.72),
        (0.55 * wide, -1.6),
        (0.9 * wide, -1.15),
        (1.0 * wide, -0.55),
        (1.0 * wide, 0.05),
        (0.97 * wide, 0.5),
        (0.97 * jaw, 0.55 * chin),
        (0.8 * jaw, 0.76 * chin),
        (0.5 * jaw, 0.93 * chin),
        (0.22, 0.99 * chin),
        (0.0, chin),
    ]
    other = [(-x, y) for x, y in reversed(half[1:-1])]
    return smooth(points(*half, *other), closed=True)


def _bumps(who: Identity) -> list[tuple[float, float, float, float, float]]:
    """Hills and hollows of a face: x, y, two widths and a height, in eye distances."""
    nose, wide = who.nose_length, who.nose_width
    both = [
        (0.56, 0.42, 0.26, 0.2, 0.1),
        (0.5, -0.02, 0.22, 0.13, -0.13),
        (0.42, -0.4, 0.3, 0.1, 0.05),
        (wide - 0.04, nose - 0.06, 0.075, 0.08, 0.09),
        (0.62, 0.85, 0.2, 0.25, -0.05 - 0.07 * who.age),
        (0.6, 1.32, 0.13, 0.12, 0.09 * who.age),
    ]
    middle = [
        (0.0, 0.3, 0.1, 0.34, 0.16),
        (0.0, nose - 0.08, 0.13, 0.12, 0.2),
        (0.0, who.mouth_height, 0.34, 0.14, 0.05),
        (0.0, who.chin - 0.22, 0.2, 0.14, 0.1),
        (0.0, -0.85, 0.6, 0.3, 0.04),
    ]
    return [*middle, *both, *((-x, y, sx, sy, z) for x, y, sx, sy, z in both)]


def _shadows(who: Identity) -> list[tuple[float, float, float, float, float]]:
    """Where less light gets to (or, below 0, more): x, y, two widths and a depth 0..1."""
    nose = who.nose_length
    both = [
        (0.5, -0.06, 0.27, 0.13, 0.24),
        (0.22, -0.05, 0.09, 0.15, 0.14),
        (0.2, 0.35, 0.07, 0.25, 0.1),
        (0.55, 0.5, 0.22, 0.16, -0.1),
        (0.98, 0.9, 0.2, 0.5, 0.16),
        (1.08, -0.3, 0.14, 0.6, 0.14),
        (0.88, -0.55, 0.14, 0.22, 0.16 * who.age),
        (0.7, 0.78, 0.13, 0.26, 0.2 * who.age),
        (0.52, 0.17, 0.2, 0.05, 0.14 * who.age),
    ]
    middle = [
        (0.0, nose + 0.1, 0.16, 0.045, 0.16),
        (0.0, 0.2, 0.075, 0.34, -0.13),
        (0.0, nose - 0.12, 0.08, 0.07, -0.1),
        (0.0, -0.8, 0.5, 0.25, -0.05),
        (0.0, who.chin + 0.02, 0.5, 0.1, 0.2),
    ]
    return [*middle, *both, *((-x, y, sx, sy, z) for x, y, sx, sy, z in both)]


def _stirred(
    shadows: list[tuple[float, float, float, float, float]], rng: np.random.Generator
) -> list[tuple[float, float, float, float, float]]:
    """The shadows as another light throws them: moved, deeper or fainter."""
    moves = rng.normal(0, 0.04, (len(shadows), 2))
    depths = np.exp(rng.normal(0, 0.25, len(shadows)))
    return [
        (x + dx, y + dy, sx, sy, z * depth)
        for (x, y, sx, sy, z), (dx, dy), depth in zip(shadows, moves, depths, strict=True)
    ]


def _hills(bumps: list[tuple[float, float, float, float, float]], x: Raster, y: Raster) -> Raster:
    cx, cy, sx, sy, height = (column[:, None] for column in np.array(bumps, dtype=np.float32).T)
    across = np.exp(-(((x - cx) / sx) ** 2) / 2)
    down = height * np.exp(-(((y - cy) / sy) ** 2) / 2)
    return np.asarray(down.T @ across, dtype=np.float32)


def _lit(depth: Raster, light: Light) -> Raster:
    """Lambert's law on a height field."""
    dy, dx = np.gradient(depth, 1 / RELIEF_SCALE)
    norm = np.sqrt(dx**2 + dy**2 + 1)
    lamp = np.sqrt(light.x**2 + light.y**2 + 1)
    facing = np.maximum((-dx * light.x - dy * light.y + 1) / (norm * lamp), 0)
    return np.asarray(light.ambient + (1 - light.ambient) * facing * lamp, dtype=np.float32)


def _unevenness(amount: float, shape: tuple[int, ...], rng: np.random.Generator) -> Raster:
    """Soft patches of three sizes."""
    total = np.zeros(shape[:2], dtype=np.float32)
    for across in (7, 13, 24):
        patches = rng.standard_normal((round(1.2 * across), across), dtype=np.float32)
        total += cv2.resize(patches, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(total * np.float32(amount / np.sqrt(3)), dtype=np.float32)


def relief(
    who: Identity, light: Light, turn: Turn, rng: np.random.Generator
) -> tuple[Raster, Raster]:
    """Brightness of the skin's relief and of the head as a whole, at `RELIEF_SCALE`.

    `rng` gives the play of light on the skin, which differs from sequence to sequence. A crop
    follows the eye and mouth that were found, so an expression moves nose and cheeks in it by a
    pixel; uneven light is larger than what that changes.
    """
    columns, rows = round(HEAD.width * RELIEF_SCALE), round(HEAD.height * RELIEF_SCALE)
    x = HEAD.left + (np.arange(columns, dtype=np.float32) + 0.5) / RELIEF_SCALE
    y = HEAD.top + (np.arange(rows, dtype=np.float32) + 0.5) / RELIEF_SCALE
    round_ness = 1 - (x[None] / (1.45 * who.face_width)) ** 2 - ((y[:, None] - 0.1) / 2.35) ** 2
    skull = np.sqrt(np.maximum(round_ness, 0.04))
    broad = np.clip(_lit(skull, light), 0.3, 1.25).astype(np.float32)
    detailed = _lit(skull + who.relief * _hills(_bumps(who), x, y), light) / broad
    shadow = 1 - who.relief * _hills(_stirred(_shadows(who), rng), x, y)
    shade = np.clip(detailed, 0.45, 1.5) ** np.float32(0.8) * shadow
    shade *= np.exp(_unevenness(light.uneven, shade.shape, rng))
    return turn.warp(shade, left=HEAD.left, top=HEAD.top, scale=RELIEF_SCALE), broad


def _stretched(small: Raster, canvas: Canvas) -> Raster:
    rows, columns = canvas.rgba.shape[:2]
    # A bilinear stretch shows its knots once they lie many pixels apart.
    how = cv2.INTER_LINEAR if canvas.scale < 4 * RELIEF_SCALE else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(small, (columns, rows), interpolation=how), dtype=np.float32)


def skin_texture(canvas: Canvas, who: Identity, shade: Raster, rng: np.random.Generator) -> Raster:
    """The skin's colour over the whole canvas: shadows warm, lights cool, grain where it shows."""
    warm = np.array([0.85, 1.02, 1.15], dtype=np.float32)
    tone = np.array(who.skin, dtype=np.float32) * np.maximum(shade, 0.2)[:, :, None] ** warm
    texture = _stretched(np.minimum(tone, 1), canvas)
    texture *= pores(canvas.scale, texture.shape, who, rng)[:, :, None]
    return np.clip(texture, 0, 1, out=texture)


def paint_skull(canvas: Canvas, who: Identity, shade: Raster, rng: np.random.Generator) -> None:
    """Ears, face and nose: everything but hair and what an expression moves."""
    for side in (-1, 1):
        ear = mirror(ellipse(who.face_width + 0.03, 0.16, 0.13, 0.27 + 0.05 * who.age), side)
        canvas.paint(ear, shaded(who.skin, 0.16))
        hollow = mirror(ellipse(who.face_width + 0.05, 0.14, 0.06, 0.16), side)
        canvas.paint(hollow, shaded(who.skin, 0.45), alpha=0.6, soft=0.03)
    outline = face_outline(who)
    canvas.cover(outline, skin_texture(canvas, who, shade, rng))
    _cheeks(canvas, who)
    if who.stubble:
        _stubble(canvas, who, outline)
    paint_age(canvas, who)
    _nose(canvas, who)


def _cheeks(canvas: Canvas, who: Identity) -> None:
    red = (min(who.skin[0] * 1.02, 1), who.skin[1] * 0.74, who.skin[2] * 0.72)
    for side in (-1, 1):
        spot = ellipse(side * 0.62, 0.56, 0.24, 0.17)
        canvas.paint(spot, red, alpha=0.28 * who.blush, soft=0.12)


def _stubble(canvas: Canvas, who: Identity, outline: Points) -> None:
    jaw, chin = who.face_width * who.jaw_width, who.chin
    half = [
        (0.0, 1.47),
        (0.42, 1.42),
        (0.6, 1.1),
        (0.88 * jaw, 0.75),
        (1.15 * jaw, 0.55),
        (1.2 * jaw, chin + 0.2),
        (0.0, chin + 0.2),
    ]
    area = points(*half, *((-x, y) for x, y in reversed(half[1:-1])))
    shade = tuple(0.6 * s + 0.4 * h for s, h in zip(shaded(who.skin, 0.45), who.hair, strict=True))
    canvas.paint(
        area, (shade[0], shade[1], shade[2]), alpha=0.6 * who.stubble, soft=0.07, clip=outline
    )


def _nose(canvas: Canvas, who: Identity) -> None:
    base, wide = who.nose_length, who.nose_width
    dark = shaded(who.skin, 0.5)
    for side in (-1, 1):
        wing = smooth(
            points(
                (wide - 0.02, base - 0.15),
                (wide + 0.02, base - 0.06),
                (wide - 0.02, base + 0.02),
                (wide - 0.09, base + 0.03),
            )
        )
        canvas.paint(
            ribbon(mirror(wing, side), taper(len(wing), 0.035)), dark, alpha=0.55, soft=0.012
        )
        nostril = mirror(ellipse(0.52 * wide, base + 0.015, 0.3 * wide, 0.032), side)
        canvas.paint(nostril, shaded(who.skin, 0.78), alpha=0.85, soft=0.012)
    tip = ellipse(-0.01, base - 0.14, 0.05, 0.045)
    canvas.paint(tip, shaded(who.skin, -0.5), alpha=0.35, soft=0.03)
    groove = points((0.0, base + 0.1), (0.0, who.mouth_height - 0.14))
    canvas.paint(ribbon(groove, 0.06), shaded(who.skin, 0.35), alpha=0.35, soft=0.02)
