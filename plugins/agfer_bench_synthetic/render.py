"""From a person, an expression and a studio to frames.

A sequence's still parts (backdrop, skull, skin, hair) are painted once, in a `Take`; a frame
paints eyes, brows and mouth on a copy, turns the head into its pose and adds the camera.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from agfer_bench_synthetic.canvas import Canvas, Raster, Window
from agfer_bench_synthetic.expression import Expression
from agfer_bench_synthetic.features import paint_features
from agfer_bench_synthetic.hair import paint_back_hair, paint_front_hair
from agfer_bench_synthetic.head import HEAD, paint_skull, relief
from agfer_bench_synthetic.identity import Identity
from agfer_bench_synthetic.studio import Pose, Setting, Studio, draw_backdrop, draw_setting

Frame = NDArray[np.uint8]

FACE = Window(left=-1.3, top=-1.0, width=2.6, height=3.0)
"""The part of the face plane in which an expression changes anything."""


@dataclass(frozen=True, kw_only=True)
class Take:
    """The still parts of one sequence, painted once."""

    who: Identity
    """The person."""
    setting: Setting
    """Framing, light and camera."""
    backdrop: Raster
    """What is behind the head: RGB, (height, width, 3), 0..1."""
    still: Canvas
    """The lit head with its hair, but without eyes, brows and mouth."""
    face: Canvas
    """The part of the head that expressions change, unlit and without front hair."""
    rows: slice
    """Where that part lies on the head's canvas."""
    columns: slice
    """Where that part lies on the head's canvas."""
    hair: Raster
    """The front hair over that part, RGBA."""
    light: Raster
    """Light on that part, (rows, columns, 1)."""


def _oversampling(eye_distance: float) -> float:
    """How much larger than the frame a head is painted: fine detail matters on small faces.

    On the largest it has run out, and a smaller painting saves a third of the time.
    """
    if eye_distance > 500:
        return 500 / eye_distance
    return 2.0 if eye_distance < 100 else 1.5 if eye_distance < 250 else 1.0


def set_up(
    who: Identity,
    studio: Studio,
    *,
    subject: np.random.Generator,
    sequence: np.random.Generator,
) -> Take:
    """Paint what one sequence's frames share.

    Args:
        who: the person.
        studio: the style of filming.
        subject: gives the fall of the hair; seed it alike for all sequences of a subject.
        sequence: gives backdrop, light and pose.
    """
    setting = draw_setting(studio, sequence)
    scale = setting.pose.eye_distance * _oversampling(setting.pose.eye_distance)
    turn = setting.pose.turn
    shade, broad = relief(who, setting.light, turn, sequence)
    skull, hair = Canvas(HEAD, scale, turn), Canvas(HEAD, scale, turn)
    paint_back_hair(skull, who)
    paint_skull(skull, who, shade, sequence)
    paint_front_hair(hair, who, subject)
    high, wide = skull.rgba.shape[:2]
    light = np.asarray(cv2.resize(broad, (wide, high)), dtype=np.float32)[:, :, None]
    rows, columns = _part(FACE.top, FACE.height, scale), _part(FACE.left, FACE.width, scale, "x")
    take = Take(
        who=who,
        setting=setting,
        backdrop=draw_backdrop(studio, setting, who, sequence),
        still=skull,
        face=skull.part(rows, columns),
        rows=rows,
        columns=columns,
        hair=hair.rgba[rows, columns].copy(),
        light=light[rows, columns].copy(),
    )
    _dressed(skull.rgba, hair.rgba, light)
    return take


def _part(start: float, length: float, scale: float, axis: str = "y") -> slice:
    """The rows (or columns) of a head's canvas that show a part of the face plane."""
    corner = HEAD.left if axis == "x" else HEAD.top
    first = round((start - corner) * scale)
    return slice(first, first + round(length * scale))


def _dressed(skin: Raster, hair: Raster, light: Raster) -> None:
    """Lay hair over skin and light both, in place."""
    skin *= 1 - hair[:, :, 3:]
    skin += hair
    skin[:, :, :3] *= light


def film(take: Take, what: Expression, rng: np.random.Generator) -> Frame:
    """Draw one frame: RGB, uint8, (height, width, 3). `rng` gives tremor, gaze and noise."""
    pose = _tremble(take.setting.pose, rng)
    across, down = rng.normal(0, (0.018, 0.008))
    face = take.face.copy()
    paint_features(face, take.who, what, gaze=(across, down))
    _dressed(face.rgba, take.hair, take.light)
    rgba = take.still.rgba.copy()
    rgba[take.rows, take.columns] = face.rgba
    frame = _placed(rgba, face.scale, take.backdrop, pose)
    return _exposed(frame, take.setting, rng)


def _tremble(pose: Pose, rng: np.random.Generator) -> Pose:
    across, down, near, roll = rng.normal(0, (0.03, 0.02, 0.006, 0.6))
    return Pose(
        x=pose.x + across * pose.eye_distance,
        y=pose.y + down * pose.eye_distance,
        eye_distance=pose.eye_distance * (1 + near),
        roll=pose.roll + roll,
        turn=pose.turn,
    )


def _placed(rgba: Raster, scale: float, backdrop: Raster, pose: Pose) -> Raster:
    """The head's raster turned, scaled and laid over the backdrop."""
    rows, columns = backdrop.shape[:2]
    zoom, turn = pose.eye_distance / scale, np.deg2rad(pose.roll)
    linear = zoom * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    # The canvas pixel that holds the point halfway between the eyes.
    centre = np.array([-HEAD.left, -HEAD.top]) * scale - 0.5
    shift = np.array([pose.x, pose.y]) - linear @ centre
    matrix = np.column_stack([linear, shift])
    head = np.asarray(
        cv2.warpAffine(rgba, matrix, (columns, rows), flags=cv2.INTER_LINEAR), dtype=np.float32
    )
    frame = backdrop * (1 - head[:, :, 3:])
    frame += head[:, :, :3]
    return frame


def _exposed(frame: Raster, setting: Setting, rng: np.random.Generator) -> Frame:
    """The lens's blur, the light's colour, the sensor's noise and eight bits."""
    seen: Raster = np.asarray(cv2.GaussianBlur(frame, (0, 0), setting.blur), dtype=np.float32)
    seen *= np.array(setting.tint, dtype=np.float32)
    noise = rng.standard_normal(frame.shape, dtype=np.float32)
    noise *= np.float32(setting.noise)
    seen += noise
    seen *= 255
    seen += 0.5
    eight_bits: Frame = np.clip(seen, 0, 255, out=seen).astype(np.uint8)
    return eight_bits
