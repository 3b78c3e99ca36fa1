"""What a record says of a module in numbers: means and deviations over folds, ratios to base."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from agfer_bench.comparison.marginal import ratio
from agfer_bench.protocol import OFFICIAL, Protocol
from agfer_bench.records.run import FoldRecord, ModuleRecord, RunRecord


def ratio_to_base(module: ModuleRecord, record: RunRecord) -> float | None:
    """Return latency over that of base in the same run; None where either was not measured."""
    base = record.base
    own = module.speed.eager if module.speed else None
    other = base.speed.eager if base and base.speed else None
    return ratio(own, other) if own and other else None


def uncounted_note(label: str, operators: Sequence[str]) -> list[str]:
    """Say why a network or a block has no multiply-accumulates, in a line; none where it has.

    Args:
        label: Its name in tables.
        operators: The operators without a count.
    """
    if not operators:
        return []
    *others, last = operators
    names = f"{', '.join(others)} and {last} have" if others else f"{last} has"
    return [f"Operations of {label} are not counted: {names} no count."]


def accuracy_columns(module: ModuleRecord | None, record: RunRecord) -> dict[str, Any]:
    """Return the columns of accuracy, training accuracy and recalls; None without a module."""
    protocol = record.protocol
    row: dict[str, Any] = {
        "folds": len(module.folds) if module else 0,
        "seeds": len(module.seeds) if module else 0,
        **mean_and_sd("accuracy", over_folds(module, lambda fold: fold.accuracy, protocol)),
        "train_accuracy_mean": mean(over_folds(module, lambda fold: fold.train_accuracy)),
        "masked_accuracy_mean": mean(over_folds(module, lambda fold: fold.masked_accuracy)),
        "overfit": module.overfit if module and module.folds else None,
    }
    for number, name in enumerate(record.data.classes):
        row |= mean_and_sd(f"recall_{name}", over_folds(module, recall_of(number), protocol))
    return row


def recall_of(number: int) -> Callable[[FoldRecord], float]:
    """Return what reads a class's recall off a fold."""
    return lambda fold: fold.recalls[number]


def divisions(protocol: Protocol) -> str:
    """Name what the images were divided into: `3 folds`, or `the official split`."""
    return "the official split" if protocol.split == OFFICIAL else f"{protocol.folds} folds"


def deviation_over(protocol: Protocol) -> str:
    """Say what the deviation behind a ± is over: `over 3 folds`, `over 5 trainings ...`."""
    if protocol.split == OFFICIAL:
        if protocol.seeds == 1:
            return "over trainings on the official split, of which there is one"
        return f"over {protocol.seeds} trainings on the one division of the official split"
    averaged = f", each averaged over {protocol.seeds} seeds" if protocol.seeds > 1 else ""
    return f"over {protocol.folds} folds{averaged}"


def over_folds(
    module: ModuleRecord | None,
    read: Callable[[FoldRecord], float | None],
    protocol: Protocol | None = None,
) -> list[float]:
    """Return a number for each fold that has it: its mean over seeds.

    With the protocol of an official split, whose one division has no other fold to vary with, a
    number for each training.
    """

    def known(fold: FoldRecord) -> float:
        value = read(fold)
        return math.nan if value is None else value

    if module is not None and protocol is not None and protocol.split == OFFICIAL:
        return [value for fold in module.trainings if math.isfinite(value := known(fold))]
    found = module.over_folds(known) if module else ()
    return [value for value in found if math.isfinite(value)]


def cross_columns(module: ModuleRecord | None, record: RunRecord) -> dict[str, Any]:
    """Cross-database accuracy: per age group, and per fold the mean of the groups."""
    if record.test is None:
        return {}
    row: dict[str, Any] = mean_and_sd(
        "test_accuracy", over_folds(module, lambda fold: fold.test_accuracy, record.protocol)
    )
    for group in record.test.groups:
        found = over_folds(module, _of_group(group), record.protocol)
        row |= mean_and_sd(f"test_age_{group}", found)
    row["test_absent_share"] = absent_share(module.trainings if module else (), record)
    return row


def _of_group(group: str) -> Callable[[FoldRecord], float]:
    return lambda fold: fold.test_accuracies[group]


def absent_share(folds: Sequence[FoldRecord], record: RunRecord) -> float | None:
    """Share of the second set's images that were given a class it does not have, 0..1."""
    if record.test is None or not folds:
        return None
    matrices = [m for fold in folds for m in (fold.test_confusions or {}).values()]
    total = np.asarray(matrices, dtype=np.int64).sum(axis=0)
    absent = [name in record.absent_classes for name in record.data.classes]
    return float(total[:, absent].sum() / total.sum())


def mean_and_sd(name: str, values: Sequence[float]) -> dict[str, float | None]:
    """Return two columns, mean and sample standard deviation; None where there are too few."""
    return {
        f"{name}_mean": mean(values),
        f"{name}_sd": statistics.stdev(values) if len(values) > 1 else None,
    }


def mean(values: Sequence[float]) -> float | None:
    """Return the mean of some numbers; None of none."""
    return statistics.mean(values) if values else None
