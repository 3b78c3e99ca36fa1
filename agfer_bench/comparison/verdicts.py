"""What is said of a pair: ahead, behind, equivalent, not distinguishable, or not judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from agfer_bench.comparison.estimate import ALPHA, Chances, Estimate

Verdict = Literal["ahead", "behind", "equivalent", "not distinguishable", "not judged"]
"""What is said of the first of a pair, held against the second."""

ROPE = 0.01
"""Half the default region of practical equivalence: one point."""
SURE = 0.95
"""Probability from which two of a pair count as equivalent."""


@dataclass(frozen=True, kw_only=True)
class JudgedPair:
    """A pair, judged; differences are the first's accuracy less the second's, 0..1."""

    first: str
    """Label of the first."""
    second: str
    """Label of the second."""
    estimate: float
    """The difference of the accuracies that tables show."""
    difference: Estimate | None
    """What is known of it; None where the pair is not judged."""
    why_not: str
    """Why it is not judged; empty where it is."""
    adjusted: float | None
    """The p value adjusted for all pairs that were judged together (Holm)."""
    pairs: int
    """How many these are."""
    rope: float
    """Half the region of practical equivalence."""
    population: str
    """What the difference speaks of, in words: `over new people and new trainings`."""

    @property
    def distinguishable(self) -> bool:
        """Whether the difference survives the correction at the 5 % level."""
        return self.adjusted is not None and self.adjusted <= ALPHA

    @property
    def chances(self) -> Chances | None:
        """Probabilities of worse, equivalent and better; None where nothing can be said."""
        return self.difference.chances(self.rope) if self.difference else None

    @property
    def verdict(self) -> Verdict:
        """What is said of the first."""
        if self.difference is None:
            return "not judged"
        chances = self.chances
        if chances is not None and chances.equivalent >= SURE:
            return "equivalent"
        if self.distinguishable:
            return "ahead" if self.estimate > 0 else "behind"
        return "not distinguishable"

    @property
    def level(self) -> float:
        """Share that the interval leaves out: adjusted, so that it excludes 0 where Holm does."""
        if self.difference is None or self.adjusted is None:
            return ALPHA
        p = self.difference.p
        return ALPHA * p / self.adjusted if p > 0 else ALPHA / self.pairs

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval, adjusted for all pairs that were judged together."""
        return self.difference.interval(self.level) if self.difference else None

    @property
    def detectable(self) -> float | None:
        """The true difference that would be found with a chance of 80 %, after correction."""
        return self.difference.detectable(ALPHA / self.pairs) if self.difference else None

    @property
    def sentence(self) -> str:
        """The verdict in plain words, in points."""
        return _sentence(self)

    def plain(self) -> dict[str, Any]:
        """Return what every pair is said to be, as plain values; differences are 0..1."""
        difference, chances, interval = self.difference, self.chances, self.interval
        return {
            "first": self.first,
            "second": self.second,
            "verdict": self.verdict,
            "difference": self.estimate,
            "low": interval[0] if interval else None,
            "high": interval[1] if interval else None,
            "p": difference.p if difference else None,
            "p_holm": self.adjusted,
            "pairs": self.pairs,
            "p_worse": chances.worse if chances else None,
            "p_equivalent": chances.equivalent if chances else None,
            "p_better": chances.better if chances else None,
            "rope": self.rope,
            "smallest_detectable": self.detectable,
        }


def _sentence(one: JudgedPair) -> str:
    points = f"{100 * abs(one.estimate):.1f} points"
    first, second, sign = one.first, one.second, 1
    if one.estimate < 0:
        first, second, sign = second, first, -1
    if one.verdict == "not judged":
        return f"{one.first} and {one.second} are not judged: {one.why_not}"
    difference = one.difference
    assert difference is not None, "it is judged"
    ends = ""
    if one.interval is not None:
        low, high = sorted(sign * 100 * end for end in one.interval)
        ends = f", 95 % interval {_signed(low)} to {_signed(high)}"
    adjusted = f", adjusted for {one.pairs} pairs" if one.pairs > 1 else ""
    evidence = f"{ends}, p {p_text(one.adjusted)}{adjusted}"
    if one.verdict in ("ahead", "behind"):
        return f"{first} is ahead of {second} by {points} {one.population}{evidence}"
    if one.verdict == "equivalent":
        chances = one.chances
        assert chances is not None, "else it is not equivalent"
        return (
            f"{one.first} and {one.second} are equivalent within {100 * one.rope:g} "
            f"{'point' if one.rope == ROPE else 'points'} {one.population} "
            f"(probability {100 * chances.equivalent:.0f} %): they differ by {points}{ends}"
        )
    return (
        f"{first} and {second} are not distinguishable {one.population}: a difference of {points} "
        f"in favour of {first}{evidence}"
        if float(f"{100 * one.estimate:.1f}")
        else f"{first} and {second} are not distinguishable {one.population}: they differ by "
        f"{points}{evidence}"
    )


def _signed(points: float) -> str:
    text = f"{abs(points):.1f}"
    return f"−{text}" if points < 0 and float(text) else text


def p_text(value: float | None) -> str:
    """Write a p value with its sign: `= 0.012`, `< 0.001`."""
    assert value is not None, "it is judged"
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"
