"""Where a difference lies: each block held against base in every class, age group or subject.

Subgroups are judged as the whole is (`contrasts`), with the images of one class or age group alone.
All blocks and subgroups, and the blocks on all images, are corrected together (Holm). A subject is
one person, not a sample of people: what is said of it holds over new trainings.

A block that is ahead in one class and not in another need not differ between the two (Gelman and
Stern 2006, doi:10.1198/000313006X152649). So each difference is also held against the block's
difference on all images: the interaction of block and subgroup, a family of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from agfer_bench.comparison.contrasts import (
    Contrast,
    Pair,
    corrected,
    of_pairs,
    pairs_of,
    uncorrected,
    why_not_judged,
)
from agfer_bench.comparison.design import (
    Question,
    difference_of,
    population_of,
    unit_of,
    values_of,
    why_none,
)
from agfer_bench.comparison.inference import FEWEST_SUBJECTS, Difference, Scope
from agfer_bench.comparison.outcomes import (
    WHOLE,
    Entrant,
    On,
    Part,
    accuracies,
    shares_of_all,
    subjects_of,
)
from agfer_bench.errors import UserError
from agfer_bench.records.run import ALL_AGES, BASE, UNKNOWN_AGE, RunRecord

By = Literal["class", "age", "subject"]
"""What subgroups are of."""

_Values = dict[str, NDArray[np.float64]]
"""What is compared of each module, by label: (K, S, N) shares of subjects, or (K, S) accuracies."""


@dataclass(frozen=True, kw_only=True)
class Subgroup:
    """One block in one subgroup."""

    name: str
    """The class, the age group, or the subject's number."""
    subjects: int | None
    """Number of subjects who were judged; None where subjects are not compared over."""
    contrast: Contrast
    """The block less base in this subgroup."""
    beyond: Contrast
    """That difference less the block's difference on all images."""


@dataclass(frozen=True, kw_only=True)
class Subgroups:
    """Blocks in all subgroups of one kind."""

    by: By
    """What they are of."""
    question: Question
    """What was asked."""
    found: tuple[Subgroup, ...]
    """Block by block, subgroups in order."""
    whole: tuple[Contrast, ...]
    """Each block on all images, corrected together with `found`."""

    def of(self, block: str) -> list[Subgroup]:
        """Return the subgroups of a block."""
        return [one for one in self.found if one.contrast.first == block]


@dataclass(frozen=True, kw_only=True)
class _Slice:
    """The values of all modules in one subgroup."""

    name: str
    values: _Values
    """In the subgroup."""
    beyond: _Values
    """In the subgroup, less those on all images."""
    unit: Scope
    subjects: int | None
    why: str
    """Why it is not judged; empty where it is."""
    missing: bool = False
    """Whether some fold has no images of it, so that there is no difference."""


def subgroups(entrants: Sequence[Entrant], question: Question, by: By) -> Subgroups:
    """Hold each block against base in every subgroup.

    Args:
        entrants: Modules on one ground, base among them.
        question: Over what and on which images; each block is held against base.
        by: What subgroups are of.

    Raises:
        UserError: There are no such subgroups in the records, no block, or no base.
    """
    pairs = _pairs(entrants, question, by)
    whole = list({one.label: one for pair in pairs for one in pair}.values())
    if by == "subject":
        slices = _by_subject(whole, question)
    else:
        slices = _by_part(whole, question, _parts(whole[0].record, question.on, by))
    population = population_of(slices[0].unit, question.on, whole[0])
    of_all = of_pairs(pairs, question)
    inside = [one for pair in pairs for one in _held(pair, slices, population)]
    beyond = [one for pair in pairs for one in _held(pair, slices, population, beyond=True)]
    counts = [(each.name, each.subjects) for _ in pairs for each in slices]
    # What is shown together is corrected together: the differences on all images too.
    family = corrected([*inside, *of_all], question.rope)
    both = family[: len(inside)], corrected(beyond, question.rope)
    return Subgroups(
        by=by,
        question=question,
        found=tuple(
            Subgroup(name=name, subjects=subjects, contrast=contrast, beyond=further)
            for (name, subjects), contrast, further in zip(counts, *both, strict=True)
        ),
        whole=family[len(inside) :],
    )


def _held(
    pair: Pair, slices: Sequence[_Slice], population: str, *, beyond: bool = False
) -> list[Contrast]:
    """Hold a block against base in each subgroup, or against its difference on all images."""
    one, other = pair
    unjudged = why_not_judged(one) or why_not_judged(other)
    judged: list[Difference | str] = []
    estimates = []
    for each in slices:
        values = each.beyond if beyond else each.values
        terms = [(one, values[one.label]), (other, -values[other.label])]
        known = _mean(terms[0][1]) + _mean(terms[1][1])
        estimates.append(np.nan if each.missing else known)
        judged.append(unjudged or each.why or difference_of(terms, each.unit))
    return [
        uncorrected((one.label, other.label), estimate, found, population)
        for estimate, found in zip(estimates, _not_steady_by_chance(judged), strict=True)
    ]


def _not_steady_by_chance(judged: Sequence[Difference | str]) -> list[Difference | str]:
    """Let no person's results scatter less over trainings than people's do in the mean.

    A person has few images, so that a difference of one image in each of three trainings comes of
    chance alone; its scatter of 0 says nothing of other trainings.
    """
    alone = [one for one in judged if isinstance(one, Difference) and one.unit == "trainings"]
    if not alone:
        return list(judged)
    least = float(np.mean([one.training for one in alone]))
    return [
        one
        if isinstance(one, str)
        else replace(
            one,
            training=max(one.training, least),
            df=min(one.df, one.folds * sum(count - 1 for count in one.trainings)),
        )
        for one in judged
    ]


def _mean(values: NDArray[np.float64]) -> float:
    """Return the mean accuracy of (K, S) accuracies or (K, S, N) shares."""
    return float((np.nansum(values, axis=2) if values.ndim == 3 else values).mean())


def _pairs(entrants: Sequence[Entrant], question: Question, by: By) -> list[Pair]:
    if question.against == "all":
        raise UserError(f"--by {by} holds each block against base: leave --against all out")
    if by == "age" and question.on == "validation":
        raise UserError(
            "--by age: age groups are known of the second data set alone: add --on test"
        )
    if by == "subject" and question.over == "folds":
        raise UserError("--by subject compares people: leave --over folds out")
    if not any(one.complete and one.module.label == BASE for one in entrants):
        raise UserError(
            f"--by {by} holds each block against base, and no base was trained on all folds"
        )
    pairs = pairs_of(entrants, "base")
    if not pairs:
        raise UserError(
            f"--by {by} holds each block against base, and no block was trained on all folds"
        )
    return pairs


def _parts(record: RunRecord, on: On, by: By) -> dict[str, Part]:
    """Return the classes or age groups, by name."""
    classes = record.data.classes
    if by == "class":
        known = classes if on == "validation" or record.test is None else record.test.classes
        return {name: Part(number=classes.index(name)) for name in classes if name in known}
    groups = record.test.groups if record.test else ()
    known_ages = [name for name in groups if name not in (UNKNOWN_AGE, ALL_AGES)]
    if record.test is None or not known_ages:
        name = record.test.name if record.test else "the second data set"
        raise UserError(f"--by age: no age group is known of {name}")
    return {name: Part(age=name) for name in known_ages}


def _by_part(whole: Sequence[Entrant], question: Question, parts: dict[str, Part]) -> list[_Slice]:
    """Return the values in each class or age group."""
    unit, subjects = unit_of(whole, question)
    unjudged = why_none(unit, subjects, question)

    def values(part: Part) -> _Values:
        return {one.label: values_of(one, unit, subjects or [], question.on, part) for one in whole}

    of_all, found = values(WHOLE), []
    for name, part in parts.items():
        inside = values(part)
        beyond = {label: _less(inside[label], of_all[label]) for label in inside}
        lacking = _why_lacking(whole, question.on, name, part)
        why, count = unjudged or lacking, None
        if unit == "subjects":
            inside = _shown(inside, part)
            count = next(iter(inside.values())).shape[2]
            if count < FEWEST_SUBJECTS and not why:
                what = "were ever recognised" if part.number is not None else "are judged"
                why = f"{count} subjects {what} in {name}, at least {FEWEST_SUBJECTS} are needed"
        found.append(
            _Slice(
                name=name,
                values=inside,
                beyond=beyond,
                unit=unit,
                subjects=count,
                why=why,
                missing=bool(lacking),
            )
        )
    return found


def _less(inside: NDArray[np.float64], of_all: NDArray[np.float64]) -> NDArray[np.float64]:
    """Subtract what subjects add on all images; who is not in the subgroup adds nothing to it."""
    if inside.ndim == 3:
        inside = np.where(np.isnan(inside) & ~np.isnan(of_all), 0.0, inside)
    less: NDArray[np.float64] = inside - of_all
    return less


def _shown(values: _Values, part: Part) -> _Values:
    """Leave out the subjects who have no image of the part.

    A record does not tell of which classes a subject has images. Who was not recognised in a class
    by any network in any training counts as having none: the difference is 0 in either case.
    """
    stacked = np.array([_most(one) for one in values.values()])
    with_images = stacked.max(axis=0) > (0 if part.number is not None else -1)
    return {label: one[:, :, with_images] for label, one in values.items()}


def _most(values_KSN: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the largest share of each subject, -1 for who is not judged: (N,)."""
    most: NDArray[np.float64] = np.nan_to_num(values_KSN, nan=-1.0).max(axis=(0, 1))
    return most


def _why_lacking(whole: Sequence[Entrant], on: On, name: str, part: Part) -> str:
    """Say in which fold a class has no images; empty where each has some."""
    lacking = np.isnan(accuracies(whole[0], on, part)).any(axis=1)
    if not lacking.any():
        return ""
    return f"fold {', '.join(str(1 + k) for k in np.flatnonzero(lacking))} has no image of {name}"


def _by_subject(whole: Sequence[Entrant], question: Question) -> list[_Slice]:
    """Return each subject's values, scaled so that their mean is the accuracy of the fold."""
    subjects = subjects_of(whole[0], question.on)
    for one in whole:
        own = subjects_of(one, question.on)
        if own is None:
            raise UserError(
                f"--by subject: {one.label} does not tell who was recognised (subjects not known, "
                "or an older record)"
            )
        if own != subjects:
            raise UserError(
                f"--by subject: {whole[0].label} and {one.label} were judged on different subjects"
            )
    shares = {one.label: shares_of_all(one, question.on, subjects or []) for one in whole}
    judged_KN = ~np.isnan(shares[whole[0].label][:, 0])
    scaled = {label: one * judged_KN.sum(axis=1)[:, None, None] for label, one in shares.items()}
    of_all = {label: np.nansum(one, axis=2) for label, one in shares.items()}
    once = (judged_KN.sum(axis=0) == 1).all()
    found = []
    for n, subject in enumerate(subjects or []):
        # With folds by image a subject's images are spread over the folds: all of them count.
        folds = judged_KN[:, n] if once else np.ones(len(judged_KN), dtype=np.bool_)
        inside = {label: np.nan_to_num(one[folds, :, n]) for label, one in scaled.items()}
        beyond = {label: one - of_all[label][folds] for label, one in inside.items()}
        found.append(
            _Slice(name=subject, values=inside, beyond=beyond, unit="trainings", subjects=1, why="")
        )
    return found
