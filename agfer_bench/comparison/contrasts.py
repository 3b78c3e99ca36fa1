"""Modules compared in pairs: differences of accuracy, each with what may be said of it.

Over subjects where they are known, else over folds; in both cases over trainings too. The pairs
that were asked for are adjusted together (Holm), and so are their intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from agfer_bench.comparison.inference import (
    FEWEST_SUBJECTS,
    FEWEST_TRAININGS,
    Difference,
    Unit,
    holm,
    over_folds,
    over_subjects,
)
from agfer_bench.comparison.outcomes import (
    Entrant,
    On,
    accuracies,
    control_of,
    shares_of_all,
    stuck_folds,
    subjects_of,
    test_share,
)
from agfer_bench.comparison.verdicts import ROPE as ROPE
from agfer_bench.comparison.verdicts import SURE as SURE
from agfer_bench.comparison.verdicts import JudgedPair
from agfer_bench.comparison.verdicts import Verdict as Verdict
from agfer_bench.errors import UserError
from agfer_bench.records.run import BASE

Over = Literal["auto", "subjects", "folds"]
"""What a comparison is over; `auto`: subjects where they are known, else folds."""

Against = Literal["base", "all"]
"""Which pairs: every network with base, or all with all."""

_NONE = 1e-9
"""Differences that are none, but for rounding."""

Pair = tuple[Entrant, Entrant]
"""Two modules to be compared."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of a comparison."""

    against: Against = "base"
    """Which pairs."""
    over: Over = "auto"
    """What, beside trainings, differences are judged over."""
    on: On = "validation"
    """On which images."""
    rope: float = ROPE
    """Half the region of practical equivalence, 0..1."""


@dataclass(frozen=True, kw_only=True)
class Contrast(JudgedPair):
    """A pair of modules, judged by the trainings in their records."""

    difference: Difference | None
    """What is known of the difference; None where the pair is not judged."""


def contrasts(entrants: Sequence[Entrant], question: Question) -> tuple[Contrast, ...]:
    """Compare pairs of modules that were trained on all folds.

    Args:
        entrants: Modules on one ground (`comparable.check_ranked`).
        question: Which pairs, over what, on which images.

    Returns:
        A contrast for each pair, in order; none for a pair with a module that lacks folds.

    Raises:
        UserError: The comparison cannot be made on these data; the message says why.
    """
    return of_pairs(pairs_of(entrants, question.against), question)


def of_pairs(pairs: Sequence[Pair], question: Question) -> tuple[Contrast, ...]:
    """Compare these pairs, as `contrasts`."""
    whole = list({one.label: one for pair in pairs for one in pair}.values())
    if not whole:
        return ()
    unit, subjects = _unit(whole, question)
    reasons = {one.label: why_not_judged(one) for one in whole}
    means = {one.label: float(np.mean(accuracies(one, question.on))) for one in whole}
    values = {one.label: _values(one, unit, subjects or [], question.on) for one in whole}
    unjudged = _why_none(unit, subjects, question)
    found: list[tuple[Pair, Difference | None, str]] = []
    for one, other in pairs:
        why = unjudged or reasons[one.label] or reasons[other.label]
        both = values[one.label], values[other.label]
        difference = None if why else _difference((one, other), both, unit)
        if difference is not None and difference.constant and abs(difference.estimate) > _NONE:
            why = (
                f"{one.label} and {other.label} differ by the same in every fold and training, so "
                "that nothing tells how sure that is"
            )
            difference = None
        found.append(((one, other), difference, why))
    judged = [difference for _, difference, _ in found if difference is not None]
    adjusted = iter(holm([difference.p for difference in judged]))
    population = _population(unit, question.on, whole[0])
    return tuple(
        Contrast(
            first=one.label,
            second=other.label,
            estimate=means[one.label] - means[other.label],
            difference=difference,
            why_not=why,
            adjusted=float(next(adjusted)) if difference is not None else None,
            pairs=len(judged),
            rope=question.rope,
            population=population,
        )
        for (one, other), difference, why in found
    )


def accuracy_of(one: Entrant, question: Question) -> Difference | None:
    """Judge one module's accuracy alone, over new people and new trainings; None if it cannot be.

    Raises:
        UserError: As `contrasts`.
    """
    unit, subjects = _unit([one], question)
    if why_not_judged(one) or _why_none(unit, subjects, question):
        return None
    values = _values(one, unit, subjects or [], question.on)
    if unit == "subjects":
        return over_subjects([values])
    return over_folds([values], test_share(one.module.folds))


def between_protocols(one: Entrant, other: Entrant) -> Difference | None:
    """Judge two modules of different protocols on the same people, say of image and subject folds.

    Returns:
        None where subjects are not known, fewer than six or not the same, or where some fold was
        trained once.
    """
    subjects = subjects_of(one, "validation")
    if subjects is None or subjects != subjects_of(other, "validation"):
        return None
    if len(subjects) < FEWEST_SUBJECTS or why_not_judged(one) or why_not_judged(other):
        return None
    kept = [each.record.data.images_kept for each in (one, other)]  # numbers tell who is who
    if kept[0] != kept[1] or len(one.module.folds) != len(other.module.folds):
        return None
    first, second = (_values(each, "subjects", subjects, "validation") for each in (one, other))
    return _difference((one, other), (first, second), "subjects")


def pairs_of(entrants: Sequence[Entrant], against: Against) -> list[Pair]:
    """Return the pairs that are compared: with base, or where there is none, all with all.

    Against base, classifiers of their own and controls are left out: they are no blocks that
    anybody asks about.
    """
    whole = [one for one in entrants if one.complete]
    bases = [one for one in whole if one.module.label == BASE]
    if against == "all" or not bases:
        return list(combinations(whole, 2))
    return [
        (one, next((base for base in bases if base.record is one.record), bases[0]))
        for one in whole
        if one not in bases and one.module.kind != "classifier" and not control_of(one.module)
    ]


def why_not_judged(one: Entrant) -> str:
    """Say why nothing is said of a module; empty where something is."""
    if len(one.trainings) < FEWEST_TRAININGS:
        return f"{one.label} was trained once on each fold"
    stuck = [] if one.placebo else stuck_folds(one)
    if stuck:
        return f"{one.label} predicts a single class in fold {', '.join(map(str, stuck))}"
    return ""


def why_folds(entrants: Sequence[Entrant], on: On = "validation") -> list[str]:
    """Say why others are compared over folds; none where nothing keeps them from subjects."""
    known = {one.label: subjects_of(one, on) for one in entrants}
    unknown = [label for label, subjects in known.items() if subjects is None]
    if unknown and len(unknown) < len(entrants):
        return [
            f"Over folds, since {', '.join(unknown)} {'does' if len(unknown) == 1 else 'do'} not "
            "tell who was recognised (an older record): without, the others compare over subjects."
        ]
    fewest = min((len(subjects) for subjects in known.values() if subjects), default=None)
    if not unknown and fewest is not None and fewest < FEWEST_SUBJECTS:
        return [f"Over folds, since {fewest} subjects are too few (at least {FEWEST_SUBJECTS})."]
    return []


def ranks(found: Sequence[Contrast], labels: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Return the best and the worst rank that each module can have, from 1.

    Args:
        found: All pairs of the modules.
        labels: The modules that were judged.
    """
    ahead, behind = dict.fromkeys(labels, 0), dict.fromkeys(labels, 0)
    for one in found:
        if one.verdict in ("ahead", "behind"):
            better, worse = one.first, one.second
            if one.verdict == "behind":
                better, worse = worse, better
            behind[better] += 1
            ahead[worse] += 1
    return {label: (1 + ahead[label], len(labels) - behind[label]) for label in labels}


def _unit(whole: Sequence[Entrant], question: Question) -> tuple[Unit, list[str] | None]:
    """Decide what is compared over, once for all pairs."""
    known = [subjects_of(one, question.on) for one in whole]
    subjects = known[0]
    if question.over == "folds":
        return "folds", None
    if question.over == "auto":
        usable = subjects is not None and all(one == subjects for one in known)
        if usable and len(subjects or ()) >= FEWEST_SUBJECTS:
            return "subjects", subjects
        return "folds", None
    for one, own in zip(whole, known, strict=True):
        if own is None:
            raise UserError(
                f"{one.label}: the record does not say who was recognised (subjects not known, or "
                "an older record): compare over folds with --over folds"
            )
        if own != subjects:
            raise UserError(f"{whole[0].label} and {one.label} were judged on different subjects")
    if len(subjects or ()) < FEWEST_SUBJECTS:
        raise UserError(
            f"{len(subjects or ())} subjects are too few for a comparison over subjects (at least "
            f"{FEWEST_SUBJECTS}): compare over folds with --over folds"
        )
    return "subjects", subjects


def _why_none(unit: Unit, subjects: list[str] | None, question: Question) -> str:
    if question.on == "test" and (unit == "folds" or subjects is None):
        return (
            "all networks are tested on the same images, and the record does not tell enough "
            "subjects of them"
        )
    return ""


def _values(one: Entrant, unit: Unit, subjects: Sequence[str], on: On) -> NDArray[np.float64]:
    """Return what is compared of a module: (K, S, N) shares of subjects, or (K, S) accuracies."""
    return shares_of_all(one, on, subjects) if unit == "subjects" else accuracies(one, on)


def _difference(
    pair: Pair, values: tuple[NDArray[np.float64], NDArray[np.float64]], unit: Unit
) -> Difference:
    """Judge a pair by its values (`_values`)."""
    one, other = pair
    first, second = values
    # Folds that divide the images otherwise have no partner: their trainings count apart.
    same_folds = np.array_equal(np.isnan(first[:, 0]), np.isnan(second[:, 0]))
    parts = [first - second] if same_folds and one.pairs_with(other) else [first, -second]
    if unit == "subjects":
        return over_subjects(parts)
    return over_folds(parts, test_share(one.module.folds))


def _population(unit: Unit, on: On, one: Entrant) -> str:
    if on == "test":
        assert one.record.test is not None, "the command refuses it else"
        return f"over new people of {one.record.test.name} and new trainings"
    if unit == "folds":
        return "over new samples of such images and new trainings"
    if one.record.protocol.split == "image":
        return "over people who are in the training images too, and new trainings"
    return "over new people and new trainings"
