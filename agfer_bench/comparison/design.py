"""What a comparison is over, and the values that go into it.

Over subjects where they are known, else over folds; in both cases over trainings too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from agfer_bench.comparison.inference import (
    FEWEST_SUBJECTS,
    Difference,
    Scope,
    Unit,
    over_folds,
    over_subjects,
    over_trainings,
)
from agfer_bench.comparison.outcomes import (
    WHOLE,
    Entrant,
    On,
    Part,
    accuracies,
    shares_of_all,
    subjects_of,
    test_share,
)
from agfer_bench.comparison.verdicts import ROPE as ROPE
from agfer_bench.errors import UserError
from agfer_bench.protocol import OFFICIAL

Over = Literal["auto", "subjects", "folds"]
"""What a comparison is over; `auto`: subjects where they are known, else folds."""

Against = Literal["base", "all"]
"""Which pairs: every network with base, or all with all."""


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


def unit_of(whole: Sequence[Entrant], question: Question) -> tuple[Unit, list[str] | None]:
    """Decide what is compared over, once for all pairs.

    Returns:
        What; and the numbers of the subjects, where it is these.

    Raises:
        UserError: Subjects were asked for, and are not known or too few.
    """
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


def why_none(unit: Unit, subjects: list[str] | None, question: Question) -> str:
    """Say why nothing can be judged on these images; empty where something can."""
    if question.on == "test" and (unit == "folds" or subjects is None):
        return (
            "all networks are tested on the same images, and the record does not tell enough "
            "subjects of them"
        )
    return ""


def values_of(
    one: Entrant, unit: Unit, subjects: Sequence[str], on: On, part: Part = WHOLE
) -> NDArray[np.float64]:
    """Return what is compared of a module: (K, S, N) shares of subjects, or (K, S) accuracies."""
    if unit == "subjects":
        return shares_of_all(one, on, subjects, part)
    return accuracies(one, on, part)


def difference_of(terms: Sequence[tuple[Entrant, NDArray[np.float64]]], unit: Scope) -> Difference:
    """Judge a sum of modules' accuracies, say one less another.

    Args:
        terms: Modules, each with its values (`values_of`) as they are added: negative for one that
            is subtracted.
        unit: What, beside trainings, it is judged over.
    """
    (one, first), *others = terms
    # Folds that divide the images otherwise have no partner: their trainings count apart.
    paired = all(
        one.pairs_with(other) and np.array_equal(np.isnan(first[:, 0]), np.isnan(values[:, 0]))
        for other, values in others
    )
    values = [value for _, value in terms]
    parts = [np.sum(values, axis=0)] if paired else values
    if unit == "subjects":
        return over_subjects(parts)
    if unit == "trainings":
        return over_trainings(parts)
    if len(first) == 1:
        # The one division of an official split: no other division scatters, only trainings do.
        return over_trainings(parts)
    return over_folds(parts, test_share(one.module.folds))


def population_of(unit: Scope, on: On, one: Entrant) -> str:
    """Say what a difference speaks of."""
    if unit == "trainings":
        return "over new trainings"
    if on == "test":
        assert one.record.test is not None, "the command refuses it else"
        return f"over new people of {one.record.test.name} and new trainings"
    split = one.record.protocol.split
    if unit == "folds":
        if split == OFFICIAL:
            return "over new trainings, on these images of the official split"
        return "over new samples of such images and new trainings"
    if split == OFFICIAL:
        return "over people as in the official split's judged part, and new trainings"
    if split == "image":
        return "over people who are in the training images too, and new trainings"
    return "over new people and new trainings"
