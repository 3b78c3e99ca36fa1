"""Small turns of the head: what stands out moves further than what lies back."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

EYE_PLANE = 0.88
"""Depth of the eyes, which stay in place, in eye distances."""


def depth(x: Floats, y: Floats) -> Floats:
    """How far an average head stands out towards the camera, in eye distances."""
    skull = np.sqrt(np.maximum(1 - (x / 1.5) ** 2 - ((y - 0.1) / 2.5) ** 2, 0.02))
    nose = 0.34 * np.exp(-((x / 0.17) ** 2) - ((y - 0.66) / 0.3) ** 2)
    lips = 0.12 * np.exp(-((x / 0.4) ** 2) - ((y - 1.15) / 0.3) ** 2)
    return np.asarray(skull + nose + lips, dtype=np.float32)


@dataclass(frozen=True, kw_only=True)
class Turn:
    """A turn of a few degrees about the eyes."""

    yaw: float = 0.0
    """Tangent of the turn sideways; positive moves the nose to the image's right."""
    pitch: float = 0.0
    """Tangent of the nod; positive moves the nose down."""

    def move(self, shape: Floats) -> Floats:
        """Where points of the frontal face, shape (N, 2), come to lie."""
        ahead = depth(shape[:, 0], shape[:, 1]) - np.float32(EYE_PLANE)
        offset = np.stack([self.yaw * ahead, self.pitch * ahead], axis=1)
        return np.asarray(shape + offset, dtype=np.float32)

    def warp(self, raster: Floats, *, left: float, top: float, scale: float) -> Floats:
        """Turn a smooth raster whose corner lies at (left, top), `scale` pixels to the unit."""
        rows, columns = raster.shape[:2]
        x = left + (np.arange(columns, dtype=np.float32) + 0.5) / scale
        y = top + (np.arange(rows, dtype=np.float32) + 0.5) / scale
        grid_x, grid_y = np.meshgrid(x, y)
        # One step back along the depth of the target: exact enough for a few degrees.
        ahead = depth(grid_x, grid_y) - np.float32(EYE_PLANE)
        from_x = (grid_x - self.yaw * ahead - left) * scale - 0.5
        from_y = (grid_y - self.pitch * ahead - top) * scale - 0.5
        return np.asarray(
            cv2.remap(
                raster,
                from_x.astype(np.float32),
                from_y.astype(np.float32),
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )
        )
