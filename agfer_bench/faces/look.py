"""What is kept of a photograph beside its crop: a small grey copy, and measures of quality."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from agfer_bench.faces.crops import Box
from agfer_bench.faces.decode import Pixels, opencv
from agfer_bench.passport.hashes import SIDE

LEAST = 2 * SIDE
"""Pixels that the shorter side should have: a coarser image shows copies of other sizes unlike."""

_WORKING_SIDE = 256
"""Longest side in pixels at which sharpness is measured: large photographs are shrunk to it."""

_WHITE, _WHITE_SHARE = 250, 13
"""Value from which on any channel may have been cut by a brighter copy, and how much of a look's
pixel must be so, of 255, for it to be marked."""

_COLOUR = 8
"""Least difference of two channels that is colour and no trace of JPEG's, at any of the pixels."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """A small copy of a photograph, and measures of its crop."""

    grey: NDArray[np.uint8]
    """(64, 64) the whole photograph, stretched; the lowest bit marks white (`passport.hashes`)."""
    contrast: float
    """Standard deviation of the crop's grey values, 0..127.5."""
    sharpness: float
    """Variance of the crop's Laplacian over the variance of its grey values; 0 without contrast."""
    colour: bool
    """Whether the photograph has any."""


def take_look(rgb: Pixels, crop: Box) -> Look:
    """Take a look at a decoded photograph.

    Args:
        rgb: Pixels of shape (H, W, 3), uint8.
        crop: The box of the crop in these pixels.
    """
    cv2 = opencv()
    small = cv2.resize(rgb, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    red, green, blue = cv2.split(rgb)
    white = cv2.compare(cv2.max(cv2.max(red, green), blue), _WHITE, cv2.CMP_GE)
    white = cv2.resize(white, (SIDE, SIDE), interpolation=cv2.INTER_AREA) >= _WHITE_SHARE
    grey = (cv2.cvtColor(small, cv2.COLOR_RGB2GRAY) & 0xFE) | white.astype(np.uint8)
    channels = small.astype(np.int16)
    x, y, width, height = crop
    part = cv2.cvtColor(
        np.ascontiguousarray(rgb[y : y + height, x : x + width]), cv2.COLOR_RGB2GRAY
    )
    longest = max(part.shape)
    if longest > _WORKING_SIDE:
        sides = [max(1, round(side * _WORKING_SIDE / longest)) for side in (width, height)]
        part = cv2.resize(part, sides, interpolation=cv2.INTER_AREA)
    spread = float(part.std())
    edges = float(cv2.Laplacian(part, cv2.CV_32F).var())
    return Look(
        grey=cast(NDArray[np.uint8], grey),
        contrast=spread,
        sharpness=edges / spread**2 if spread >= 0.5 else 0.0,
        colour=bool((channels.max(axis=2) - channels.min(axis=2)).max() >= _COLOUR),
    )
