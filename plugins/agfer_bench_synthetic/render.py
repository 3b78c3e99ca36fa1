"""From a person, an expression and a studio to frames.

A sequence's still parts (backdrop, skull, skin, hair) are painted once, in a `Take`; a frame
paints eyes, brows and mouth on a copy, turns the head into its pose and adds the camera.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from agfer_bench_synthetic.canvas import Canvas, Raster
from agfer_bench_synthetic.expression import Expression
from agfer_bench_synthetic.features import paint_features
from agfer_bench_synthetic.hair import paint_back_hair, paint_front_hair
from agfer_bench_synthetic.head import HEAD, paint_skull, relief
from agfer_bench_synthetic.identity import Identity
from agfer_bench_synthetic.studio import Pose, Setting, Studio, draw_backdrop, draw_setting

Frame = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Take:
    """The still parts of one sequence, painted once."""

    who: Identity
    """The person."""
    setting: Setting
    """Framing, light and camera."""
    backdrop: Raster
    """What is behind the head: RGB, (height, width, 3), 0..1."""
    skull: Canvas
    """The head without eyes, brows, mouth and front hair."""
    hair: Canvas
    """The hair in front of the face."""
    uncovered: Raster
    """What the hair lets show of the head, 0..1, (rows, columns, 1)."""
    light: Raster
    """Light on the head as a whole, at the canvas's size."""


def _oversampling(eye_distance: float) -> float:
    """How much larger than the frame a head is painted: fine detail matters on small faces."""
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
    paint_skull(skull, who, shade)
    paint_front_hair(hair, who, subject)
    rows, columns = skull.rgba.shape[:2]
    return Take(
        who=who,
        setting=setting,
        backdrop=draw_backdrop(studio, setting, who, sequence),
        skull=skull,
        hair=hair,
        uncovered=1 - hair.rgba[:, :, 3:],
        light=np.asarray(cv2.resize(broad, (columns, rows)), dtype=np.float32)[:, :, None],
    )


def film(take: Take, what: Expression, rng: np.random.Generator) -> Frame:
    """Draw one frame: RGB, uint8, (height, width, 3). `rng` gives tremor, gaze and noise."""
    pose = _tremble(take.setting.pose, rng)
    across, down = rng.normal(0, (0.018, 0.008))
    head = take.skull.copy()
    paint_features(head, take.who, what, gaze=(across, down))
    rgba = head.rgba
    rgba *= take.uncovered
    rgba += take.hair.rgba
    rgba[:, :, :3] *= take.light
    frame = _placed(rgba, head.scale, take.backdrop, pose)
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
    head = cv2.warpAffine(rgba, matrix, (columns, rows), flags=cv2.INTER_LINEAR)
    return np.asarray(head[:, :, :3] + backdrop * (1 - head[:, :, 3:]), dtype=np.float32)


def _exposed(frame: Raster, setting: Setting, rng: np.random.Generator) -> Frame:
    """The lens's blur, the light's colour, the sensor's noise and eight bits."""
    seen: Raster = np.asarray(cv2.GaussianBlur(frame, (0, 0), setting.blur), dtype=np.float32)
    seen *= np.array(setting.tint, dtype=np.float32)
    seen += np.float32(setting.noise) * rng.standard_normal(frame.shape, dtype=np.float32)
    eight_bits: Frame = np.clip(seen * 255 + 0.5, 0, 255).astype(np.uint8)
    return eight_bits
