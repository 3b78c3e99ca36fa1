"""What a block adds: its network's times less those of base, round by round.

In each round all networks are timed in turn, so what disturbs a round disturbs both.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass

import numpy as np
from scipy import stats

from agfer_bench.records.timing import ModeRecord

CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Marginal:
    """A difference of two latencies, with an interval."""

    estimate_ms: float
    """First less second, in milliseconds: mean over repeats of the median over rounds."""
    low_ms: float | None
    """Lower end of the 95 % interval; None for a single process, or where all repeats agree."""
    high_ms: float | None
    """Upper end of it."""
    repeats_ms: tuple[float, ...]
    """The median over rounds of each repeat."""


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


def marginal(own: ModeRecord, base: ModeRecord, *, fresh: bool = True) -> Marginal:
    """Return what one network takes longer than another, timed side by side.

    The interval is Student's t over the repeats. It covers what differs from process to process
    (memory layout, the choice of kernels, what else runs), not other days or machines. Rounds
    within a process share all that, so they are no replicates: their median is one value.

    Args:
        own: The network.
        base: The one that it is compared with, timed in the same rounds.
        fresh: Whether each repeat ran in a process of its own. Repeats that shared one tell
            nothing of others: there is no interval then.
    """
    repeats = tuple(
        float(np.median(np.subtract(mine.medians_ms, others.medians_ms)))
        for mine, others in zip(own.stream, base.stream, strict=True)
    )
    low, high = _interval(repeats) if fresh else (None, None)
    return Marginal(
        estimate_ms=statistics.mean(repeats), low_ms=low, high_ms=high, repeats_ms=repeats
    )


def _interval(values: tuple[float, ...]) -> tuple[float | None, float | None]:
    if len(values) < 2 or np.ptp(values) == 0:
        return None, None
    found = stats.ttest_1samp(values, 0).confidence_interval(CONFIDENCE)
    return float(found.low), float(found.high)
