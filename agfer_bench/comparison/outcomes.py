"""What a comparison reads off a record: who was recognised in which training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from agfer_bench.metrics import mean_recall, recall, single_class
from agfer_bench.records.run import UNKNOWN_AGE, Confusion, FoldRecord, ModuleRecord, RunRecord

On = Literal["validation", "test"]
"""Images that are compared on: the folds' own, or the second data set's."""

TrainingSet = tuple[FoldRecord, ...]
"""One training of each fold."""

Shares = dict[str, float]
"""What each subject adds to the accuracy of one training, by the subject's number."""


@dataclass(frozen=True, kw_only=True)
class Entrant:
    """A module with the name that it goes by in a comparison."""

    label: str
    """Name, unique among those compared."""
    module: ModuleRecord
    """The numbers."""
    record: RunRecord
    """The run they are of."""
    replicates: tuple[TrainingSet, ...] = ()
    """Trainings of several records, to be compared together; empty for those of `module`."""
    placebo_of: str | None = None
    """Label of the module whose trained networks are judged here with other gates than their own.
    If they then give all images one class, that is a finding and no failed training."""

    @property
    def trainings(self) -> tuple[TrainingSet, ...]:
        """Every training of all folds, folds in order."""
        sets = self.replicates or self.module.seeds
        return tuple(tuple(sorted(one, key=lambda fold: fold.fold)) for one in sets)

    @property
    def complete(self) -> bool:
        """Whether every fold was trained with every seed."""
        return self.module.complete(self.record.protocol)

    def pairs_with(self, other: Entrant) -> bool:
        """Tell whether trainings pair: the same seeds, hence the same host weights and batches.

        Trained networks and the same with other gates always do.
        """
        if self.placebo_of == other.label or other.placebo_of == self.label:
            return True
        return (
            not (self.replicates or other.replicates)
            and len(self.module.seeds) == len(other.module.seeds)
            and self.record.protocol.seed == other.record.protocol.seed
        )


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of the images that modules are compared on: by default all."""

    number: int | None = None
    """The class that they are of; None for all classes."""
    age: str | None = None
    """The age group that they are of; None for all. Of the second data set alone."""


WHOLE = Part()
"""All images."""


def accuracies(entrant: Entrant, on: On, part: Part = WHOLE) -> NDArray[np.float64]:
    """Return the accuracy of each training: (K folds, S trainings), 0..1.

    Of one class it is its recall; NaN where the fold has no image of the part.
    """
    return np.array([[_accuracy(fold, on, part) for fold in one] for one in entrant.trainings]).T


def subjects_of(entrant: Entrant, on: On) -> list[str] | None:
    """Return the numbers of the subjects that were judged, in one order; None if not known."""
    found: set[str] = set()
    for one in entrant.trainings:
        for fold in one:
            shares = shares_of(fold, on)
            if shares is None:
                return None
            found |= shares.keys()
    return sorted(found, key=int)


def shares_of_all(
    entrant: Entrant, on: On, subjects: Sequence[str], part: Part = WHOLE
) -> NDArray[np.float64]:
    """Return what each subject adds to the accuracy of each training.

    Args:
        entrant: A module whose subjects are known.
        on: Which images.
        subjects: N numbers of subjects.
        part: Which of these images.

    Returns:
        (K folds, S trainings, N subjects): sums over subjects are accuracies; NaN for a subject who
        is not judged in the fold.
    """
    place = {subject: number for number, subject in enumerate(subjects)}
    sets = entrant.trainings
    found = np.full((len(sets[0]), len(sets), len(subjects)), np.nan)
    for s, one in enumerate(sets):
        for k, fold in enumerate(one):
            for subject, share in (shares_of(fold, on, part) or {}).items():
                if subject in place:
                    found[k, s, place[subject]] = share
    return found


def shares_of(fold: FoldRecord, on: On = "validation", part: Part = WHOLE) -> Shares | None:
    """Return what each subject adds to the accuracy of one training; None if not known.

    An image counts 1 / (classes with images x images of its class), and in the second data set
    1 / (age groups) of that, so that the shares add up to the accuracy that tables show. Of one
    class an image counts 1 / images of the class, so that they add up to its recall.
    """
    if on == "validation":
        if fold.recognised is None:
            return None
        return _shares(fold.confusion, fold.recognised, part.number)
    if fold.test_recognised is None or fold.test_confusions is None:
        return None
    groups = _groups(fold.test_confusions, part)
    total: Shares = {}
    for group in groups:
        shares = _shares(fold.test_confusions[group], fold.test_recognised[group], part.number)
        for subject, share in shares.items():
            total[subject] = total.get(subject, 0.0) + share / len(groups)
    return total


def test_share(folds: Sequence[FoldRecord]) -> float:
    """Return the share of images in a validation fold: n_test / n."""
    shares = [f.validation_images / (f.validation_images + f.train_images) for f in folds]
    return float(np.mean(shares))


def stuck_folds(entrant: Entrant) -> list[int]:
    """Return the folds, counted from 1, in which some training knows a single class."""
    return sorted(
        {
            fold.fold + 1
            for one in entrant.trainings
            for fold in one
            if single_class(np.asarray(fold.confusion, dtype=np.int64))
        }
    )


def _accuracy(fold: FoldRecord, on: On, part: Part) -> float:
    if part == WHOLE:
        return (fold.accuracy if on == "validation" else fold.test_accuracy) or 0.0
    confusions = {"": fold.confusion} if on == "validation" else fold.test_confusions or {}
    groups = _groups(confusions, part)
    if not groups:
        return np.nan
    matrices = [np.asarray(confusions[group], dtype=np.int64) for group in groups]
    if part.number is not None:
        return float(np.mean([recall(one)[part.number] for one in matrices]))
    return float(np.mean([mean_recall(one) for one in matrices]))


def _groups(confusions: Mapping[str, Confusion], part: Part) -> list[str]:
    """Return the age groups that have images of the part; those without age only by themselves."""
    groups = [one for one in confusions if one != UNKNOWN_AGE] or list(confusions)
    if part.age is not None:
        groups = [one for one in groups if one == part.age]
    if part.number is not None:
        groups = [one for one in groups if any(confusions[one][part.number])]
    return groups


def _shares(
    confusion: Confusion, recognised: Mapping[str, Sequence[int]], number: int | None
) -> Shares:
    images_M = np.sum(confusion, axis=1)
    weights_M = np.divide(1.0, images_M, out=np.zeros(len(images_M)), where=images_M > 0)
    if number is None:
        weights_M /= np.count_nonzero(images_M)
    else:
        weights_M[np.arange(len(weights_M)) != number] = 0.0
    return {subject: float(right_M @ weights_M) for subject, right_M in recognised.items()}
