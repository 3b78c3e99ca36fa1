"""The comparison as data: from a record to rows, and what must be said beside them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Container, Sequence
from typing import Any

import numpy as np
import pandas as pd

from agfer_bench.comparison.marginal import ratio
from agfer_bench.records.run import OVERFIT_POINTS, DataRecord, FoldRecord, ModuleRecord, RunRecord

DRAWN_NOTICE = (
    "Measured on drawn (synthetic) faces: shows that everything works, tells nothing about people."
)


def comparison(record: RunRecord) -> pd.DataFrame:
    """Return a row per module with every number of the comparison.

    Accuracies and recalls are 0..1, standard deviations are sample standard deviations over
    folds, times are in the unit that the column's name gives. What was not measured is missing.
    """
    return pd.DataFrame([row_of(module, record) for module in record.modules])


def row_of(module: ModuleRecord, record: RunRecord) -> dict[str, Any]:
    """Return one row of `comparison` as plain values, with None for what was not measured."""
    # A block that trained on all folds keeps its accuracy, even if it failed in the timing.
    trained = module.complete(record.protocol)
    row: dict[str, Any] = {
        "module": module.label,
        "drawn_faces": record.drawn,
        "error": module.error or "",
    }
    row |= _accuracy(module if trained else None, record)
    size, speed = module.size, module.speed
    row |= {
        "parameters": size.parameters if size else None,
        "block_parameters": size.block_parameters if size else None,
        "macs": size.macs if size else None,
        "layers": size.layers if size else None,
        "latency_median_ms": speed.median_ms if speed else None,
        "latency_p95_ms": speed.p95_ms if speed else None,
        "hz": speed.hz if speed else None,
        "latency_ratio_to_base": _ratio_to_base(module, record),
    }
    row |= _test(module if trained else None, record)
    trainings = module.trainings if trained else ()
    row["train_seconds_per_fold"] = _mean([fold.training_seconds for fold in trainings])
    peaks = [peak for fold in trainings if (peak := fold.peak_memory_bytes) is not None]
    row["peak_memory_bytes"] = max(peaks, default=None)
    return row | {
        "source": module.source,
        "distribution": module.distribution,
        "version": module.version,
    }


def _ratio_to_base(module: ModuleRecord, record: RunRecord) -> float | None:
    base = record.base
    own = module.speed.eager if module.speed else None
    other = base.speed.eager if base and base.speed else None
    return ratio(own, other) if own and other else None


def _accuracy(module: ModuleRecord | None, record: RunRecord) -> dict[str, Any]:
    row: dict[str, Any] = {
        "folds": len(module.folds) if module else 0,
        "seeds": len(module.seeds) if module else 0,
        **mean_and_sd("accuracy", over_folds(module, lambda fold: fold.accuracy)),
        "train_accuracy_mean": _mean(over_folds(module, lambda fold: fold.train_accuracy)),
        "masked_accuracy_mean": _mean(over_folds(module, lambda fold: fold.masked_accuracy)),
        "overfit": module.overfit if module and module.folds else None,
    }
    for number, name in enumerate(record.data.classes):
        row |= mean_and_sd(f"recall_{name}", over_folds(module, _recall(number)))
    return row


def _recall(number: int) -> Callable[[FoldRecord], float]:
    return lambda fold: fold.recalls[number]


def over_folds(
    module: ModuleRecord | None, read: Callable[[FoldRecord], float | None]
) -> list[float]:
    """Return a number for each fold that has it: its mean over seeds."""

    def known(fold: FoldRecord) -> float:
        value = read(fold)
        return math.nan if value is None else value

    found = module.over_folds(known) if module else ()
    return [value for value in found if math.isfinite(value)]


def _test(module: ModuleRecord | None, record: RunRecord) -> dict[str, Any]:
    """Cross-database accuracy: per age group, and per fold the mean of the groups."""
    if record.test is None:
        return {}
    row: dict[str, Any] = mean_and_sd(
        "test_accuracy", over_folds(module, lambda fold: fold.test_accuracy)
    )
    for group in record.test.groups:
        row |= mean_and_sd(f"test_age_{group}", over_folds(module, _of_group(group)))
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
        f"{name}_mean": _mean(values),
        f"{name}_sd": statistics.stdev(values) if len(values) > 1 else None,
    }


def _mean(values: Sequence[float]) -> float | None:
    return statistics.mean(values) if values else None


def rows_of(record: RunRecord) -> list[dict[str, Any]]:
    """Return the comparison as plain dictionaries, with None for what was not measured."""
    return [row_of(module, record) for module in record.modules]


def notes(record: RunRecord, differences: Sequence[str] = ()) -> list[str]:
    """Say what the table's numbers mean, and what a reader should be warned of.

    Args:
        record: The run.
        differences: What may be said of differences (`verdicts.notes_on`).
    """
    data, protocol = record.data, record.protocol
    chance = 100 / len(data.classes)
    lines = [DRAWN_NOTICE] if record.drawn else []
    images, lost = _left_out(data)
    who = f" of {data.subjects} subjects" if data.subjects else ""
    lines.append(f"{images}{who}{lost}, {len(data.classes)} classes, chance {chance:.1f} %.")
    lines.append(
        f"Accuracy: mean per-class recall after the last epoch; ± is the sample standard deviation "
        f"(SD) over {protocol.folds} folds{_averaged(protocol.seeds)}, not an interval, and no "
        "test of differences."
    )
    lines += differences
    lines.append(
        f"Gap: training less validation accuracy in points; ! marks {OVERFIT_POINTS:.0f} or more "
        f"(the paper's over-fit criterion). Latency: one image, fp32{_passes(record)}. "
        "Train s: mean per fold, when it was trained."
    )
    return lines + _classifier_notes(record) + remarks(record)


def _averaged(seeds: int) -> str:
    return f", each averaged over {seeds} seeds" if seeds > 1 else ""


def _classifier_notes(record: RunRecord) -> list[str]:
    """Say why classifiers of their own have neither size nor speed."""
    names = [module.label for module in record.modules if module.kind == "classifier"]
    if not names:
        return []
    what, their = ("a classifier of its own", "its")
    if len(names) > 1:
        what, their = ("classifiers of their own", "their")
    return [
        f"{', '.join(names)}: {what}, without the host: neither {their} size nor {their} speed is "
        "measured beside networks'. Train s: features and fit, on the CPU."
    ]


def _passes(record: RunRecord) -> str:
    """Say over how many passes latencies are medians, and how far repeats differ."""
    modes = [one for m in record.modules if m.speed and (one := m.speed.eager) is not None]
    if not modes:
        return ""
    rounds = [times for repeat in modes[0].stream for times in repeat.rounds_ms]
    text = f", median of {sum(map(len, rounds))} passes in {len(rounds)} interleaved rounds"
    spreads = [value for mode in modes if (value := mode.repeatability) is not None]
    if not spreads:
        return text
    where = "fresh processes" if record.protocol.speed.fresh else "repeats"
    return (
        f"{text} of {len(modes[0].stream)} {where}, whose medians lie within "
        f"{100 * max(spreads):.1f} % of each other"
    )


def remarks(record: RunRecord) -> list[str]:
    """Say what is odd about a run: its data, its modules, the plugins around it."""
    absent = sorted(
        {
            (fold.fold + 1, name)
            for module in record.modules
            for fold in module.trainings
            for name, row in zip(record.data.classes, fold.confusion, strict=True)
            if not any(row)
        }
    )
    lines = [
        f"Fold {fold} has no validation image of {name}: its accuracy is over the other classes."
        for fold, name in absent
    ]
    lines += record.data.notes
    lines += _test_notes(record.test) if record.test else []
    for module in record.modules:
        stuck = module.single_class_folds
        if stuck:
            lines.append(
                f"{module.label} predicts a single class in fold {', '.join(map(str, stuck))}."
            )
        lines += _execution_notes(module)
        if module.memory_format == "contiguous":
            lines.append(
                f"{module.label} runs on contiguous maps, slower than channels last, "
                "with which it fails."
            )
        if module.error:
            lines.append(f"{module.label} failed: {module.error}")
    return lines + list(record.problems)


def _execution_notes(module: ModuleRecord) -> list[str]:
    """Say where training was not executed as the others' was."""
    folds = module.trainings
    split = {(f.micro_batch, f.micro_batch_reason) for f in folds if f.micro_batch_reason}
    lines = [
        f"{module.label} was trained in parts of at most {size} images a pass ({reason}); their "
        "gradients add up to the batch's, but for a batch normalisation and what dropout drops."
        for size, reason in sorted(split, key=str)
    ]
    fallbacks = sorted({f.execution_fallback for f in folds if f.execution_fallback})
    return lines + [f"{module.label} was trained eagerly: {reason}" for reason in fallbacks]


def remarks_of(runs: Sequence[tuple[str, RunRecord]]) -> list[str]:
    """Say what is odd about several runs: first of all of them, then of each by its name."""
    found = [(name, remarks(record)) for name, record in runs]
    everywhere = [line for line in found[0][1] if all(line in lines for _, lines in found)]
    own = [f"{name}: {line}" for name, lines in found for line in lines if line not in everywhere]
    return everywhere + own


def _left_out(data: DataRecord) -> tuple[str, str]:
    """Return `kept of read images`, and what was left out in brackets."""
    kept, read = sum(data.images_kept.values()), sum(data.images_read.values())
    lost = "; ".join(f"{reason} {n}" for reason, n in data.excluded.items())
    return f"{kept} of {read} images", f" (left out: {lost})" if lost else ""


def _test_notes(test: DataRecord) -> list[str]:
    """Say what the cross-database test was made on."""
    images, lost = _left_out(test)
    chance = 100 / len(test.classes)
    return [
        f"Cross-database test: {images} of {test.name}{lost}, {len(test.classes)} classes "
        f"(an even guess among them {chance:.1f} %), "
        "all judged by the network of every fold. "
        "Over all: per fold the mean of the age groups.",
        *(f"{test.name}: {note}" for note in test.notes),
    ]


def title(record: RunRecord, without: Container[str] = ()) -> str:
    """Say what a table is about: preset and what was changed in it, split, data, device.

    Args:
        record: What was run.
        without: Settings that the table itself tells.
    """
    changes = record.protocol.told_changes(without)
    changed = f" with {changes}" if changes else ""
    data = record.data.name + (f", tested on {record.test.name}" if record.test else "")
    drawn = " (drawn faces)" if record.drawn else ""
    environment = record.environment
    threads = f", {environment.threads} threads" if environment.device == "cpu" else ""
    split = "" if "split" in without else f"{record.protocol.split} "
    return (
        f"Preset {record.protocol.preset}{changed} · {record.protocol.folds} {split}folds · "
        f"{data}{drawn} · {environment.device_name}{threads}"
    )
