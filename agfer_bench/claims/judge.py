"""What published summaries can carry: a verdict on each pair of rows of a claim."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Final, Literal

from agfer_bench.claims.model import Claim, Design, Row
from agfer_bench.comparison.estimate import ALPHA, Estimate, holm
from agfer_bench.comparison.verdicts import ROPE, JudgedPair, Verdict
from agfer_bench.comparison.welch import Summary, welch

NO_TEST: Final = "carries no test"
"""Said of a pair whose ± is none, or no deviation over the values behind the means."""

_LEAST = 1e-6
"""Points of a ± below which it is 0."""

Finding = Verdict | Literal["carries no test"]
"""What is said of the first of a pair of rows, held against the second."""

_NO_TEST = {
    "average of sds": "± is an average of standard deviations, and no deviation over the values "
    "behind the mean",
    "something else": "± is no deviation over the values behind the mean",
    "not stated": "the source does not say what ± is",
    "none": "the source prints no ±",
}
"""Why a ± carries no test, by what it is."""


@dataclass(frozen=True, kw_only=True)
class RowPair(JudgedPair):
    """Two rows of a claim, held against each other."""

    group: str | None
    """What both have in common."""
    no_test: bool
    """Whether the printed summaries are of a kind from which no test follows."""

    @property
    def finding(self) -> Finding:
        """What is said of the first."""
        return NO_TEST if self.no_test else self.verdict

    @property
    def statement(self) -> str:
        """The same in plain words, in points."""
        where = f"{self.group}: " if self.group else ""
        if self.no_test:
            return f"{where}{self.first} and {self.second}: {NO_TEST}, since {self.why_not}"
        return where + self.sentence

    @property
    def detectable_alone(self) -> float | None:
        """The true difference that would be found with a chance of 80 %, by this test alone."""
        return self.difference.detectable(ALPHA) if self.difference else None


@dataclass(frozen=True, kw_only=True)
class JudgedClaim:
    """A claim with what its numbers can carry."""

    name: str
    """Name of the claim."""
    claim: Claim
    """The printed numbers."""
    rope: float
    """Half the region of practical equivalence, 0..1."""
    pairs: tuple[RowPair, ...]
    """Every pair that is compared."""

    @property
    def judged(self) -> tuple[RowPair, ...]:
        """The pairs of which something is said."""
        return tuple(pair for pair in self.pairs if pair.difference is not None)


@dataclass(frozen=True, kw_only=True)
class _Reason:
    """Why a row is not judged."""

    text: str
    no_test: bool = False


def judge(name: str, claim: Claim, rope: float = ROPE) -> JudgedClaim:
    """Judge the pairs of a claim by Welch's t test, corrected together (Holm).

    The values behind two means are taken as independent, with variances of their own.

    Args:
        name: Name of the claim.
        claim: The printed numbers.
        rope: Half the region of practical equivalence, 0..1.
    """
    found = [_compared(claim, one, other) for one, other in claim.pairs]
    differences = [result for result in found if isinstance(result, Estimate)]
    adjusted = iter(holm([one.p for one in differences]))
    pairs = []
    for (one, other), result in zip(claim.pairs, found, strict=True):
        judged = isinstance(result, Estimate)
        across = one.group != other.group
        pairs.append(
            RowPair(
                group=one.name if across else one.group,
                first=str(one.group) if across else one.name,
                second=str(other.group) if across else other.name,
                estimate=(one.mean - other.mean) / 100,
                difference=result if isinstance(result, Estimate) else None,
                why_not="" if isinstance(result, Estimate) else result.text,
                no_test=not isinstance(result, Estimate) and result.no_test,
                adjusted=float(next(adjusted)) if judged else None,
                pairs=len(differences),
                rope=rope,
                population=population_of(claim.design),
            )
        )
    return JudgedClaim(name=name, claim=claim, rope=rope, pairs=tuple(pairs))


def population_of(design: Design) -> str:
    """Say what a difference speaks of."""
    if design.split == "test set":
        return "over new trainings, judged on these images"
    return {
        "folds": "over new folds drawn alike and trained anew",
        "trainings": "over new trainings on these images",
        "folds and trainings": "over new folds drawn alike and trained anew",
        "not stated": "over new values of the same kind",
    }[design.replicates]


def _compared(claim: Claim, one: Row, other: Row) -> Estimate | _Reason:
    if not claim.design.same_design:
        return _Reason(
            text="the rows come from designs of their own: other folds, crops or images",
            no_test=True,
        )
    first, second = _summary(claim, one), _summary(claim, other)
    reasons = [each for each in (first, second) if isinstance(each, _Reason)]
    if reasons:
        return max(reasons, key=lambda reason: reason.no_test)
    assert isinstance(first, Summary)
    assert isinstance(second, Summary)
    difference = welch(first, second)
    assert difference is not None, "both have a deviation above 0 and two values or more"
    if difference.constant:
        return _Reason(text=f"the ± of {one.name} and {other.name} is 0, but for rounding")
    return difference


def _summary(claim: Claim, row: Row) -> Summary | _Reason:
    """Return mean and deviation as shares, 0..1; or why there is none to test with."""
    kind = "none" if row.plus_minus is None else claim.kind_of(row)
    n = row.n or claim.design.n
    if row.plus_minus is None or kind not in ("sd", "standard error"):
        return _Reason(text=_NO_TEST[kind], no_test=True)
    if n is None:
        return _Reason(text=f"the source does not say how many values stand behind {row.name}")
    if n < 2:
        return _Reason(text=f"{row.name} is a single value: nothing tells how far others would lie")
    if row.plus_minus < _LEAST:
        return _Reason(text=f"the ± of {row.name} is 0: nothing tells how sure its mean is")
    sd = row.plus_minus * (sqrt(n) if kind == "standard error" else 1)
    return Summary(mean=row.mean / 100, sd=sd / 100, n=n)
