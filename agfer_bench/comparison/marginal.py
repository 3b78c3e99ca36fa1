"""What a block adds: its network's times less those of base, round by round.

In each round all networks are timed in turn, so what disturbs a round disturbs both.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from agfer_bench.records.timing import ModeRecord

CONFIDENCE = 0.95
RESAMPLES = 2000


@dataclass(frozen=True, kw_only=True)
class Marginal:
    """A difference of two latencies, with an interval."""

    estimate_ms: float
    """First less second, in milliseconds: median over repeats of the median over rounds. One
    process that was disturbed throughout does not move it."""
    low_ms: float | None
    """Lower end of the 95 % interval; None for a single round, or where all rounds agree."""
    high_ms: float | None
    """Upper end of it."""
    repeats_ms: tuple[float, ...]
    """The same for each repeat: what differs from process to process is not in the interval."""


def ratio(own: ModeRecord, base: ModeRecord) -> float | None:
    """Median over all rounds of the ratio of the round's medians; None without common rounds."""
    ratios = [
        one / other
        for mine, others in zip(own.stream, base.stream, strict=False)
        for one, other in zip(mine.medians_ms, others.medians_ms, strict=False)
    ]
    return statistics.median(ratios) if ratios else None


def throughput_ratio(own: ModeRecord, base: ModeRecord) -> float | None:
    """Ratio of the best throughputs; None where one was not measured."""
    if own.best is None or base.best is None:
        return None
    return own.best.median / base.best.median


def marginal(own: ModeRecord, base: ModeRecord) -> Marginal:
    """Return what one network takes longer than another, timed side by side.

    The interval is SciPy's percentile bootstrap: rounds are drawn anew within each repeat. It
    covers what differs from round to round in these processes. It does not cover what differs
    between processes (memory layout, the choice of kernels), days or machines: see `repeats_ms`.
    """
    differences = [
        np.subtract(mine.medians_ms, others.medians_ms)
        for mine, others in zip(own.stream, base.stream, strict=True)
    ]
    repeats = tuple(float(np.median(repeat)) for repeat in differences)
    low, high = _interval(differences)
    return Marginal(
        estimate_ms=statistics.median(repeats), low_ms=low, high_ms=high, repeats_ms=repeats
    )


def _interval(differences: Sequence[NDArray[np.float64]]) -> tuple[float | None, float | None]:
    if min(map(len, differences)) < 2 or all(np.ptp(one) == 0 for one in differences):
        return None, None
    found = stats.bootstrap(
        differences,
        _median_of_medians,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        random_state=np.random.default_rng(0),
    ).confidence_interval
    return float(found.low), float(found.high)


def _median_of_medians(*samples: NDArray[np.float64], axis: int) -> Any:
    return np.median([np.median(sample, axis=axis) for sample in samples], axis=0)
