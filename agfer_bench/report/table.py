"""The comparison table: from a record to a data frame, and to what people read."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from io import StringIO
from typing import Any

import numpy as np
import pandas as pd
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.terminal_theme import SVG_EXPORT_THEME
from rich.text import Text

from agfer_bench.accuracy import single_class
from agfer_bench.records import OVERFIT_POINTS, ModuleRecord, RunRecord

DRAWN_NOTICE = (
    "Measured on drawn (synthetic) faces: shows that everything works, tells nothing about people."
)


def comparison(record: RunRecord) -> pd.DataFrame:
    """Return a row per module with every number of the comparison.

    Accuracies and recalls are 0..1, standard deviations are sample standard deviations over
    folds, times are in the unit that the column's name gives. What was not measured is missing.
    """
    return pd.DataFrame([_row(module, record) for module in record.modules])


def _row(module: ModuleRecord, record: RunRecord) -> dict[str, Any]:
    # A block that trained on all folds keeps its accuracy, even if it failed in the timing.
    trained = len(module.folds) == record.protocol.folds
    row: dict[str, Any] = {
        "module": module.label,
        "drawn_faces": record.data.drawn,
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
        "latency_ratio_to_base": speed.ratio_to_base if speed else None,
    }
    folds = module.folds if trained else ()
    row["train_seconds_per_fold"] = _mean([fold.training_seconds for fold in folds])
    row["peak_memory_bytes"] = max((fold.peak_memory_bytes for fold in folds), default=None)
    return row | {
        "source": module.source,
        "distribution": module.distribution,
        "version": module.version,
    }


def _accuracy(module: ModuleRecord | None, record: RunRecord) -> dict[str, Any]:
    folds = module.folds if module else ()
    accuracies = [fold.accuracy for fold in folds]
    train = [fold.train_accuracy for fold in folds]
    masked = [value for fold in folds if (value := fold.masked_accuracy) is not None]
    recalls = np.array([fold.recalls for fold in folds])
    row: dict[str, Any] = {
        "folds": len(folds),
        "accuracy_mean": _mean(accuracies),
        "accuracy_sd": statistics.stdev(accuracies) if len(accuracies) > 1 else None,
        "train_accuracy_mean": _mean(train),
        "masked_accuracy_mean": _mean(masked),
        "overfit": module.overfit if module and folds else None,
    }
    for number, name in enumerate(record.data.classes):
        seen = [float(v) for v in recalls[:, number] if np.isfinite(v)] if len(recalls) else []
        row[f"recall_{name}_mean"] = _mean(seen)
        row[f"recall_{name}_sd"] = statistics.stdev(seen) if len(seen) > 1 else None
    return row


def _mean(values: Sequence[float]) -> float | None:
    return statistics.mean(values) if values else None


COLUMN_GROUPS = {
    "Accuracy": ("Accuracy %", "Train %", "Gap"),
    "Size": ("Block params", "Params", "MACs", "Layers", "Memory"),
    "Time": ("Latency ms", "p95 ms", "Hz", "× base", "Train s"),
}
"""The columns of the comparison, and how they part on a narrow screen."""

MAIN_COLUMNS = ("Module", *(name for names in COLUMN_GROUPS.values() for name in names))

FULL_WIDTH = 145
"""Columns that the whole table takes, with some room for long labels."""


def _main_cells(row: dict[str, Any]) -> list[str]:
    gap = None
    if row["train_accuracy_mean"] is not None:
        gap = row["train_accuracy_mean"] - row["accuracy_mean"]
    return [
        row["module"],
        percent(row["accuracy_mean"], row["accuracy_sd"]),
        percent(row["train_accuracy_mean"]),
        "–" if gap is None else f"{100 * gap:.1f}" + (" !" if row["overfit"] else ""),
        count(row["block_parameters"]),
        count(row["parameters"]),
        quantity(row["macs"]),
        count(row["layers"]),
        quantity(row["peak_memory_bytes"], "B"),
        number(row["latency_median_ms"], 2),
        number(row["latency_p95_ms"], 2),
        number(row["hz"], 0 if (row["hz"] or 0) >= 100 else 1),
        number(row["latency_ratio_to_base"], 2),
        number(row["train_seconds_per_fold"], 1),
    ]


def _class_cells(row: dict[str, Any], classes: Sequence[str]) -> list[str]:
    cells = [percent(row[f"recall_{c}_mean"], row[f"recall_{c}_sd"], 0) for c in classes]
    return [row["module"], *cells]


def to_json(record: RunRecord) -> dict[str, Any]:
    """Return title, notes and rows as plain values."""
    return {
        "title": title(record),
        "drawn_faces": record.data.drawn,
        "notes": notes(record),
        "protocol": record.protocol.model_dump(mode="json"),
        "rows": rows_of(record),
    }


def rows_of(record: RunRecord) -> list[dict[str, Any]]:
    """Return the comparison as plain dictionaries, with None for what was not measured."""
    return [_row(module, record) for module in record.modules]


def notes(record: RunRecord) -> list[str]:
    """Say what the table's numbers mean, and what a reader should be warned of."""
    data, protocol = record.data, record.protocol
    chance = 100 / len(data.classes)
    lines = [DRAWN_NOTICE] if data.drawn else []
    kept, read = sum(data.images_kept.values()), sum(data.images_read.values())
    lost = "; ".join(f"{reason} {n}" for reason, n in data.excluded.items())
    who = f" of {data.subjects} subjects" if data.subjects else ""
    lines.append(
        f"{kept} of {read} images{who}"
        + (f" (left out: {lost})" if lost else "")
        + f", {len(data.classes)} classes, chance {chance:.1f} %."
    )
    lines.append(
        f"Accuracy: mean per-class recall after the last epoch; ± is the sample standard deviation "
        f"(SD) over {protocol.folds} folds, not an interval, and no test of differences."
    )
    lines.append(
        f"Gap: training less validation accuracy in points; ! marks {OVERFIT_POINTS:.0f} or more "
        "(the paper's over-fit criterion). Latency: one image, fp32, median of "
        f"{protocol.speed.rounds * protocol.speed.passes} passes in "
        f"{protocol.speed.rounds} interleaved rounds. Train s: mean per fold, when it was trained."
    )
    absent = sorted(
        {
            (fold.fold + 1, name)
            for module in record.modules
            for fold in module.folds
            for name, row in zip(data.classes, fold.confusion, strict=True)
            if not any(row)
        }
    )
    lines += [
        f"Fold {fold} has no validation image of {name}: its accuracy is over the other classes."
        for fold, name in absent
    ]
    lines += data.notes
    for module in record.modules:
        stuck = [f.fold + 1 for f in module.folds if single_class(np.array(f.confusion))]
        if stuck:
            lines.append(
                f"{module.label} predicts a single class in fold {', '.join(map(str, stuck))}."
            )
        if module.memory_format == "contiguous":
            lines.append(
                f"{module.label} runs on contiguous maps, slower than channels last, "
                "with which it fails."
            )
        if module.error:
            lines.append(f"{module.label} failed: {module.error}")
    return lines + list(record.problems)


def to_rich(record: RunRecord, width: int = FULL_WIDTH) -> RenderableType:
    """Return the tables and notes for a terminal of `width` columns.

    A narrow terminal gets a table for each group of columns in place of one for all.
    """
    rows = rows_of(record)
    cells = [dict(zip(MAIN_COLUMNS, _main_cells(row), strict=True)) for row in rows]
    groups = COLUMN_GROUPS if width < FULL_WIDTH else {None: MAIN_COLUMNS[1:]}
    tables = []
    for heading, names in groups.items():
        table = Table(title=heading, title_justify="left")
        columns = ("Module", *names)
        _fill(table, columns, [[line[name] for name in columns] for line in cells], rows)
        tables.append(table)
    classes = record.data.classes
    recalls = Table(title="Recall per class, % ± SD", title_justify="left")
    lines = [_class_cells(row, classes) for row in rows]
    if width < FULL_WIDTH:
        turned = [list(line) for line in zip(("", *classes), *lines, strict=True)]
        _fill(recalls, turned[0], turned[1:])
    else:
        _fill(recalls, ("Module", *classes), lines, rows)
    remarks = [Text(line, style="dim") for line in notes(record)]
    return Group(Text(title(record), style="bold"), *tables, recalls, *remarks)


def to_svg(record: RunRecord) -> str:
    """Draw the tables and notes as an SVG picture."""
    console = Console(record=True, width=190, file=StringIO())
    console.print(to_rich(record))
    # Rich's own frame loads a font from the web; a picture should open without one.
    frame = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    return console.export_svg(title="agfer-bench", code_format=frame, theme=SVG_EXPORT_THEME)


def _fill(
    table: Table,
    columns: Sequence[str],
    cells: list[list[str]],
    rows: list[dict[str, Any]] | None = None,
) -> None:
    """Fill a table; the lines of `rows` that hold an error are red."""
    for position, name in enumerate(columns):
        table.add_column(Text(name), justify="right" if position else "left", no_wrap=True)
    for position, line in enumerate(cells):
        failed = rows is not None and rows[position]["error"]
        # Labels hold what users typed: as Text, brackets in them are no markup.
        table.add_row(*map(Text, line), style="red" if failed else None)


def to_markdown(record: RunRecord) -> str:
    """Return title, tables and notes as Markdown."""
    rows = rows_of(record)
    classes = record.data.classes
    main = pd.DataFrame([_main_cells(row) for row in rows], columns=list(MAIN_COLUMNS))
    recalls = pd.DataFrame(
        [_class_cells(row, classes) for row in rows], columns=["Module", *classes]
    )
    parts = [
        f"# {title(record)}",
        _markdown(main),
        "Recall per class, % ± SD:",
        _markdown(recalls),
        "\n".join(f"- {line}" for line in notes(record)),
    ]
    return "\n\n".join(parts) + "\n"


def _markdown(frame: pd.DataFrame) -> str:
    escaped = frame.map(lambda cell: cell.replace("|", "\\|"))
    align = ["left"] + ["right"] * (len(frame.columns) - 1)
    return escaped.to_markdown(index=False, colalign=align, disable_numparse=True)


def title(record: RunRecord) -> str:
    """Say what a table is about: preset and what was changed in it, split, data, device."""
    changes = record.protocol.changes()
    changed = " with " + ", ".join(f"{k}={v}" for k, v in changes.items()) if changes else ""
    drawn = " (drawn faces)" if record.data.drawn else ""
    environment = record.environment
    threads = f", {environment.threads} threads" if environment.device == "cpu" else ""
    return (
        f"Preset {record.protocol.preset}{changed} · {record.protocol.folds} "
        f"{record.protocol.split} folds · {record.data.name}{drawn} · "
        f"{environment.device_name}{threads}"
    )


def percent(value: float | None, deviation: float | None = None, digits: int = 1) -> str:
    """Write a share as per cent, with its deviation if there is one.

    >>> percent(0.8919, 0.0075)
    '89.2 ± 0.8'
    """
    if value is None:
        return "–"
    text = f"{100 * value:.{digits}f}"
    return text if deviation is None else f"{text} ± {100 * deviation:.{digits}f}"


def number(value: float | None, digits: int) -> str:
    """Write a number, or a dash for none."""
    return "–" if value is None else f"{value:,.{digits}f}"


def count(value: int | None) -> str:
    """Write a whole number, or a dash for none.

    >>> count(44419)
    '44,419'
    """
    return "–" if value is None else f"{value:,}"


def quantity(value: float | None, unit: str = "") -> str:
    """Write a large number with an SI prefix, or a dash for none.

    >>> quantity(15_800_000_000), quantity(2_500_000, "B")
    ('15.8 G', '2.5 MB')
    """
    if value is None:
        return "–"
    for prefix, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.1f} {prefix}{unit}"
    return f"{value:.0f} {unit}".strip()
