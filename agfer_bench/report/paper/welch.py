"""Means with their deviations, and Welch's interval of the difference of two of them."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from scipy import stats

CONFIDENCE = 0.95
NO_INTERVAL = "no interval"
"""Stands beside a difference where a deviation or a number of values is missing."""


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


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A 95 % interval of a difference of two means."""

    low: float
    """Lower end."""
    high: float
    """Upper end."""
    p: float
    """Two-sided p value of no difference."""

    @property
    def holds_zero(self) -> bool:
        """Whether no difference at all is in it."""
        return self.low <= 0 <= self.high

    def text(self, digits: int = 2) -> str:
        """Write both ends."""
        ends = f"{self.low:.{digits}f} to {self.high:.{digits}f}"
        return ends.replace("-", "\N{MINUS SIGN}")

    def p_text(self) -> str:
        """Write the p value."""
        return "< 0.001" if self.p < 0.001 else f"{self.p:.{2 if self.p >= 0.1 else 3}f}"


def welch(first: Spread, second: Spread) -> Interval | None:
    """Return Welch's 95 % interval of the first mean less the second, and its p value.

    Values are taken as independent on both sides, with variances of their own (Welch 1947,
    doi:10.1093/biomet/34.1-2.28; degrees of freedom by Satterthwaite).

    Returns:
        None where a deviation is missing, where a side has fewer than two values, or where both
        deviations are 0.

    >>> welch(Spread(mean=46.5, sd=1.39, n=5), Spread(mean=45.31, sd=5.0, n=5)).text(1)
    '−4.9 to 7.3'
    """
    if first.sd is None or second.sd is None or min(first.n, second.n) < 2:
        return None
    one, other = first.sd**2 / first.n, second.sd**2 / second.n
    if one + other == 0:
        return None
    freedom = (one + other) ** 2 / (one**2 / (first.n - 1) + other**2 / (second.n - 1))
    low, high = stats.t.interval(
        CONFIDENCE, freedom, loc=first.mean - second.mean, scale=sqrt(one + other)
    )
    p = stats.ttest_ind_from_stats(
        first.mean, first.sd, first.n, second.mean, second.sd, second.n, equal_var=False
    ).pvalue
    return Interval(low=float(low), high=float(high), p=float(p))
