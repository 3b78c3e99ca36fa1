"""Perceptual hashes: what of a picture survives recompressing, rescaling, mirroring and cropping.

A picture's *look* is a grey copy of 64 x 64 pixels. The lowest bit of each is no grey value: it
marks where a channel of the picture is white, and may have been cut in a brighter copy. Its hash
is the low frequencies of the look's discrete cosine transform (the idea of pHash: Zauner 2010,
"Implementation and benchmarking of perceptual image hash functions"), as numbers to be compared by
their correlation, or as 63 bits of their signs where an equal word is wanted. Mirroring a picture
turns the sign of the odd horizontal frequencies, so mirrored hashes cost nothing.

Own code, since the libraries for it bring Pillow and PyWavelets (imagehash) or torch (imagededup),
and neither has cropped variants or a check of pixels.

Shapes in names: N pictures, S = 64 pixels a side, D numbers of a hash, V variants.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct

SIDE = 64
"""Side of a look in pixels."""

_FREQUENCIES = 8
"""Frequencies a side that make the hash."""

FLAT = 2.0
"""A look whose grey values deviate by less than this (0..255) shows nothing that could be told."""

_NARROW, _NARROWER = 61, 58
"""Sides of the windows, in pixels of a look: 95 and 90 % of it."""

Window = tuple[float, float, float]
"""A square window of a look: shift of its centre down and right in pixels, and its scale."""


def _windows() -> tuple[Window, ...]:
    edge = (SIDE - _NARROW) / 2
    scale = _NARROW / SIDE
    corners = [(down, right, scale) for down in (-edge, edge) for right in (-edge, edge)]
    return ((0.0, 0.0, 1.0), *corners, (0.0, 0.0, scale), (0.0, 0.0, _NARROWER / SIDE))


WINDOWS = _windows()
"""Parts of a picture that another may be a copy of: all of it, and what a crop of 5 % leaves."""


def sampling(
    shift_B: NDArray[np.float32], scale_B: NDArray[np.float32], side: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return matrices that sample lines of pixels anew, with linear interpolation.

    Args:
        shift_B: (B,) shift of the centre in pixels.
        scale_B: (B,) pixels of the line for a pixel of the result.
        side: Pixels of the line, before and after.

    Returns:
        Weights (B, side, side), a row for each new pixel; and (B, side) whether it lies within the
        line.
    """
    centre = (side - 1) / 2
    steps = np.arange(side, dtype=np.float32)
    at_BS = centre + (steps - centre)[None] * scale_B[:, None] + shift_B[:, None]
    inside_BS = (at_BS >= 0) & (at_BS <= side - 1)
    weights = np.maximum(0, 1 - np.abs(at_BS[:, :, None] - steps), dtype=np.float32)
    return weights, inside_BS


@dataclass(frozen=True, kw_only=True)
class Hashes:
    """Hashes of some pictures, unit vectors; their product is the correlation of two pictures."""

    plain_ND: NDArray[np.float32]
    """(N, D) of each picture as it is."""
    variants_VND: NDArray[np.float32]
    """(V, N, D) of its windows, each as it is and mirrored: number 2 w + m."""
    flat_N: NDArray[np.bool_]
    """(N,) pictures that show nothing; their hashes are zero and match none."""


def hash_looks(looks_NSS: NDArray[np.uint8]) -> Hashes:
    """Hash looks and their variants.

    Args:
        looks_NSS: (N, 64, 64) grey values.
    """
    flat_N = looks_NSS.std(axis=(1, 2)) < FLAT
    variants_VND = np.zeros(
        (2 * len(WINDOWS), len(looks_NSS), _FREQUENCIES**2 - 1), dtype=np.float32
    )
    for at in range(0, len(looks_NSS), 2048):
        variants_VND[:, at : at + 2048] = _of_windows(looks_NSS[at : at + 2048])
    variants_VND[:, flat_N] = 0
    return Hashes(plain_ND=variants_VND[0], variants_VND=variants_VND, flat_N=flat_N)


def _of_windows(looks_NSS: NDArray[np.uint8]) -> NDArray[np.float32]:
    values, found = looks_NSS.astype(np.float32), []
    for down, right, scale in WINDOWS:
        coefficients = _low(values, down, right, scale)
        mirrored = coefficients.copy()
        mirrored[:, :, 1::2] *= -1
        found += [_unit(coefficients), _unit(mirrored)]
    return np.stack(found)


def _low(
    values_NSS: NDArray[np.float32], down: float = 0.0, right: float = 0.0, scale: float = 1.0
) -> NDArray[np.float32]:
    """Return the low frequencies (N, F, F) of a window of pictures."""
    rows, columns = _frequencies(down, scale), _frequencies(right, scale)
    return np.asarray(rows @ values_NSS @ columns.T, dtype=np.float32)


@cache
def _frequencies(shift: float, scale: float) -> NDArray[np.float32]:
    """Return what takes a line of a look to its window's low frequencies, (F, S)."""
    at, by = (np.full(1, value, dtype=np.float32) for value in (shift, scale))
    (window,), _ = sampling(at, by, SIDE)
    small = window.reshape(SIDE // 4, 4, SIDE).mean(axis=1)
    found: NDArray[np.float32] = np.asarray(dct(small, axis=0, norm="ortho"), dtype=np.float32)
    return found[:_FREQUENCIES]


def _unit(coefficients: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return unit vectors of all frequencies but the mean, which brightness moves."""
    flat = coefficients.reshape(-1, _FREQUENCIES**2)[:, 1:]
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    found: NDArray[np.float32] = (flat / np.maximum(length, 1e-6)).astype(np.float32)
    return found


def words(looks_NSS: NDArray[np.uint8]) -> list[bytes | None]:
    """Return each picture's hash as 8 bytes, the same for its mirrored copy.

    A bit is the sign of a frequency, so that brightness and contrast do not matter. None for a
    picture that shows nothing: all of those would look alike.
    """
    found: list[bytes | None] = []
    for at in range(0, len(looks_NSS), 2048):
        part = looks_NSS[at : at + 2048]
        low = _low(part.astype(np.float32))
        mirrored = low.copy()
        mirrored[:, :, 1::2] *= -1
        flat = part.reshape(-1, SIDE * SIDE).std(axis=1) < FLAT
        both = [_bits(low), _bits(mirrored)]
        found += [
            None if nothing else min(a.tobytes(), b.tobytes())
            for nothing, a, b in zip(flat, *both, strict=True)
        ]
    return found


def _bits(coefficients: NDArray[np.float32]) -> NDArray[np.uint8]:
    flat = coefficients.reshape(-1, _FREQUENCIES**2)[:, 1:]
    return np.packbits(flat > 0, axis=1)
