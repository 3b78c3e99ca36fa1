"""Modules compared in pairs: differences of accuracy, each with what may be said of it.

Over subjects where they are known, else over folds. Several seeds are averaged first: within a
subject, or within a fold. All pairs that are shown together are adjusted together (Holm).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from agfer_bench.comparison.significance import (
    ALPHA,
    FEWEST_SUBJECTS,
    Verdict,
    holm,
    over_folds,
    over_images,
    pairs_over_subjects,
)
from agfer_bench.errors import UserError
from agfer_bench.records.run import FoldRecord, ModuleRecord, RunRecord

Test = Literal["auto", "subjects", "folds", "images"]
"""What a comparison is over; `auto`: subjects where they are known, else folds."""


@dataclass(frozen=True, kw_only=True)
class Entrant:
    """A module with the name that it goes by in a comparison."""

    label: str
    """Name, unique among those compared."""
    module: ModuleRecord
    """The numbers."""
    record: RunRecord
    """The run they are of."""


Pair = tuple[Entrant, Entrant]
"""Two modules to be compared."""


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """A pair of modules; differences are the first's accuracy less the second's, 0..1."""

    first: str
    """Label of the first."""
    second: str
    """Label of the second."""
    verdict: Verdict
    """The difference, its interval, its p value."""
    adjusted: float
    """The p value adjusted for all pairs that were compared together (Holm)."""
    pairs: int
    """How many these are."""

    @property
    def distinguishable(self) -> bool:
        """Whether the difference survives the correction at the 5 % level."""
        return self.adjusted <= ALPHA

    @property
    def sentence(self) -> str:
        """The difference in plain words, in points.

        It names the one that is ahead first.
        """
        return _sentence(self)


def contrasts(entrants: Sequence[Entrant], test: Test = "auto") -> tuple[Contrast, ...]:
    """Compare all pairs of modules that were trained on all folds.

    Args:
        entrants: Modules on one ground (`comparable.check_ranked`).
        test: What to compare over. `auto` decides once for all pairs.

    Returns:
        A contrast for each pair, in order; none for a pair with a module that lacks folds.

    Raises:
        UserError: The test cannot be made on these data; the message says why.
    """
    whole = [one for one in entrants if one.module.complete(one.record.protocol)]
    pairs = list(combinations(whole, 2))
    verdicts = _verdicts(pairs, test, whole) if pairs else []
    adjusted = holm([verdict.p for verdict in verdicts])
    return tuple(
        Contrast(
            first=one.label,
            second=other.label,
            verdict=verdict,
            adjusted=float(p),
            pairs=len(pairs),
        )
        for (one, other), verdict, p in zip(pairs, verdicts, adjusted, strict=True)
    )


def by_subject(entrants: Sequence[Entrant]) -> bool:
    """Tell whether `auto` compares over subjects: all are known, and enough of them."""
    shares = [subject_shares(one.module) for one in entrants]
    known = [one for one in shares if one is not None]
    return (
        len(known) == len(shares)
        and all(set(one) == set(known[0]) for one in known)
        and len(known[0]) >= FEWEST_SUBJECTS
    )


def why_folds(entrants: Sequence[Entrant]) -> list[str]:
    """Say which modules keep the others from being compared over subjects; none where none does."""
    unknown = [one.label for one in entrants if subject_shares(one.module) is None]
    if not unknown or len(entrants) - len(unknown) < 2:
        return []
    return [
        f"Over folds, since {', '.join(unknown)} {'does' if len(unknown) == 1 else 'do'} not tell "
        "who was recognised (an older record): without, the others compare over subjects."
    ]


def survivor(entrants: Sequence[Entrant], found: Sequence[Contrast]) -> str | None:
    """Return the label of the best module, if it is distinguishably ahead of every other one.

    None where the best is not distinguishable from some other, or where nothing was compared.
    """
    labels = {one.label for one in entrants if one.module.complete(one.record.protocol)}
    for label in labels:
        own = [one for one in found if label in (one.first, one.second)]
        ahead = [
            one.distinguishable and (one.verdict.estimate > 0) == (one.first == label)
            for one in own
        ]
        if len(own) == len(labels) - 1 and ahead and all(ahead):
            return label
    return None


def _verdicts(pairs: Sequence[Pair], test: Test, whole: Sequence[Entrant]) -> list[Verdict]:
    if test == "auto":
        test = "subjects" if by_subject(whole) else "folds"
    if test == "images":
        rights = {one.label: _rights(one) for one in whole}
        return [over_images(rights[one.label], rights[other.label]) for one, other in pairs]
    if test == "folds":
        return [_of_folds(one, other) for one, other in pairs]
    shares = {one.label: _shares(one) for one in whole}
    _check_subjects(shares)
    values_EN = {label: np.array([own[s] for s in sorted(own)]) for label, own in shares.items()}
    differences_PN = [values_EN[one.label] - values_EN[other.label] for one, other in pairs]
    # The mean over subjects times their number is the difference of the sums.
    return pairs_over_subjects(len(differences_PN[0]) * np.array(differences_PN))


def _of_folds(one: Entrant, other: Entrant) -> Verdict:
    differences = np.subtract(one.module.accuracies, other.module.accuracies)
    found = over_folds(differences, test_share(one.module.folds))
    assert found is not None, "a protocol has two folds or more"
    return found


def _check_subjects(shares: Mapping[str, Mapping[str, float]]) -> None:
    first, *others = shares.items()
    for label, own in others:
        if set(own) != set(first[1]):
            raise UserError(f"{first[0]} and {label} were judged on different subjects")
    if len(first[1]) < FEWEST_SUBJECTS:
        raise UserError(
            f"{len(first[1])} subjects are too few for a comparison over subjects (at least "
            f"{FEWEST_SUBJECTS}): compare over folds with --over folds"
        )


def _shares(one: Entrant) -> dict[str, float]:
    found = subject_shares(one.module)
    if found is None:
        raise UserError(
            f"{one.label}: the record does not say who was recognised (subjects not known, or an "
            "older record): compare over folds with --over folds"
        )
    return found


def _rights(one: Entrant) -> list[bool]:
    """Return for each subject whether its one image was recognised."""
    _shares(one)
    right = recognised(one.module) or {}
    images = sum(fold.validation_images for fold in one.module.folds)
    if images != len(right) or len(one.module.seeds) > 1:
        raise UserError(
            "McNemar's test is for one image of each subject and one seed alone, with more it "
            "finds differences that are not there: compare --over subjects or --over folds"
        )
    return [bool(right[subject].sum()) for subject in sorted(right)]


def subject_shares(module: ModuleRecord) -> dict[str, float] | None:
    """Return each subject's share of the accuracy.

    An image counts 1 / (trainings x classes of its fold x images of its class in the fold), so that
    all shares add up to the accuracy in tables: the mean over folds, seeds averaged.

    Returns:
        By the subject's number; None where the record does not tell.
    """
    shares: dict[str, float] = {}
    for fold in module.trainings:
        if fold.recognised is None:
            return None
        images_M = np.sum(fold.confusion, axis=1)
        weights_M = np.divide(1.0, images_M, out=np.zeros(len(images_M)), where=images_M > 0)
        weights_M /= np.count_nonzero(images_M) * len(module.trainings)
        for subject, right_M in fold.recognised.items():
            shares[subject] = shares.get(subject, 0.0) + float(right_M @ weights_M)
    return shares


def recognised(module: ModuleRecord) -> dict[str, NDArray[np.float64]] | None:
    """Return the recognised images of each subject, per class, averaged over seeds."""
    sums: dict[str, NDArray[np.float64]] = {}
    for fold in module.trainings:
        if fold.recognised is None:
            return None
        for subject, counts in fold.recognised.items():
            sums[subject] = sums.get(subject, 0.0) + np.asarray(counts, dtype=np.float64)
    return {subject: total / len(module.seeds) for subject, total in sums.items()}


def test_share(folds: Sequence[FoldRecord]) -> float:
    """Return the share of images in a validation fold: n_test / n."""
    shares = [f.validation_images / (f.validation_images + f.train_images) for f in folds]
    return float(np.mean(shares))


def _sentence(one: Contrast) -> str:
    verdict = one.verdict
    first, second = one.first, one.second
    sign = 1
    if verdict.estimate < 0:
        first, second, sign = second, first, -1
    points = f"{100 * abs(verdict.estimate):.1f} points"
    if float(f"{100 * verdict.estimate:.1f}") == 0:
        text = f"{first} and {second} differ by {points}"
    else:
        text = f"{first} is ahead of {second} by {points}"
    ends = [end for end in (verdict.low, verdict.high) if end is not None]
    if ends and all(np.isfinite(ends)):
        low, high = sorted(sign * 100 * end for end in ends)
        text += f", 95 % interval {_signed(low)} to {_signed(high)}"
    text += f", p {_p(verdict.p)}"
    if one.pairs > 1:
        adjusted = _p(one.adjusted).removeprefix("= ")
        text += f" ({adjusted} with Holm's correction for {one.pairs} pairs)"
    return f"{text}: {'distinguishable' if one.distinguishable else 'not distinguishable'}"


def _signed(points: float) -> str:
    text = f"{abs(points):.1f}"
    return f"−{text}" if points < 0 and float(text) else text


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"
