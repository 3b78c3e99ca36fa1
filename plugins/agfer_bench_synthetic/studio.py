"""Where a face is filmed: framing, lamp, backdrop, clothes and camera."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from agfer_bench_synthetic.canvas import Canvas, Colour, Points, Raster, Window, points, smooth
from agfer_bench_synthetic.hair import paint_long_hair
from agfer_bench_synthetic.head import Light
from agfer_bench_synthetic.identity import Identity
from agfer_bench_synthetic.tone import shaded
from agfer_bench_synthetic.turn import Turn


@dataclass(frozen=True, kw_only=True)
class Studio:
    """A style of filming. Ranges are (lowest, highest); every sequence draws from them."""

    height: int = 240
    """Rows of a frame, pixels."""
    width: int = 320
    """Columns of a frame, pixels."""
    aspect: float = 4 / 3
    """Width against height of the frame that this studio is meant for."""
    eye_distance: tuple[float, float] = (0.175, 0.21)
    """Distance between the pupils, as a share of `reach`."""
    wander: tuple[float, float] = (0.35, 0.1)
    """Standard deviation of the head's place, sideways and in height, eye distances."""
    roll: float = 2.0
    """Standard deviation of the head's roll, degrees."""
    yaw: float = 0.1
    """Standard deviation of the tangent of the head's turn sideways."""
    pitch: float = 0.14
    """Standard deviation of the tangent of the head's nod."""
    lamp: tuple[float, float] = (-0.45, 0.45)
    """Sideways part of the light's direction, image left to right."""
    ambient: tuple[float, float] = (0.4, 0.6)
    """Share of light that comes from everywhere."""
    uneven: float = 0.1
    """Standard deviation of the light's unevenness on the skin (of its logarithm)."""
    balance: Colour = (1.0, 1.0, 1.0)
    """The camera's colour balance."""
    warmth: float = 0.04
    """Standard deviation of the light's colour, as a share of its brightness."""
    exposure: tuple[float, float] = (0.88, 1.08)
    """Brightness of the whole frame."""
    blur: tuple[float, float] = (0.45, 0.85)
    """Standard deviation of the lens's blur, pixels where `reach` is 240."""
    noise: tuple[float, float] = (0.008, 0.016)
    """Standard deviation of the sensor's noise, as a share of white."""
    clutter: float = 0.6
    """How much stands and hangs behind the subject, 0 to 1."""
    wall: tuple[float, float] = (0.3, 0.75)
    """Brightness of the wall."""
    wall_hue: float = 0.08
    """Standard deviation of the wall's colour, as a share of its brightness."""
    wall_patches: float = 1.0
    """How strongly light and grain vary over the wall, 0 to 1."""
    cloth: tuple[float, float] = (0.1, 0.75)
    """Brightness of the clothes."""
    cloth_hue: float = 0.3
    """Standard deviation of their colour, as a share of its brightness."""

    @property
    def reach(self) -> float:
        """What lengths are a share of: the height, unless the frame is too narrow for it."""
        return min(self.height, self.width / self.aspect)


@dataclass(frozen=True, kw_only=True)
class Pose:
    """Where the head is in the frame."""

    x: float
    """Column of the point halfway between the eyes, pixels."""
    y: float
    """Row of that point, pixels."""
    eye_distance: float
    """Pixels between the pupils."""
    roll: float
    """Degrees, positive turns clockwise in the image."""
    turn: Turn
    """Turn and nod of the head, the same through a sequence."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What stays the same through one sequence."""

    pose: Pose
    """The head's place at rest."""
    light: Light
    """The main lamp."""
    tint: Colour
    """The light's colour times the exposure."""
    blur: float
    """Standard deviation of the lens's blur, pixels."""
    noise: float
    """Standard deviation of the sensor's noise, as a share of white."""


def draw_setting(studio: Studio, rng: np.random.Generator) -> Setting:
    """Draw framing, light and camera for one sequence."""
    eye_distance = studio.reach * rng.uniform(*studio.eye_distance)
    warm = rng.normal(0, studio.warmth)
    exposure = rng.uniform(*studio.exposure)
    across, down = rng.normal(0, studio.wander)
    pose = Pose(
        x=studio.width / 2 + np.clip(across, -0.9, 0.9) * eye_distance,
        y=0.46 * studio.height + np.clip(down, -0.25, 0.25) * eye_distance,
        eye_distance=eye_distance,
        roll=float(np.clip(rng.normal(0, studio.roll), -5, 5)),
        turn=Turn(
            yaw=float(np.clip(rng.normal(0, studio.yaw), -0.25, 0.25)),
            pitch=float(np.clip(rng.normal(0, studio.pitch), -0.25, 0.25)),
        ),
    )
    return Setting(
        pose=pose,
        light=Light(
            x=rng.uniform(*studio.lamp),
            y=rng.uniform(-0.45, -0.1),
            ambient=rng.uniform(*studio.ambient),
            uneven=studio.uneven,
        ),
        tint=(
            exposure * (1 + warm) * studio.balance[0],
            exposure * studio.balance[1],
            exposure * (1 - warm) * studio.balance[2],
        ),
        blur=rng.uniform(*studio.blur) * studio.reach / 240,
        noise=rng.uniform(*studio.noise),
    )


def draw_backdrop(
    studio: Studio, setting: Setting, who: Identity, rng: np.random.Generator
) -> Raster:
    """Draw what is behind the head: a room, then neck and clothes. RGB, float32 in 0..1."""
    pose = setting.pose
    window = Window(
        left=-(pose.x + 0.5) / pose.eye_distance,
        top=-(pose.y + 0.5) / pose.eye_distance,
        width=studio.width / pose.eye_distance,
        height=studio.height / pose.eye_distance,
    )
    canvas = Canvas(window, pose.eye_distance)
    canvas.rgba = np.ones((studio.height, studio.width, 4), dtype=np.float32)
    canvas.rgba[:, :, :3] = _wall(studio, rng)
    _furnish(canvas, studio, rng)
    paint_long_hair(canvas, who)
    _body(canvas, who, pose, studio, rng)
    return np.ascontiguousarray(canvas.rgba[:, :, :3])


def _wall(studio: Studio, rng: np.random.Generator) -> Raster:
    """A wall with a gradient, patches of light and grain."""
    size = (studio.width, studio.height)
    base = rng.uniform(*studio.wall) * (1 + rng.normal(0, studio.wall_hue, 3))
    patches = rng.normal(0, 0.06, (3, 4, 1)) + rng.normal(0, 0.012, (3, 4, 3))
    patches = (base + studio.wall_patches * patches).astype(np.float32)
    grain = (studio.wall_patches * rng.normal(0, 0.012, (48, 64))).astype(np.float32)
    # At more than ten pixels to a grain a bilinear stretch would show its knots.
    fine = cv2.INTER_LINEAR if studio.height < 500 else cv2.INTER_CUBIC
    wall = np.asarray(cv2.resize(patches, size, interpolation=cv2.INTER_CUBIC), dtype=np.float32)
    wall += cv2.resize(grain, size, interpolation=fine)[:, :, None]
    return np.clip(wall, 0.05, 0.95, out=wall)


def _furnish(canvas: Canvas, studio: Studio, rng: np.random.Generator) -> None:
    """Blurred upright and level shapes: frames, shelves, doors, curtains."""
    window = canvas.window
    for _ in range(rng.poisson(7 * studio.clutter)):
        x = window.left + rng.uniform(-0.1, 1.0) * window.width
        y = window.top + rng.uniform(-0.1, 1.0) * window.height
        wide, high = np.exp(rng.uniform(np.log(0.25), np.log(2.2), 2))
        shape = points((x, y), (x + wide, y), (x + wide, y + high), (x, y + high))
        shade = rng.uniform(0.15, 0.85) * (1 + rng.normal(0, 0.1, 3))
        red, green, blue = np.clip(shade, 0.03, 0.95)
        canvas.paint(
            shape, (red, green, blue), alpha=rng.uniform(0.3, 0.9), soft=rng.uniform(0.02, 0.12)
        )


def _mirrored(half: list[tuple[float, float]]) -> Points:
    return smooth(points(*half, *((-x, y) for x, y in reversed(half))), closed=True)


def _neck_width(who: Identity) -> float:
    """Half the width of the neck."""
    return (0.66 if who.sex == "male" else 0.56) * who.face_width


def _body(
    canvas: Canvas, who: Identity, pose: Pose, studio: Studio, rng: np.random.Generator
) -> None:
    neck, chin = _neck_width(who), who.chin
    throat = _mirrored([(neck, 1.0), (neck, chin + 0.3), (neck + 0.3, chin + 0.75), (0.6, 4.5)])
    # The neck follows a tilted head above and stands on level shoulders below.
    lean = -np.sin(np.deg2rad(pose.roll)) * np.interp(throat[:, 1], [1.0, chin + 0.6], [chin, 0])
    throat[:, 0] += lean.astype(np.float32)
    canvas.paint(throat, shaded(who.skin, 0.2))
    under = _mirrored([(1.1, chin - 0.6), (0.85, chin - 0.1), (0.3, chin + 0.16)])
    canvas.paint(under, shaded(who.skin, 0.6), alpha=0.6, soft=0.1, clip=throat)
    dye = rng.uniform(*studio.cloth) * (1 + rng.normal(0, studio.cloth_hue, 3))
    red, green, blue = np.clip(dye, 0.04, 0.92)
    cloth: Colour = (red, green, blue)
    drop = rng.uniform(0.55, 1.0)
    shoulders = _mirrored(
        [
            (0.35, chin + drop),
            (neck + 0.12, chin + 0.42),
            (1.5, chin + 0.72),
            (2.3, chin + 1.1),
            (2.6, chin + 2.2),
            (2.6, 6.0),
        ]
    )
    canvas.paint(shoulders, cloth, soft=0.01)
    hem = smooth(
        points(
            (-neck - 0.12, chin + 0.42),
            (-0.35, chin + drop),
            (0.35, chin + drop),
            (neck + 0.12, chin + 0.42),
        )
    )
    shadow = np.concatenate([hem, hem[::-1] + np.array([0, 0.09], dtype=np.float32)])
    canvas.paint(shadow, shaded(cloth, 0.35), alpha=0.7, soft=0.012)
