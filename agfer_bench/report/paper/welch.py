"""Means with their deviations, and Welch's interval of their difference, as texts."""

from __future__ import annotations

from dataclasses import dataclass

from agfer_bench.comparison.welch import Summary
from agfer_bench.comparison.welch import welch as difference

NO_INTERVAL = "no interval"
"""Stands beside a difference where a deviation or a number of values is missing."""


class Spread(Summary):
    """Mean and deviation of some values, as texts."""

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

    Returns:
        None where there is none (`comparison.welch`).

    >>> welch(Spread(mean=46.5, sd=1.39, n=5), Spread(mean=45.31, sd=5.0, n=5)).text(1)
    '−4.9 to 7.3'
    """
    found = difference(first, second)
    ends = found.interval() if found else None
    return Interval(low=ends[0], high=ends[1], p=found.p) if found and ends else None
