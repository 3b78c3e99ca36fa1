"""What networks and classifiers answered: counted for the record, listed image by image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agfer_bench.faces.cross_database import TestSet
from agfer_bench.faces.folds import names_sha256
from agfer_bench.metrics import confusion_matrix
from agfer_bench.records.run import ALL_AGES, Confusion, FoldRecord
from agfer_bench.run.jobs.base import FoldJob

VALIDATION, TEST = "validation", "test"
"""What a row is from."""


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Collects the predictions of one module trained on one fold."""

    module: str
    """Label of the module."""
    fold: int
    """Number of the fold, counted from 0."""
    seed: int
    """Seed that it was trained with."""
    classes: tuple[str, ...]
    """Names of the classes."""

    def of_validation(
        self,
        indices: NDArray[np.int64],
        probabilities: NDArray[np.float32],
        *,
        names: Sequence[str],
        subjects: Sequence[str | None],
        labels_N: NDArray[np.int64],
    ) -> pd.DataFrame:
        """Return a row for each image of the validation fold."""
        images = {
            "set": VALIDATION,
            "image": [names[index] for index in indices],
            "subject": [subjects[index] for index in indices],
            "group": None,
        }
        return self._frame(images, labels_N[indices], probabilities)

    def of_test(self, test: TestSet, probabilities: NDArray[np.float32]) -> pd.DataFrame:
        """Return a row for each image of the second data set."""
        images = {
            "set": TEST,
            "image": [test.names[index] for index in test.indices],
            "subject": [test.subjects[index] for index in test.indices],
            "group": [test.groups[index] for index in test.indices],
        }
        return self._frame(images, test.labels_N[test.indices], probabilities)

    def _frame(
        self,
        images: Mapping[str, object],
        labels: NDArray[np.int64],
        probabilities: NDArray[np.float32],
    ) -> pd.DataFrame:
        classes = np.asarray(self.classes)
        columns: dict[str, object] = {
            "module": self.module,
            "fold": self.fold,
            "seed": self.seed,
            **images,
            "true": classes[labels],
            "predicted": classes[probabilities.argmax(axis=1)],
        }
        columns |= {f"p_{name}": probabilities[:, i] for i, name in enumerate(self.classes)}
        # Texts that are missing throughout would otherwise differ in type from frame to frame.
        return pd.DataFrame(columns).astype(dict.fromkeys(("subject", "group"), "string"))


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
    subjects: Sequence[str | None],
    labels_N: NDArray[np.int64],
    indices: NDArray[np.int64],
    probabilities: NDArray[np.float32],
) -> dict[str, tuple[int, ...]] | None:
    """Count some images that were recognised, per subject and class.

    Args:
        subjects: N names of subjects, of the whole data set.
        labels_N: (N,) true classes.
        indices: (V,) images that were judged.
        probabilities: (V, M) their probabilities.

    Returns:
        By the subject's place among all sorted names, so that a record names nobody; None where a
        subject is not known.
    """
    if any(name is None for name in subjects):
        return None
    numbers = np.unique(np.asarray(subjects, dtype=str), return_inverse=True)[1]
    judged, true = numbers[indices], labels_N[indices]
    right = probabilities.argmax(axis=1) == true
    classes = probabilities.shape[1]
    return {
        str(subject): tuple(
            np.bincount(true[right & (judged == subject)], minlength=classes).tolist()
        )
        for subject in np.unique(judged)
    }


def group_recognised(
    test: TestSet, probabilities: NDArray[np.float32]
) -> dict[str, dict[str, tuple[int, ...]]] | None:
    """Count the second data set's recognised images, an age group at a time; None as above."""
    groups = np.asarray([test.groups[index] for index in test.indices])
    found = {}
    for group in test.record.groups or (ALL_AGES,):
        own = groups == group
        counts = recognised_of(test.subjects, test.labels_N, test.indices[own], probabilities[own])
        if counts is None:
            return None
        found[group] = counts
    return found


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


def record_of(
    job: FoldJob,
    *,
    validation: NDArray[np.float32],
    train: NDArray[np.float32],
    test: NDArray[np.float32] | None,
    **own: Any,
) -> tuple[FoldRecord, pd.DataFrame]:
    """Return the record of a fold, and its predictions as a table: of networks and classifiers.

    Args:
        job: The job.
        validation: (V, M) probabilities of the validation fold's images.
        train: (N, M) probabilities of the training fold's images.
        test: (T, M) probabilities of the second set's images; None where there is none.
        own: The fields of the record that depend on what was trained.
    """
    fold = job.fold
    tested = by_subject = None
    if job.test is not None and test is not None:
        tested = group_confusions(job.test, test, len(job.classes))
        by_subject = group_recognised(job.test, test)
    record = FoldRecord(
        fold=fold.number,
        job=job.key,
        train_images=len(fold.train),
        validation_images=len(fold.validation),
        confusion=confusion_of(job, fold.validation, validation),
        train_confusion=confusion_of(job, fold.train, train),
        split_sha256=names_sha256(job.names, fold.validation),
        recognised=recognised_of(job.subjects, job.labels_N, fold.validation, validation),
        test_confusions=tested,
        test_recognised=by_subject,
        **own,
    )
    return record, table_of(job, validation, test)
