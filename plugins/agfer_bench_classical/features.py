"""Histograms of oriented gradients.

Dalal & Triggs (2005), doi:10.1109/CVPR.2005.177, section 6; computed by scikit-image: orientations
without sign, blocks of 2 x 2 cells, each normalised by L2-Hys.

Departs from it: gradients are of the grey image, not of the strongest colour channel, and a pixel
counts for one cell and one orientation alone.

Shapes in names: N images, H height, W width, C channels (red, green, blue), D features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agfer_bench import UserError

_BLOCK = 2
"""Cells along a side of a block."""


@dataclass(frozen=True, kw_only=True)
class Gradients:
    """Turns crops into histograms of their gradients' orientations."""

    owner: str
    """Name of the classifier, for messages."""
    orientations: int
    """Bins over half a turn."""
    cells: int
    """Cells along a side of the crop; pixels that are too few for one more cell are left out."""

    def __post_init__(self) -> None:
        for name, least in (("orientations", 1), ("cells", _BLOCK)):
            if (value := getattr(self, name)) < least:
                raise UserError(f"{self.owner}:{name} must be at least {least}, not {value}")

    def __call__(self, pixels_NHWC: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return (N, D) features; D = (cells - 1)² · 4 · orientations.

        Raises:
            UserError: The crops have fewer pixels along a side than cells.
        """
        # Not above: listings load this plugin and need none of it.
        from skimage.color import rgb2gray
        from skimage.feature import hog

        side = pixels_NHWC.shape[1]
        cell = side // self.cells
        if cell == 0:
            raise UserError(f"{self.owner}:cells={self.cells}: crops have {side} pixels a side")
        # A side that is no multiple of the cells would have room for more of them.
        kept, start = cell * self.cells, (side - cell * self.cells) // 2
        whole = slice(start, start + kept)
        features_ND = np.empty((len(pixels_NHWC), self.width), dtype=np.float32)
        for features, pixels_HWC in zip(features_ND, pixels_NHWC, strict=True):
            features[:] = hog(
                rgb2gray(pixels_HWC[whole, whole]),
                orientations=self.orientations,
                pixels_per_cell=(cell, cell),
                cells_per_block=(_BLOCK, _BLOCK),
                block_norm="L2-Hys",
            )
        return features_ND

    @property
    def width(self) -> int:
        """Features D of one image."""
        return (self.cells - _BLOCK + 1) ** 2 * _BLOCK**2 * self.orientations
