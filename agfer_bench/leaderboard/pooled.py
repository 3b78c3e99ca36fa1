"""What charts show of a module, put together over its folds and trainings."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from agfer_bench.records.run import EpochRecord, ModuleRecord
from agfer_bench.report.summary import over_folds, recall_of

Line = tuple[list[int], list[float]]
"""Epochs, counted from 1, and a value for each."""

_POINTS = 250
"""Most points of a line: more are not seen."""


def confusion_of(module: ModuleRecord) -> NDArray[np.int64]:
    """Return (M, M) counts of all folds and trainings: rows are true classes."""
    matrices = [fold.confusion for fold in module.trainings]
    return np.asarray(matrices, dtype=np.int64).sum(axis=0)  # type: ignore[no-any-return]


def recalls_of(module: ModuleRecord, classes: int) -> list[float | None]:
    """Return the recall of each class, 0..1, mean over folds; None for one without images."""
    found = []
    for number in range(classes):
        values = over_folds(module, recall_of(number))
        found.append(float(np.mean(values)) if values else None)
    return found


def accuracy_curve(module: ModuleRecord) -> Line:
    """Return validation accuracy in per cent after the epochs in which it was measured."""
    return _line(module, lambda epoch: epoch.validation_accuracy, 100)


def loss_curve(module: ModuleRecord) -> Line:
    """Return the training loss of each epoch."""
    return _line(module, lambda epoch: epoch.loss, 1)


def _line(module: ModuleRecord, read: Callable[[EpochRecord], float | None], factor: float) -> Line:
    by_epoch: dict[int, list[float]] = {}
    for fold in module.trainings:
        for number, epoch in enumerate(fold.history, start=1):
            value = read(epoch)
            if value is not None:
                by_epoch.setdefault(number, []).append(value)
    epochs = _thinned(sorted(by_epoch))
    return epochs, [round(factor * float(np.mean(by_epoch[epoch])), 4) for epoch in epochs]


def _thinned(epochs: Sequence[int]) -> list[int]:
    step = max(1, math.ceil(len(epochs) / _POINTS))
    # Counted from the end: the last epoch is the one that counts.
    return sorted(list(epochs)[::-1][::step])
