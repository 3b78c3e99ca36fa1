"""Modules compared in pairs: differences of accuracy, each with what may be said of it.

Over subjects where they are known, else over folds; in both cases over trainings too. The pairs
that were asked for are adjusted together (Holm), and so are their intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from agfer_bench.comparison.design import ROPE as ROPE
from agfer_bench.comparison.design import Against as Against
from agfer_bench.comparison.design import Over as Over
from agfer_bench.comparison.design import Question as Question
from agfer_bench.comparison.design import (
    difference_of,
    population_of,
    unit_of,
    values_of,
    why_none,
)
from agfer_bench.comparison.inference import (
    FEWEST_SUBJECTS,
    FEWEST_TRAININGS,
    Difference,
    holm,
)
from agfer_bench.comparison.outcomes import (
    Entrant,
    On,
    accuracies,
    stuck_folds,
    subjects_of,
)
from agfer_bench.comparison.verdicts import SURE as SURE
from agfer_bench.comparison.verdicts import JudgedPair
from agfer_bench.comparison.verdicts import Verdict as Verdict
from agfer_bench.comparison.verdicts import p_text as p_text
from agfer_bench.protocol import OFFICIAL
from agfer_bench.records.run import BASE

_NONE = 1e-9
"""Differences that are none, but for rounding."""

Pair = tuple[Entrant, Entrant]
"""Two modules to be compared."""


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
    unit, subjects = unit_of(whole, question)
    reasons = {one.label: why_not_judged(one) for one in whole}
    means = {one.label: float(np.mean(accuracies(one, question.on))) for one in whole}
    values = {one.label: values_of(one, unit, subjects or [], question.on) for one in whole}
    unjudged = why_none(unit, subjects, question)
    population = population_of(unit, question.on, whole[0])
    found = []
    for one, other in pairs:
        why = unjudged or reasons[one.label] or reasons[other.label]
        terms = [(one, values[one.label]), (other, -values[other.label])]
        names, estimate = (one.label, other.label), means[one.label] - means[other.label]
        found.append(uncorrected(names, estimate, why or difference_of(terms, unit), population))
    return corrected(found, question.rope)


def uncorrected(
    names: tuple[str, str],
    estimate: float,
    judged: Difference | str,
    population: str,
) -> Contrast:
    """Return a contrast by itself, to be corrected together with others (`corrected`).

    Args:
        names: Labels of the first and the second.
        estimate: The difference that tables show.
        judged: What is known of it; or why it cannot be judged.
        population: What it speaks of.
    """
    why, difference = (judged, None) if isinstance(judged, str) else ("", judged)
    if difference is not None and difference.constant and abs(difference.estimate) > _NONE:
        of_each = "training" if difference.unit == "trainings" else "fold and training"
        why = (
            f"{names[0]} and {names[1]} differ by the same in every {of_each}, so that nothing "
            "tells how sure that is"
        )
        difference = None
    return Contrast(
        first=names[0],
        second=names[1],
        estimate=estimate,
        difference=difference,
        why_not=why,
        adjusted=None if difference is None else difference.p,
        pairs=1,
        rope=ROPE,
        population=population,
    )


def corrected(found: Sequence[Contrast], rope: float) -> tuple[Contrast, ...]:
    """Return contrasts corrected for all that are judged among them (Holm).

    Args:
        found: Contrasts by themselves (`uncorrected`).
        rope: Half the region of practical equivalence.
    """
    judged = [one.difference for one in found if one.difference is not None]
    adjusted = iter(holm([difference.p for difference in judged]))
    return tuple(
        replace(
            one,
            adjusted=float(next(adjusted)) if one.difference is not None else None,
            pairs=len(judged),
            rope=rope,
        )
        for one in found
    )


def accuracy_of(one: Entrant, question: Question) -> Difference | None:
    """Judge one module's accuracy alone, over new people and new trainings; None if it cannot be.

    Raises:
        UserError: As `contrasts`.
    """
    unit, subjects = unit_of([one], question)
    if why_not_judged(one) or why_none(unit, subjects, question):
        return None
    return difference_of([(one, values_of(one, unit, subjects or [], question.on))], unit)


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
    first, second = (values_of(each, "subjects", subjects, "validation") for each in (one, other))
    return difference_of([(one, first), (other, -second)], "subjects")


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
        if one not in bases and one.module.kind != "classifier" and not one.module.control
    ]


def why_not_judged(one: Entrant) -> str:
    """Say why nothing is said of a module; empty where something is."""
    if len(one.trainings) < FEWEST_TRAININGS:
        return f"{one.label} was trained once on each fold"
    stuck = [] if one.placebo_of is not None else stuck_folds(one)
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
    what = "trainings alone" if entrants[0].record.protocol.split == OFFICIAL else "folds"
    fewest = min((len(subjects) for subjects in known.values() if subjects), default=None)
    if not unknown and fewest is not None and fewest < FEWEST_SUBJECTS:
        return [f"Over {what}, since {fewest} subjects are too few (at least {FEWEST_SUBJECTS})."]
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
