"""Welch's comparison of two means, from nothing but their summaries."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from agfer_bench.comparison.estimate import Estimate


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Mean and deviation of some values."""

    mean: float
    """Their mean."""
    sd: float | None
    """Their sample standard deviation; None for a single value."""
    n: int
    """How many they are."""


@dataclass(frozen=True, kw_only=True)
class WelchDifference(Estimate):
    """The difference of two means."""

    standard_error: float
    """Its standard error, above 0."""

    @property
    def error(self) -> float:
        """Standard error of the estimate."""
        return self.standard_error


def welch(first: Summary, second: Summary) -> WelchDifference | None:
    """Return the first mean less the second, with Welch's standard error and degrees of freedom.

    Values are taken as independent on both sides, with variances of their own (Welch 1947,
    doi:10.1093/biomet/34.1-2.28; degrees of freedom by Satterthwaite).

    Returns:
        None where a deviation is missing, where a side has fewer than two values, or where both
        deviations are 0.

    >>> found = welch(Summary(mean=46.5, sd=1.39, n=5), Summary(mean=45.31, sd=5.0, n=5))
    >>> [round(end, 1) for end in found.interval()]
    [-4.9, 7.3]
    """
    if first.sd is None or second.sd is None or min(first.n, second.n) < 2:
        return None
    one, other = first.sd**2 / first.n, second.sd**2 / second.n
    if one + other == 0:
        return None
    return WelchDifference(
        estimate=first.mean - second.mean,
        df=(one + other) ** 2 / (one**2 / (first.n - 1) + other**2 / (second.n - 1)),
        standard_error=sqrt(one + other),
    )
