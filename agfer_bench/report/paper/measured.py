"""What is derived from the records: means and deviations over folds, sums, differences.

Shares are 0..1 here; per cent and points begin with `compare`.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agfer_bench.records.run import FoldRecord, ModuleRecord, RunRecord
from agfer_bench.report.paper.published import Value
from agfer_bench.report.paper.welch import NO_INTERVAL, Interval, Spread, welch

NONE = "–"
"""Stands for a number that is not there."""


def spread(values: Iterable[float], factor: float = 1) -> Spread | None:
    """Mean and sample standard deviation of finite values times a factor; None for no value.

    >>> spread([0.1, 0.2, 0.3], 10).text()
    '2.00 ± 1.00'
    """
    kept = [factor * float(value) for value in values if np.isfinite(value)]
    if not kept:
        return None
    sd = statistics.stdev(kept) if len(kept) > 1 else None
    return Spread(mean=statistics.mean(kept), sd=sd, n=len(kept))


def complete_folds(module: ModuleRecord, record: RunRecord) -> tuple[FoldRecord, ...]:
    """Every training of a module that has them all: each fold, with each seed; else none.

    A mean over some folds does not compare with one over all.
    """
    return module.trainings if module.complete(record.protocol) else ()


def over_folds(
    module: ModuleRecord, record: RunRecord, read: Callable[[FoldRecord], float], factor: float = 1
) -> Spread | None:
    """Mean and deviation over folds of a number times a factor; None where a training is missing.

    With several seeds the number is averaged over the seeds of each fold first.
    """
    values = module.over_folds(read) if module.complete(record.protocol) else ()
    return spread(values, factor)


def find_module(record: RunRecord, label: str) -> ModuleRecord | None:
    """The module of a label."""
    return next((module for module in record.modules if module.label == label), None)


def summed(confusions: Iterable[Sequence[Sequence[int]]]) -> NDArray[np.int64] | None:
    """Add confusion matrices up; None for none."""
    matrices = [np.asarray(confusion, dtype=np.int64) for confusion in confusions]
    return sum(matrices[1:], start=matrices[0]) if matrices else None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A measured number beside the published one, both in the unit of the table."""

    measured: Spread | None
    """What was measured."""
    published: Value | None
    """What was published."""
    folds: int | None = None
    """Folds that the published mean and deviation are over; None where it is no mean over folds."""
    marked: bool = False
    """Whether `*` leads to a note about the published deviation."""

    @property
    def difference(self) -> float | None:
        """Measured less published."""
        if self.measured is None or self.published is None:
            return None
        return self.measured.mean - self.published.mean

    @property
    def interval(self) -> Interval | None:
        """Welch's interval of the difference; None where a deviation or a number is missing."""
        if self.measured is None or self.published is None or self.folds is None:
            return None
        return welch(self.measured, self.published.over(self.folds))

    def interval_text(self, digits: int = 2) -> str:
        """Write the interval, or that there is none for a difference."""
        if self.difference is None:
            return NONE
        return self.interval.text(digits) if self.interval else NO_INTERVAL

    def cells(self, digits: int = 2) -> tuple[str, str, str, str]:
        """Measured, published, difference, its interval."""
        return (
            self.measured.text(digits) if self.measured else NONE,
            value_text(self.published, digits) + (" *" if self.marked and self.published else ""),
            signed(self.difference, digits),
            self.interval_text(digits),
        )

    def data(self) -> dict[str, Any]:
        """The same as columns of a data file."""
        return {
            "mean": self.measured.mean if self.measured else None,
            "sd": self.measured.sd if self.measured else None,
            "n": self.measured.n if self.measured else 0,
            "published_mean": self.published.mean if self.published else None,
            "published_sd": self.published.sd if self.published else None,
            "published_n": self.folds if self.published else None,
            "difference": self.difference,
            "difference_low": self.interval.low if self.interval else None,
            "difference_high": self.interval.high if self.interval else None,
        }


COMPARED = ("Published", "Difference", "95 % interval")
"""Headings of the last three cells of a comparison."""


def value_text(value: Value | None, digits: int = 2) -> str:
    """Write a published value."""
    if value is None:
        return NONE
    return value.over(1).text(digits)


def signed(difference: float | None, digits: int = 2) -> str:
    """Write a difference with its sign."""
    if difference is None:
        return NONE
    text = f"{difference:+,.{digits}f}".replace("-", "\N{MINUS SIGN}")
    return text if text.strip("+0.\N{MINUS SIGN}") else text[1:]
