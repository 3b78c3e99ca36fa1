"""Every module at its own best learning rate, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import mean
from typing import Any

import pandas as pd
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from agfer_bench.records.run import RunRecord
from agfer_bench.report.notes import DRAWN_NOTICE, title
from agfer_bench.report.numbers import percent
from agfer_bench.report.summary import accuracy_columns
from agfer_bench.report.table import differences_markdown, differences_table, markdown_table
from agfer_bench.report.verdicts import Judged, entrants_of, judge, notes_on, to_rows


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The learning rate that was chosen for a module and a fold."""

    module: str
    """Label of the module."""
    fold: int
    """Number of the fold, counted from 0."""
    rate: float | None
    """The rate; None where none of them works."""
    accuracies: Mapping[float, float]
    """Mean accuracy over the inner folds with each rate that works, 0..1."""


@dataclass(frozen=True, kw_only=True)
class TunedRates:
    """Modules trained with learning rates of their own."""

    rates: tuple[float, ...]
    """Those that were tried, ascending."""
    record: RunRecord
    """The modules as trained, each fold with its rate; the protocol's own rate does not count."""
    choices: tuple[Choice, ...]
    """A choice for each module and fold."""

    @property
    def judged(self) -> Judged:
        """The blocks, each compared with base."""
        return judge(entrants_of(self.record))


COLUMNS = ("Module", "Rates by fold", "Inner accuracy %", "Accuracy %")


def rows_of(found: TunedRates) -> list[dict[str, Any]]:
    """Return a row for each module: chosen rates, accuracy on inner folds and on the folds."""
    rows = []
    for module in found.record.modules:
        own = [one for one in found.choices if one.module == module.label]
        whole = module.complete(found.record.protocol)
        columns = accuracy_columns(module if whole else None, found.record)
        inner = [one.accuracies[one.rate] for one in own if one.rate is not None]
        rows.append(
            {
                "module": module.label,
                "rates": [one.rate for one in own],
                "inner_accuracy_mean": mean(inner) if inner else None,
                "accuracy_mean": columns["accuracy_mean"],
                "accuracy_sd": columns["accuracy_sd"],
                "error": module.error or "",
            }
        )
    return rows


def frame_of(found: TunedRates) -> pd.DataFrame:
    """Return a row for each module, fold and rate: its accuracy on inner folds, and if chosen."""
    return pd.DataFrame(
        [
            {
                "module": one.module,
                "fold": one.fold,
                "learning_rate": rate,
                "inner_accuracy": one.accuracies.get(rate),
                "chosen": rate == one.rate,
            }
            for one in found.choices
            for rate in found.rates
        ]
    )


def title_of(found: TunedRates) -> str:
    """Say what was done."""
    return f"Each module at its own best learning rate · {title(found.record, {'learning_rate'})}"


def notes_of(found: TunedRates) -> list[str]:
    """Say what the numbers mean, and where the choice of rates was too narrow."""
    folds = found.record.protocol.folds
    tried = ", ".join(f"{rate:g}" for rate in found.rates)
    lines = [DRAWN_NOTICE] if found.record.drawn else []
    lines += [
        f"Learning rates tried: {tried}. For each module and fold the best was chosen by one "
        f"training on each of {folds} inner folds, which divide that fold's training images; the "
        "images that a fold is judged on had no part in the choice.",
        "Inner accuracy: at the chosen rates, on inner folds; it chose, and is too high for that.",
        "Verdicts and intervals take the chosen rates as given: another choice could move them "
        "further.",
    ]
    for module in found.record.modules:
        chosen = [o.rate for o in found.choices if o.module == module.label and o.rate is not None]
        for end, which in ((found.rates[0], "lowest"), (found.rates[-1], "highest")):
            times = chosen.count(end)
            if times:
                lines.append(
                    f"{module.label}: the {which} rate was chosen in {times} of {len(chosen)} "
                    "folds; a rate beyond it may be better (--values)."
                )
    return [*lines, *notes_on(found.judged), *_failures(found)]


def _failures(found: TunedRates) -> list[str]:
    return [f"{one.label}: {one.error}" for one in found.record.modules if one.error]


def _cells(row: dict[str, Any]) -> list[str]:
    rates = ", ".join("–" if rate is None else f"{rate:g}" for rate in row["rates"])
    return [
        row["module"],
        rates or "–",
        percent(row["inner_accuracy_mean"]),
        percent(row["accuracy_mean"], row["accuracy_sd"]),
    ]


def to_rich(found: TunedRates) -> RenderableType:
    """Return tables and notes for a terminal."""
    table = Table(title_justify="left")
    for position, name in enumerate(COLUMNS):
        table.add_column(name, justify="right" if position > 1 else "left", no_wrap=True)
    for row in rows_of(found):
        table.add_row(*map(Text, _cells(row)), style="red" if row["error"] else None)
    notes = [Text(line, style="dim") for line in notes_of(found)]
    parts = differences_table(found.judged.contrasts)
    return Group(Text(title_of(found), style="bold"), table, *parts, *notes)


def to_markdown(found: TunedRates) -> str:
    """Return title, tables and notes as Markdown."""
    frame = pd.DataFrame([_cells(row) for row in rows_of(found)], columns=list(COLUMNS))
    parts = [
        f"# {title_of(found)}",
        markdown_table(frame, texts=2),
        *differences_markdown(found.judged),
        "\n".join(f"- {line}" for line in notes_of(found)),
    ]
    return "\n\n".join(parts) + "\n"


def to_json(found: TunedRates) -> dict[str, Any]:
    """Return title, notes, rows and differences as plain values."""
    return {
        "title": title_of(found),
        "notes": notes_of(found),
        "rows": rows_of(found),
        "differences": to_rows(found.judged),
    }
