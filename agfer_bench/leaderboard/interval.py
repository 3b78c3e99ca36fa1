"""How sure an accuracy is: a 95 % interval, over subjects where they are known, else over folds.

Neither knows how far the accuracy would move with other initial weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from agfer_bench.comparison.contrasts import subject_shares, test_share
from agfer_bench.comparison.significance import ALPHA, FEWEST_SUBJECTS, is_constant, over_folds
from agfer_bench.records.run import ModuleRecord


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A 95 % interval of an accuracy."""

    low: float
    """Lower end, 0..1."""
    high: float
    """Upper end, 0..1."""
    over: Literal["subjects", "folds"]
    """What it is over: Student's t over subjects, or the corrected one over folds."""
    units: int
    """Number of these."""


def interval_of(module: ModuleRecord) -> Interval | None:
    """Return the interval of a module's accuracy; None where it cannot be told."""
    shares = subject_shares(module)
    if shares is not None and len(shares) >= FEWEST_SUBJECTS:
        return _over_subjects(np.array(list(shares.values())))
    return _over_folds(module)


def _over_subjects(shares_N: NDArray[np.float64]) -> Interval | None:
    """Return the interval of the shares' sum: N times their mean."""
    count = len(shares_N)
    values_N = count * shares_N
    if is_constant(values_N):  # say, of a network that gives every image the same class
        return None
    error = float(stats.sem(values_N))
    half = float(stats.t.ppf(1 - ALPHA / 2, count - 1)) * error
    return _clipped(float(values_N.mean()), half, over="subjects", units=count)


def _over_folds(module: ModuleRecord) -> Interval | None:
    values = module.accuracies
    if len(values) < 2 or not all(map(math.isfinite, values)):
        return None
    found = over_folds(values, test_share(module.folds))
    if found is None or found.low is None or found.high is None:
        return None
    half = (found.high - found.low) / 2
    return _clipped(found.estimate, half, over="folds", units=len(values))


def _clipped(
    mean: float, half: float, *, over: Literal["subjects", "folds"], units: int
) -> Interval:
    return Interval(low=max(0.0, mean - half), high=min(1.0, mean + half), over=over, units=units)
