"""What is derived from the records: means and deviations over folds, sums, differences.

Shares are 0..1 here; per cent and points begin with `compare`.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agfer_bench.records.run import FoldRecord, ModuleRecord, RunRecord
from agfer_bench.report.paper.published import Value

NONE = "–"
"""Stands for a number that is not there."""


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Mean and deviation of some values."""

    mean: float
    """Their mean."""
    sd: float | None
    """Their sample standard deviation; None for a single value."""
    n: int
    """How many they are."""

    def text(self, digits: int = 2) -> str:
        """Write mean and deviation."""
        deviation = "" if self.sd is None else f" ± {self.sd:.{digits}f}"
        return f"{self.mean:.{digits}f}{deviation}".replace("-", "\N{MINUS SIGN}")


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
    """The folds of a module that was trained on all of them, else none.

    A mean over some folds does not compare with one over all.
    """
    return module.folds if len(module.folds) == record.protocol.folds else ()


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
    comparable: bool = True
    """Whether the published deviation is one over folds."""

    @property
    def difference(self) -> float | None:
        """Measured less published."""
        if self.measured is None or self.published is None:
            return None
        return self.measured.mean - self.published.mean

    @property
    def within(self) -> bool | None:
        """Whether the difference is no larger than the published deviation."""
        if self.difference is None or self.published is None or self.published.sd is None:
            return None
        # 1e-9: a difference of exactly the deviation must not fail by rounding.
        return abs(self.difference) <= self.published.sd + 1e-9 if self.comparable else None

    def cells(self, digits: int = 2) -> tuple[str, str, str, str]:
        """Measured, published, difference, whether within the published deviation."""
        measured = self.measured.text(digits) if self.measured else NONE
        mark = "" if self.comparable else " *"
        return (
            measured,
            value_text(self.published, digits) + (mark if self.published else ""),
            signed(self.difference, digits),
            _yes(self.within) if self.comparable or not self.published else "not comparable",
        )

    def data(self) -> dict[str, Any]:
        """The same as columns of a data file."""
        return {
            "mean": self.measured.mean if self.measured else None,
            "sd": self.measured.sd if self.measured else None,
            "n": self.measured.n if self.measured else 0,
            "published_mean": self.published.mean if self.published else None,
            "published_sd": self.published.sd if self.published else None,
            "difference": self.difference,
            "within_published_sd": self.within,
        }


COMPARED = ("Published", "Difference", "Within published SD")
"""Headings of the last three cells of a comparison."""


def value_text(value: Value | None, digits: int = 2) -> str:
    """Write a published value."""
    if value is None:
        return NONE
    return Spread(mean=value.mean, sd=value.sd, n=1).text(digits)


def signed(difference: float | None, digits: int = 2) -> str:
    """Write a difference with its sign."""
    if difference is None:
        return NONE
    text = f"{difference:+,.{digits}f}".replace("-", "\N{MINUS SIGN}")
    return text if text.strip("+0.\N{MINUS SIGN}") else text[1:]


def _yes(within: bool | None) -> str:
    return NONE if within is None else "yes" if within else "no"
