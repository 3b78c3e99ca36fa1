"""The comparison table as people read it: terminal, Markdown, picture, JSON."""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import StringIO
from typing import Any

import pandas as pd
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.terminal_theme import SVG_EXPORT_THEME
from rich.text import Text

from agfer_bench.comparison.contrasts import Contrast
from agfer_bench.comparison.controls import Worth
from agfer_bench.records.run import RunRecord
from agfer_bench.report import controls
from agfer_bench.report.notes import notes, title
from agfer_bench.report.numbers import count, number, percent, quantity, signed
from agfer_bench.report.rows import rows_of
from agfer_bench.report.verdicts import Judged, entrants_of, judge, notes_on, to_rows

ACCURACY, MASKED = "Accuracy %", "Masked %"
COLUMN_GROUPS = {
    "Accuracy": (ACCURACY, MASKED, "Train %", "Gap"),
    "Size": ("Block params", "Params", "MACs", "Layers", "Memory"),
    "Time": ("Latency ms", "p95 ms", "Hz", "× base", "Train s"),
}
"""The columns of the comparison, and how they part on a narrow screen."""

MAIN_COLUMNS = ("Module", *(name for names in COLUMN_GROUPS.values() for name in names))

FULL_WIDTH = 145
"""Columns that the whole table takes, with some room for long labels."""

_MASKED_WIDTH = 11
"""What the column of masked accuracies takes beside."""


def _main_cells(row: dict[str, Any]) -> list[str]:
    gap = None
    if row["train_accuracy_mean"] is not None:
        gap = row["train_accuracy_mean"] - row["accuracy_mean"]
    return [
        row["module"],
        percent(row["accuracy_mean"], row["accuracy_sd"]),
        percent(row["masked_accuracy_mean"]),
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


def _shown(columns: Sequence[str], record: RunRecord) -> tuple[str, ...]:
    """Return the columns that say something of a record: without guidance nothing is masked."""
    return tuple(name for name in columns if name != MASKED or record.protocol.guidance)


def _class_cells(row: dict[str, Any], classes: Sequence[str]) -> list[str]:
    cells = [percent(row[f"recall_{c}_mean"], row[f"recall_{c}_sd"], 0) for c in classes]
    return [row["module"], *cells]


def _cross_columns(record: RunRecord) -> list[str]:
    """Name the columns of the cross-database test."""
    test = record.test
    if test is None:
        return []
    absent = record.absent_classes
    columns = ["Module", "Accuracy %", *test.groups]
    return columns + ([f"Called {' or '.join(absent)} %"] if absent else [])


def _test_cells(row: dict[str, Any], record: RunRecord) -> list[str]:
    groups = record.test.groups if record.test else {}
    cells = [row["module"], percent(row["test_accuracy_mean"], row["test_accuracy_sd"])]
    cells += [
        percent(row[f"test_age_{group}_mean"], row[f"test_age_{group}_sd"]) for group in groups
    ]
    cells.append(percent(row["test_absent_share"]))
    return cells[: len(_cross_columns(record))]


def to_rich(record: RunRecord, width: int | None = None) -> RenderableType:
    """Return the tables and notes for a terminal of `width` columns; None: wide enough.

    A narrow terminal gets a table for each group of columns in place of one for all.
    """
    full = FULL_WIDTH + _MASKED_WIDTH * record.protocol.guidance
    narrow = width is not None and width < full
    rows = rows_of(record)
    judged = judge(entrants_of(record))
    cells = [dict(zip(MAIN_COLUMNS, _main_cells(row), strict=True)) for row in rows]
    groups: dict[str | None, tuple[str, ...]] = {None: _shown(MAIN_COLUMNS[1:], record)}
    if narrow:
        groups = {name: _shown(columns, record) for name, columns in COLUMN_GROUPS.items()}
    tables = []
    for heading, names in groups.items():
        table = Table(title=heading, title_justify="left")
        columns = ("Module", *names)
        _fill(table, columns, [[line[name] for name in columns] for line in cells], rows, judged)
        tables.append(table)
    classes = record.data.classes
    recalls = Table(title="Recall per class, % ± SD", title_justify="left")
    lines = [_class_cells(row, classes) for row in rows]
    if narrow:
        turned = [list(line) for line in zip(("", *classes), *lines, strict=True)]
        _fill(recalls, turned[0], turned[1:])
    else:
        _fill(recalls, ("Module", *classes), lines, rows)
    worth = controls.is_it_attention(entrants_of(record))
    parts = [*tables, *differences_table(judged.contrasts), *controls_table(worth), recalls]
    if record.test is not None:
        cross = Table(title=f"Cross-database test on {record.test.name}", title_justify="left")
        _fill(cross, _cross_columns(record), [_test_cells(row, record) for row in rows], rows)
        parts.append(cross)
    remarks = [Text(line, style="dim") for line in _notes(record, judged, worth)]
    return Group(Text(title(record), style="bold"), *parts, *remarks)


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
    judged: Judged | None = None,
) -> None:
    """Fill a table; the lines of `rows` that hold an error are red.

    The accuracies that are ahead of base's are bold.
    """
    for position, name in enumerate(columns):
        table.add_column(Text(name), justify="right" if position else "left", no_wrap=True)
    for position, line in enumerate(cells):
        failed = rows is not None and rows[position]["error"]
        # Labels hold what users typed: as Text, brackets in them are no markup.
        texts = [Text(cell) for cell in line]
        if judged is not None and line[0] in judged.ahead and ACCURACY in columns:
            texts[columns.index(ACCURACY)].stylize("bold")
        table.add_row(*texts, style="red" if failed else None)


def to_markdown(record: RunRecord) -> str:
    """Return title, tables and notes as Markdown."""
    rows = rows_of(record)
    judged = judge(entrants_of(record))
    worth = controls.is_it_attention(entrants_of(record))
    classes = record.data.classes
    main = pd.DataFrame([_main_cells(row) for row in rows], columns=list(MAIN_COLUMNS))
    main = main[list(_shown(MAIN_COLUMNS, record))]
    best = main["Module"].isin(judged.ahead)
    main.loc[best, ACCURACY] = "**" + main.loc[best, ACCURACY] + "**"
    recalls = pd.DataFrame(
        [_class_cells(row, classes) for row in rows], columns=["Module", *classes]
    )
    parts = [
        f"# {title(record)}",
        markdown_table(main),
        *differences_markdown(judged),
        *_controls_markdown(worth),
        "Recall per class, % ± SD:",
        markdown_table(recalls),
        *_test_markdown(record, rows),
        "\n".join(f"- {line}" for line in _notes(record, judged, worth)),
    ]
    return "\n\n".join(parts) + "\n"


def difference_columns(found: Sequence[Contrast]) -> list[str]:
    """Name the columns of differences."""
    adjusted = " (Holm)" if any(one.pairs > 1 for one in found) else ""
    return [
        *("Module", "Against", "Verdict", "Δ points", "95 % interval", f"p{adjusted}"),
        *("P worse %", "P equivalent %", "P better %", "Detectable"),
    ]


def difference_cells(one: Contrast) -> list[str]:
    """Return a pair's numbers as texts, in points and per cent."""
    interval, chances = one.interval, one.chances
    parts = [chances.worse, chances.equivalent, chances.better] if chances else [None] * 3
    return [
        one.first,
        one.second,
        one.verdict,
        signed(one.estimate),
        f"{signed(interval[0])} to {signed(interval[1])}" if interval else "–",
        number(one.adjusted, 3),
        *(number(None if part is None else 100 * part, 0) for part in parts),
        number(None if one.detectable is None else 100 * one.detectable, 1),
    ]


def differences_table(found: Sequence[Contrast]) -> list[Table]:
    """Return the table of differences; none where nothing was compared."""
    if not found:
        return []
    table = Table(title="Differences of accuracy", title_justify="left")
    for position, name in enumerate(difference_columns(found)):
        table.add_column(name, justify="right" if position > 2 else "left", no_wrap=True)
    for one in found:
        bold = "bold" if one.verdict in ("ahead", "behind") else ""
        table.add_row(*map(Text, difference_cells(one)), style=bold)
    return [table]


def differences_markdown(judged: Judged) -> list[str]:
    """Return the table of differences as Markdown; none where nothing was compared."""
    if not judged.contrasts:
        return []
    lines = [difference_cells(one) for one in judged.contrasts]
    frame = pd.DataFrame(lines, columns=difference_columns(judged.contrasts))
    return ["Differences of accuracy:", markdown_table(frame, texts=3)]


def controls_table(found: Sequence[Worth]) -> list[Table]:
    """Return the table of what blocks are worth over their controls; none without controls.

    What a block is ahead of, or behind, is bold.
    """
    if not found:
        return []
    kinds = controls.columns(found)
    table = Table(title=controls.TITLE, title_justify="left")
    for position, name in enumerate(controls.headings(found)):
        table.add_column(name, justify="right" if position else "left", no_wrap=True)
    for one in found:
        label, *texts = map(Text, controls.cells(one, kinds))
        for text, kind in zip(texts, kinds, strict=True):
            text.stylize("bold" if controls.settled(one, kind) else "")
        table.add_row(label, *texts)
    return [table]


def _controls_markdown(found: Sequence[Worth]) -> list[str]:
    if not found:
        return []
    kinds = controls.columns(found)
    lines = [controls.cells(one, kinds) for one in found]
    for line, one in zip(lines, found, strict=True):
        for place, kind in enumerate(kinds, start=1):
            if controls.settled(one, kind):
                line[place] = f"**{line[place]}**"
    frame = pd.DataFrame(lines, columns=controls.headings(found))
    return [f"{controls.TITLE}:", markdown_table(frame)]


def _test_markdown(record: RunRecord, rows: list[dict[str, Any]]) -> list[str]:
    if record.test is None:
        return []
    cells = [_test_cells(row, record) for row in rows]
    frame = pd.DataFrame(cells, columns=_cross_columns(record))
    return [f"Cross-database test on {record.test.name}:", markdown_table(frame)]


def markdown_table(frame: pd.DataFrame, texts: int = 1) -> str:
    """Write a frame of texts as a Markdown table; the first `texts` columns stand to the left."""
    escaped = frame.map(lambda cell: cell.replace("|", "\\|"))
    align = ["left"] * texts + ["right"] * (len(frame.columns) - texts)
    return escaped.to_markdown(index=False, colalign=align, disable_numparse=True)


def to_json(record: RunRecord) -> dict[str, Any]:
    """Return title, notes, rows and paired differences as plain values."""
    judged = judge(entrants_of(record))
    worth = controls.is_it_attention(entrants_of(record))
    return {
        "title": title(record),
        "drawn_faces": record.drawn,
        "notes": _notes(record, judged, worth),
        "protocol": record.protocol.model_dump(mode="json"),
        "rows": rows_of(record),
        "differences": to_rows(judged),
        "controls": controls.to_rows(worth),
        "ahead_of_base": sorted(judged.ahead),
    }


def _notes(record: RunRecord, judged: Judged, worth: Sequence[Worth]) -> list[str]:
    lines = notes_on(judged)
    if judged.ahead:
        lines.append("Bold: the accuracies that are ahead of base's by this test.")
    lines += controls.notes(worth)
    return notes(record, lines)
