"""The guidance mask: where in a crop the brows, eyes and mouth lie.

Source: Arabian et al. 2023, doi:10.3390/app131810179, section 2.3 and figure 5. The paper shows
its mask as a small picture only; the shapes here follow its words (eyebrows, eyes, mouth) and
where these lie in crops of photographs with known points.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agfer_bench.errors import UserError
from agfer_bench.faces.decode import Unreadable, decode
from agfer_bench.files import read_whole

Mask = NDArray[np.bool_]

_ELLIPSES = (
    (0.22, 0.235, 0.22, 0.195),
    (0.78, 0.235, 0.22, 0.195),
    (0.50, 0.825, 0.34, 0.165),
)
"""Eye with brow at the left and at the right, mouth: centre x and y, half width, half height.

In units of the crop's side. In 102 crops the eyes lie at (0.20, 0.29) and (0.80, 0.30), the mouth
at (0.50, 0.82), all with standard deviations up to 0.03.
"""
_BETWEEN_BROWS = (0.30, 0.06, 0.70, 0.26)
"""Left, top, right, bottom of the bridge between the brows, which anger and sadness move."""


def default_mask(size: int) -> Mask:
    """Draw the mask: a band over brows and eyes, and an ellipse over the mouth.

    Args:
        size: Side of the crop in pixels.

    Returns:
        True in the regions of interest, of shape (size, size); the same shapes at every size.
    """
    along = (np.arange(size) + 0.5) / size
    x, y = along[np.newaxis, :], along[:, np.newaxis]
    left, top, right, bottom = _BETWEEN_BROWS
    mask: Mask = (x >= left) & (x <= right) & (y >= top) & (y <= bottom)
    for centre_x, centre_y, half_width, half_height in _ELLIPSES:
        mask |= ((x - centre_x) / half_width) ** 2 + ((y - centre_y) / half_height) ** 2 <= 1
    return mask


def read_mask(path: Path, size: int) -> Mask:
    """Read a mask that the user drew.

    The picture must be exactly size x size and hold exactly two grey values, of which black (0)
    is one: scaling would blur the edge, and a mask of one value guides nothing.

    Args:
        path: A PNG, or another format without loss.
        size: Side of the crops that it goes with, in pixels.

    Returns:
        True where the picture is not black, of shape (size, size).

    Raises:
        UserError: The file cannot be read, or breaks the rule above.
    """
    rgb = _read(path)
    height, width = rgb.shape[:2]
    if (height, width) != (size, size):
        raise UserError(
            f"mask {path} has {width}x{height} pixels: draw it at the size of the crops, "
            f"{size}x{size}"
        )
    if (rgb != rgb[..., :1]).any():
        raise UserError(f"mask {path} is coloured: save it in black and white")
    values = np.unique(rgb)
    if len(values) != 2 or values[0] != 0:
        shown = ", ".join(map(str, values[:4])) + (", ..." if len(values) > 4 else "")
        raise UserError(
            f"mask {path} holds {len(values)} grey value(s) ({shown}): it must hold two, black "
            "and one other, so save it as a PNG without smoothed edges"
        )
    return np.asarray(rgb[..., 0] > 0, np.bool_)


_LARGEST = 2**26
"""Bytes that a mask's file may hold."""


def mask_digest(mask: Mask) -> str:
    """Name a mask by its contents: ``sha256:`` and a hash of its shape and pixels."""
    digest = hashlib.sha256(repr(mask.shape).encode())
    digest.update(np.packbits(mask).tobytes())
    return f"sha256:{digest.hexdigest()}"


def _read(path: Path) -> NDArray[np.uint8]:
    """Pixels of a picture, or an error that names it."""
    try:
        return decode(read_whole(path, _LARGEST))
    except OSError as error:
        raise UserError(f"cannot read mask {path}: {error.strerror}") from error
    except Unreadable as error:
        raise UserError(
            f"mask {path} is no picture ({error.reason}: {error.detail}): save it as a PNG"
        ) from error
