"""The speed comparison as people read it: terminal, Markdown, JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from agfer_bench.records.speed import SpeedRun
from agfer_bench.report.numbers import number, percent, quantity
from agfer_bench.report.speed_notes import notes, title
from agfer_bench.report.speed_rows import frame_of as frame_of
from agfer_bench.report.speed_rows import rows_of
from agfer_bench.report.table import FULL_WIDTH, markdown_table

TableRow = dict[str, Any]
Write = Callable[[TableRow], str]


@dataclass(frozen=True, kw_only=True)
class _Part:
    title: str
    """What stands above."""
    columns: dict[str, Write]
    """How each column is written, after module and mode."""
    narrow: tuple[tuple[str, ...], ...]
    """The columns of the tables that stand for it where it is too wide."""
    shown: Callable[[TableRow], bool] = lambda _: True
    """Which rows are in it."""


def to_rich(record: SpeedRun, width: int = FULL_WIDTH) -> RenderableType:
    """Return tables and notes for a terminal of `width` columns.

    A table that is too wide is shown in parts.
    """
    tables: list[Table] = []
    for part, rows in _parts(record):
        whole = _table(part.title, part.columns, rows)
        if _columns_taken(whole) <= width:
            tables.append(whole)
            continue
        for position, names in enumerate(part.narrow):
            columns = {name: part.columns[name] for name in names}
            tables.append(_table(None if position else part.title, columns, rows))
    lines = [Text(line, style="dim") for line in notes(record)]
    return Group(Text(title(record), style="bold"), *tables, *lines)


def _table(title: str | None, columns: dict[str, Write], rows: Sequence[TableRow]) -> Table:
    table = Table(title=title, title_justify="left")
    for position, name in enumerate(("Module", "Mode", *columns)):
        table.add_column(Text(name), justify="left" if position < 2 else "right", no_wrap=True)
    for row in rows:
        cells = [row["module"], row["mode"], *(write(row) for write in columns.values())]
        # Labels hold what users typed: as Text, brackets in them are no markup.
        table.add_row(*map(Text, cells), style="red" if row["error"] else None)
    return table


def _columns_taken(table: Table) -> int:
    console = Console(width=1000)
    return Measurement.get(console, console.options, table).maximum


def to_markdown(record: SpeedRun) -> str:
    """Return title, tables and notes as Markdown."""
    parts = [f"# {title(record)}"]
    for part, rows in _parts(record):
        cells = [
            [row["module"], row["mode"], *(write(row) for write in part.columns.values())]
            for row in rows
        ]
        frame = pd.DataFrame(cells, columns=["Module", "Mode", *part.columns])
        parts += [f"{part.title}:", markdown_table(frame, texts=2)]
    parts.append("\n".join(f"- {line}" for line in notes(record)))
    return "\n\n".join(parts) + "\n"


def to_json(record: SpeedRun) -> dict[str, Any]:
    """Return title, notes and rows as plain values."""
    return {
        "title": title(record),
        "notes": notes(record),
        "protocol": record.protocol.model_dump(mode="json"),
        "peak": record.peak.model_dump(mode="json") if record.peak else None,
        "rows": rows_of(record),
    }


def _parts(record: SpeedRun) -> list[tuple[_Part, Sequence[TableRow]]]:
    """Return the tables that have rows."""
    rows = rows_of(record)
    chosen = [(part, [row for row in rows if part.shown(row)]) for part in _PARTS]
    return [(part, found) for part, found in chosen if found]


def _times(name: str, digits: int = 2) -> Write:
    return lambda row: number(row[name], digits)


def _rate(name: str) -> Write:
    return lambda row: number(row[name], 0 if (row[name] or 0) >= 100 else 1)


def _way(row: TableRow) -> str:
    """Say how the network is run, and which mode is the fastest; * marks what failed."""
    if row["precision"] is None:
        return "–"
    words = [row["precision"], row["execution"]]
    if row["memory_format"] == "contiguous":
        words.insert(1, "contiguous")
    mark = " (fastest)" if row["fastest"] else ""
    return ", ".join(words) + (" *" if row["fallback"] else "") + mark


def _less(name: str, digits: int = 3) -> Write:
    def write(row: TableRow) -> str:
        value = row[name]
        return "–" if value is None else f"{value:+.{digits}f}".replace("-", "−")

    return write


def _interval(low: str, high: str) -> Write:
    def write(row: TableRow) -> str:
        if row[low] is None or row[high] is None:
            return "–"
        return f"{_less(low)(row)} … {_less(high)(row)}"

    return write


def _more(name: str, unit: str = "") -> Write:
    def write(row: TableRow) -> str:
        value = row[name]
        if value is None:
            return "–"
        sign = "−" if value < 0 else "+"
        return sign + quantity(abs(value), unit)

    return write


_PARTS = (
    _Part(
        title="Single stream: one image after another",
        columns={
            "Run as": _way,
            "Median ms": _times("latency_median_ms", 3),
            "p95 ms": _times("latency_p95_ms", 3),
            "p99 ms": _times("latency_p99_ms", 3),
            "Hz": _rate("hz"),
            "× 25 Hz": _times("times_25_hz", 1),
            "× 30 Hz": _times("times_30_hz", 1),
            "× base": _times("latency_ratio_to_base"),
            "Repeats within": lambda row: _share(row["repeatability"]),
        },
        narrow=(
            ("Median ms", "p95 ms", "p99 ms", "× base"),
            ("Hz", "× 25 Hz", "× 30 Hz", "Repeats within"),
        ),
    ),
    _Part(
        title="Offline: best throughput over batch sizes",
        columns={
            "Best batch": lambda row: number(row["best_batch_size"], 0),
            "Images/s": _rate("images_per_second"),
            "× base": _times("throughput_ratio_to_base"),
            "Search ended": lambda row: row["offline_end"] or "–",
        },
        narrow=(("Best batch", "Images/s", "× base"),),
        shown=lambda row: row["offline_end"] is not None,
    ),
    _Part(
        title="What the block adds to base",
        columns={
            "Δ ms": _less("marginal_ms"),
            "95 % over processes": _interval("marginal_low_ms", "marginal_high_ms"),
            "Range over repeats": _interval("marginal_repeats_low_ms", "marginal_repeats_high_ms"),
            "Δ memory": _more("marginal_memory_bytes", "B"),
            "Δ MACs": _more("marginal_macs"),
            "Δ params": _more("marginal_parameters"),
        },
        narrow=(
            ("Δ ms", "95 % over processes", "Δ memory"),
            ("Range over repeats", "Δ MACs", "Δ params"),
        ),
        shown=lambda row: row["marginal_ms"] is not None,
    ),
    _Part(
        title="Camera to label: one frame after another",
        columns={
            "Decode ms": _times("camera_decode_ms"),
            "Detect, crop ms": _times("camera_crop_ms"),
            "Infer ms": _times("camera_infer_ms"),
            "Total ms": _times("camera_total_ms"),
            "Hz": _rate("camera_hz"),
        },
        narrow=(("Decode ms", "Detect, crop ms"), ("Infer ms", "Total ms", "Hz")),
        shown=lambda row: row["camera_total_ms"] is not None,
    ),
)


def _share(value: float | None) -> str:
    return "–" if value is None else f"{percent(value)} %"
