"""Crops that tell little: uniform, blurred, tiny, cut off.

Shapes in names: N crops.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UNIFORM = 3.0
"""Standard deviation of grey values (0..255) below which a crop shows nothing."""

BLURRED = 0.1
"""Share of the set's median sharpness below which a crop counts as blurred."""


@dataclass(frozen=True, kw_only=True)
class Measures:
    """What is known of each crop; arrays of length N."""

    contrast_N: NDArray[np.float64]
    """Standard deviation of grey values."""
    sharpness_N: NDArray[np.float64]
    """Variance of the Laplacian over that of the grey values."""
    boxes_N4: NDArray[np.int64]
    """(N, 4) left, top, width, height of the crop in pixels of the photograph."""
    sizes_N2: NDArray[np.int64]
    """(N, 2) width and height of the photographs in pixels."""


def faults(measures: Measures, *, side: int, detected: bool) -> dict[str, NDArray[np.int64]]:
    """Find crops that tell little.

    Args:
        measures: What is known of each crop.
        side: Side of the square that crops are scaled to, in pixels.
        detected: Whether crops were cut out of photographs: only those can be cut off.

    Returns:
        Indices by fault: `uniform` (grey values deviate by less than 3), `blurred` (less than a
        tenth of the set's median sharpness, and not uniform), `tiny` (a side below half of `side`:
        enlarged more than twice), `cut off` (the box touches the photograph's edge).
    """
    uniform = measures.contrast_N < UNIFORM
    sharp = measures.sharpness_N[~uniform]
    least = BLURRED * float(np.median(sharp)) if len(sharp) else 0.0
    left, top, width, height = measures.boxes_N4.T
    edge = (left <= 0) | (top <= 0)
    edge |= (left + width >= measures.sizes_N2[:, 0]) | (top + height >= measures.sizes_N2[:, 1])
    found = {
        "uniform": uniform,
        "blurred": ~uniform & (measures.sharpness_N < least),
        "tiny": 2 * np.minimum(width, height) < side,
        "cut off": edge & detected,
    }
    return {name: np.flatnonzero(mask) for name, mask in found.items()}
