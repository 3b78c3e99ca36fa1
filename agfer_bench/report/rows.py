"""The comparison as data: from a record to rows, and what must be said beside them."""

from __future__ import annotations

from typing import Any

import pandas as pd

from agfer_bench.records.run import ModuleRecord, RunRecord
from agfer_bench.report.summary import accuracy_columns, cross_columns, mean, ratio_to_base


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
    row |= accuracy_columns(module if trained else None, record)
    size, speed = module.size, module.speed
    row |= {
        "parameters": size.parameters if size else None,
        "block_parameters": size.block_parameters if size else None,
        "macs": size.macs if size else None,
        "layers": size.layers if size else None,
        "latency_median_ms": speed.median_ms if speed else None,
        "latency_p95_ms": speed.p95_ms if speed else None,
        "hz": speed.hz if speed else None,
        "latency_ratio_to_base": ratio_to_base(module, record),
    }
    row |= cross_columns(module if trained else None, record)
    trainings = module.trainings if trained else ()
    row["train_seconds_per_fold"] = mean([fold.training_seconds for fold in trainings])
    peaks = [peak for fold in trainings if (peak := fold.peak_memory_bytes) is not None]
    row["peak_memory_bytes"] = max(peaks, default=None)
    return row | {
        "source": module.source,
        "distribution": module.distribution,
        "version": module.version,
    }


def rows_of(record: RunRecord) -> list[dict[str, Any]]:
    """Return the comparison as plain dictionaries, with None for what was not measured."""
    return [row_of(module, record) for module in record.modules]
