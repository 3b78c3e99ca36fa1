"""What every job of a run needs, and how what it says of the images is counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agfer_bench.faces.cross_database import TestSet
from agfer_bench.faces.folds import Fold
from agfer_bench.metrics import confusion_matrix
from agfer_bench.plugin.catalogue import Chosen
from agfer_bench.plugin.specs import ModuleSpec
from agfer_bench.protocol import Protocol
from agfer_bench.records.run import ALL_AGES, Confusion
from agfer_bench.run.jobs.evaluation import Predictions


@dataclass(frozen=True, kw_only=True)
class FoldJob:
    """One module to be trained on one fold, and judged."""

    chosen: Chosen[ModuleSpec]
    """The module and its options."""
    protocol: Protocol
    """Every setting."""
    fold: Fold
    """Training and validation images."""
    pixels_NHWC: NDArray[np.uint8]
    """(N, H, W, 3) crops of the whole data set."""
    labels_N: NDArray[np.int64]
    """(N,) classes."""
    names: Sequence[str]
    """Names of the N images."""
    subjects: Sequence[str | None]
    """Who is on each of the N images."""
    test: TestSet | None
    """The second data set, which whatever was trained is tested on."""
    classes: tuple[str, ...]
    """Names of the classes."""
    key: str
    """SHA-256 of the job's address."""

    @property
    def steps(self) -> int:
        """Steps that progress is counted in."""
        return 1


def matrix_of(
    job: FoldJob, indices: NDArray[np.int64], probabilities: NDArray[np.float32]
) -> NDArray[np.int64]:
    """Count some images per true class and most probable one: (M, M)."""
    return confusion_matrix(job.labels_N[indices], probabilities.argmax(axis=1), len(job.classes))


def confusion_of(
    job: FoldJob, indices: NDArray[np.int64], probabilities: NDArray[np.float32]
) -> Confusion:
    """Count some images per true class and most probable one, for the record."""
    return _plain(matrix_of(job, indices, probabilities))


def recognised_of(
    job: FoldJob, probabilities: NDArray[np.float32]
) -> dict[str, tuple[int, ...]] | None:
    """Count the validation images that were recognised, per subject and class.

    Args:
        job: The job.
        probabilities: (V, M) probabilities of the validation fold's images.

    Returns:
        By the subject's place among all sorted names, so that a record names nobody; None where a
        subject is not known.
    """
    if any(name is None for name in job.subjects):
        return None
    numbers = np.unique(np.asarray(job.subjects, dtype=str), return_inverse=True)[1]
    indices = job.fold.validation
    subjects, true = numbers[indices], job.labels_N[indices]
    right = probabilities.argmax(axis=1) == true
    return {
        str(subject): tuple(
            np.bincount(true[right & (subjects == subject)], minlength=len(job.classes)).tolist()
        )
        for subject in np.unique(subjects)
    }


def group_confusions(
    test: TestSet, probabilities: NDArray[np.float32], classes: int
) -> dict[str, Confusion]:
    """Count the second data set's images per true and predicted class, an age group at a time."""
    true, predicted = test.labels_N[test.indices], probabilities.argmax(axis=1)
    groups = np.asarray([test.groups[index] for index in test.indices])
    return {
        group: _plain(confusion_matrix(true[groups == group], predicted[groups == group], classes))
        for group in test.record.groups or (ALL_AGES,)
    }


def table_of(
    job: FoldJob, validation: NDArray[np.float32], test: NDArray[np.float32] | None
) -> pd.DataFrame:
    """Return a row for each image of the validation fold and of the second data set.

    Args:
        job: The job.
        validation: (V, M) probabilities of the validation fold's images.
        test: (T, M) probabilities of the second set's images; None where there is none.
    """
    table = Predictions(
        module=job.chosen.label,
        fold=job.fold.number,
        seed=job.protocol.seed,
        classes=job.classes,
    )
    parts = [
        table.of_validation(
            job.fold.validation,
            validation,
            names=job.names,
            subjects=job.subjects,
            labels_N=job.labels_N,
        )
    ]
    if job.test is not None and test is not None:
        parts.append(table.of_test(job.test, test))
    return pd.concat(parts, ignore_index=True)


def _plain(matrix: NDArray[np.int64]) -> Confusion:
    return tuple(tuple(int(count) for count in row) for row in matrix)
