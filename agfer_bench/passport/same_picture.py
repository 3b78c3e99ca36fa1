"""Whether two pictures are one: their pixels, laid over each other.

The second picture is shifted, stretched, made brighter and of more contrast until it lies on the
first as well as it can (Gauss and Newton's method on grey values: Lucas & Kanade 1981), and what is
left unlike is held against the picture's own contrast. A copy that was recompressed, rescaled,
mirrored, cropped or made brighter leaves a few per cent; another face in the same place leaves
much more.

Shapes in names: B pairs, S pixels a side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, maximum_filter, minimum_filter

from agfer_bench.passport.hashes import SIDE, WINDOWS, sampling

UNLIKE = 0.2
"""Pictures that are less unlike than this are one. It is the worst place that counts, a share of
what is to be seen there, since two photographs of one person may differ in the mouth alone: of
planted copies nearly all have less than 0.22, of neutral and smiling portraits of one person 5 %
have less than 0.27 (docs/passport.md)."""

_WHOLE_UNLIKE = 0.12
"""The same over the whole picture, as a share of its standard deviation."""

_COARSE_UNLIKE = 0.25
"""The same on a quarter of the pixels, where most pairs are turned away."""

_PLACE = 3.0
"""Size of a place: standard deviation in pixels of the Gaussian that weighs its surroundings."""

_LEAST_CONTRAST = 0.1
"""Part of the picture's variance that is added to each place's: a smooth cheek shows only noise."""

_BLUR = 0.7
"""Pictures are smoothed by so many pixels first, since they were sampled at different places."""
_BATCH = 256
_FAR, _LEAST, _MOST = 5.0, 0.88, 1.14
"""Farthest shift in pixels of a look, and bounds of the stretch."""
_LEAST_SHARE = 0.1
"""Least share of the picture that is not white."""


def unlike(
    first_BSS: NDArray[np.uint8], second_BSS: NDArray[np.uint8], variants_B: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Tell how unlike pairs of looks are once they lie on each other.

    Args:
        first_BSS: (B, 64, 64) looks.
        second_BSS: (B, 64, 64) looks to be laid on them.
        variants_B: (B,) variant of the second whose hash is nearest: where to begin
            (`Hashes.variants_VND`).

    Returns:
        (B,) 0 for equal pictures, `UNLIKE` or more for different ones; 1 where too little of them
        can be compared, or where they differ as a whole.
    """
    parts = [slice(at, at + _BATCH) for at in range(0, len(first_BSS), _BATCH)]
    found = [_of_batch(first_BSS[one], second_BSS[one], variants_B[one]) for one in parts]
    return np.concatenate(found) if found else np.zeros(0)


def _of_batch(
    first_BSS: NDArray[np.uint8], second_BSS: NDArray[np.uint8], variants_B: NDArray[np.int64]
) -> NDArray[np.float64]:
    start_B4 = np.asarray([(y, x, s, s) for y, x, s in WINDOWS], dtype=np.float32)[variants_B // 2]
    mirrored_B = variants_B % 2 == 1
    start_B4[mirrored_B, 1] *= -1
    second_BSS = np.where(mirrored_B[:, None, None], second_BSS[:, :, ::-1], second_BSS)
    half = np.asarray([0.5, 0.5, 1, 1], dtype=np.float32)
    first, second = _Picture.of(first_BSS), _Picture.of(second_BSS)
    coarse = _lay(first.halved(), second.halved(), start_B4 * half, steps=4)
    result = np.ones(len(first_BSS))
    close = np.flatnonzero(coarse.whole() <= _COARSE_UNLIKE)
    if len(close):
        first, second = first[close], second[close]
        fine = _lay(first, second, coarse.place_B4[close] / half, steps=3)
        # One way the part of a picture is enlarged to what a crop was before, and is smoother; the
        # other way the crop is made smaller, as it was when its look was taken.
        back = _lay(second, first, _inverse(fine.place_B4), steps=3)
        result[close] = np.minimum(fine.unlike(), back.unlike())
    return result


def _inverse(place_B4: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the place of the first picture on the second."""
    inverse: NDArray[np.float32] = np.concatenate(
        [-place_B4[:, :2] / place_B4[:, 2:], 1 / place_B4[:, 2:]], axis=1
    )
    return inverse


@dataclass(frozen=True, kw_only=True)
class _Laid:
    """Pictures that lie on others as well as they can."""

    place_B4: NDArray[np.float32]
    """Shift down and right in pixels, stretch down and right."""
    target_BSS: NDArray[np.float32]
    """What they lie on."""
    left_BSS: NDArray[np.float32]
    """What is left unlike, in grey values."""
    counted_BSS: NDArray[np.bool_]
    """Where both can be compared and neither is white."""
    inside_BSS: NDArray[np.bool_]
    """Where both can be compared."""
    gain_B: NDArray[np.float32]
    """Factor on their contrast."""

    def _comparable(self, spread_B: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Tell where something is to be seen; a negative of a picture is no copy of it."""
        share = self.counted_BSS.mean(axis=(1, 2))
        good: NDArray[np.bool_] = (share >= _LEAST_SHARE) & (spread_B >= 1)
        return good & (self.gain_B > 0.4) & (self.gain_B < 2.5)

    def _spread(self) -> NDArray[np.float32]:
        """Return the variance of the targets, (B,)."""
        count = np.maximum(self.counted_BSS.sum(axis=(1, 2)), 1)
        mean = (self.target_BSS * self.counted_BSS).sum(axis=(1, 2)) / count
        away = (self.target_BSS - mean[:, None, None]) * self.counted_BSS
        found: NDArray[np.float32] = (away**2).sum(axis=(1, 2)) / count
        return found

    def whole(self) -> NDArray[np.float64]:
        """Return how unlike they are as a whole, (B,)."""
        spread = self._spread()
        count = np.maximum(self.counted_BSS.sum(axis=(1, 2)), 1)
        left = ((self.left_BSS * self.counted_BSS) ** 2).sum(axis=(1, 2)) / count
        result = np.sqrt(left / np.maximum(spread, 1e-6)).astype(np.float64)
        return np.where(self._comparable(spread), result, 1.0)

    def unlike(self) -> NDArray[np.float64]:
        """Return how unlike they are, (B,); 1 where that is so as a whole."""
        return np.where(self.whole() <= _WHOLE_UNLIKE, self.worst_place(), 1.0)

    def worst_place(self) -> NDArray[np.float64]:
        """Return how unlike they are where they are most unlike, (B,)."""
        # The rim was sampled from half a neighbourhood on one side.
        counted = minimum_filter(self.inside_BSS, size=(1, 3, 3)).astype(np.float32)
        weight = _around(counted)
        safe = np.maximum(weight, 1e-3)
        mean = _around(self.target_BSS * counted) / safe
        seen = np.maximum(_around(self.target_BSS**2 * counted) / safe - mean**2, 0)
        left = _around(self.left_BSS**2 * counted) / safe
        share = left / (seen + _LEAST_CONTRAST * self._spread()[:, None, None])
        worst = np.where(weight > 0.5, share, 0).max(axis=(1, 2))
        found: NDArray[np.float64] = np.sqrt(worst).astype(np.float64)
        return found


def _around(values_BSS: NDArray[np.float32]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = gaussian_filter(values_BSS, (0, _PLACE, _PLACE), truncate=3)
    return found


@dataclass(frozen=True, kw_only=True)
class _Picture:
    """Looks, smoothed, and where they are white."""

    grey_BSS: NDArray[np.float32]
    """Grey values."""
    white_BSS: NDArray[np.float32]
    """1 where a brighter copy may have been cut at white, or a neighbour was; else 0. What was
    brighter in the other picture is as good as equal there, and no such place moves the fit."""

    @classmethod
    def of(cls, looks_BSS: NDArray[np.uint8]) -> _Picture:
        return cls(
            grey_BSS=(looks_BSS & 0xFE).astype(np.float32),
            white_BSS=(looks_BSS & 1).astype(np.float32),
        )

    def __getitem__(self, places: NDArray[np.int64]) -> _Picture:
        return _Picture(grey_BSS=self.grey_BSS[places], white_BSS=self.white_BSS[places])

    def halved(self) -> _Picture:
        """Return both at half the size."""
        lines = self.grey_BSS[:, ::2] + self.grey_BSS[:, 1::2]
        white = np.maximum(self.white_BSS[:, ::2], self.white_BSS[:, 1::2])
        return _Picture(
            grey_BSS=((lines[:, :, ::2] + lines[:, :, 1::2]) / 4).astype(np.float32, copy=False),
            white_BSS=np.maximum(white[:, :, ::2], white[:, :, 1::2]),
        )

    def smoothed(self) -> _Picture:
        """Return it as pictures are compared."""
        return _Picture(
            grey_BSS=gaussian_filter(self.grey_BSS, (0, _BLUR, _BLUR)),
            white_BSS=maximum_filter(self.white_BSS, size=(1, 3, 3)),
        )


def _lay(
    first: _Picture,
    second: _Picture,
    place_B4: NDArray[np.float32],
    *,
    steps: int,
) -> _Laid:
    """Lay pictures on each other.

    Args:
        first: Pictures.
        second: Pictures to be laid on them.
        place_B4: (B, 4) shift down and right in pixels, stretch down and right: where to begin.
        steps: Steps of the search.
    """
    first, second = first.smoothed(), second.smoothed()
    first_BSS, second_BSS = first.grey_BSS, second.grey_BSS
    side = first_BSS.shape[1]
    far = _FAR * side / SIDE
    from_centre = (np.arange(side) - (side - 1) / 2).astype(np.float32)
    white = first.white_BSS > 0
    for step in range(steps + 1):
        rows, inside_rows = sampling(place_B4[:, 0], place_B4[:, 2], side)
        columns, inside_columns = sampling(place_B4[:, 1], place_B4[:, 3], side)
        columns = columns.transpose(0, 2, 1)
        laid = rows @ second_BSS @ columns
        inside = inside_rows[:, :, None] & inside_columns[:, None, :]
        white_laid = rows @ second.white_BSS @ columns >= 0.5
        counted = inside & ~white & ~white_laid
        parts = [laid, np.ones_like(laid)]
        if step < steps:
            down, right = np.gradient(laid, axis=1), np.gradient(laid, axis=2)
            parts += [down, right, down * from_centre[:, None], right * from_centre]
        found, left = _fit(first_BSS, np.stack(parts, axis=1), counted)
        if step == steps:
            break
        gain = found[:, :1]
        gain = np.where(np.abs(gain) < 0.1, 0.1, gain)
        moves = [found[:, 2:4] / gain, found[:, 4:6] / gain]
        moves = [np.clip(moves[0], -2, 2), np.clip(moves[1], -0.05, 0.05)]
        place_B4 = place_B4 + np.concatenate(moves, axis=1).astype(np.float32)
        place_B4[:, :2] = place_B4[:, :2].clip(-far, far)
        place_B4[:, 2:] = place_B4[:, 2:].clip(_LEAST, _MOST)
    left = np.where(white, np.maximum(left, 0), left)
    left = np.where(white_laid, np.minimum(left, 0), left)
    return _Laid(
        place_B4=place_B4,
        target_BSS=first_BSS,
        left_BSS=left,
        counted_BSS=counted,
        inside_BSS=inside,
        gain_B=found[:, 0],
    )


def _fit(
    target_BSS: NDArray[np.float32],
    parts_BKSS: NDArray[np.float32],
    counted_BSS: NDArray[np.bool_],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fit a sum of parts to pictures by least squares; return weights (B, K) and what is left."""
    pairs, parts = parts_BKSS.shape[:2]
    flat = parts_BKSS.reshape(pairs, parts, -1)
    weighted = flat * counted_BSS.reshape(pairs, 1, -1)
    products = weighted @ flat.transpose(0, 2, 1)
    # A picture without any gradient has no place of its own: a trace of a ridge keeps it solvable.
    ridge = 1e-6 * (np.trace(products, axis1=1, axis2=2) + 1)
    products = products + ridge[:, None, None] * np.eye(parts, dtype=np.float32)
    found = np.linalg.solve(products, weighted @ target_BSS.reshape(pairs, -1, 1))[:, :, 0]
    left = target_BSS - (found[:, None, :] @ flat).reshape(target_BSS.shape)
    return found, left
