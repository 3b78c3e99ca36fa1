"""An ablation as data and as a table: modules and one setting's values, differences paired."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from agfer_bench.comparison.contrasts import between_protocols
from agfer_bench.comparison.factorial import Factorial
from agfer_bench.comparison.inference import FEWEST_TRAININGS
from agfer_bench.comparison.outcomes import Entrant
from agfer_bench.errors import UserError
from agfer_bench.protocol import OFFICIAL
from agfer_bench.records.run import ModuleRecord, RunRecord
from agfer_bench.report import factorial
from agfer_bench.report.factorial import guidance_factorials
from agfer_bench.report.notes import DRAWN_NOTICE, remarks_of, title
from agfer_bench.report.numbers import number, percent, signed
from agfer_bench.report.summary import deviation_over, mean_and_sd, over_folds
from agfer_bench.report.table import markdown_table


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One setting and the values that it is given."""

    name: str
    """Name on the command line."""
    setting: str
    """Name of the protocol's field, or of the blocks' option."""
    values: tuple[str, ...]
    """Values as text; the first is the one that the others are compared with."""
    what: str
    """One line on what is compared."""
    of_block: bool = False
    """Whether it is an option of the blocks, not a field of the protocol."""
    moves_cost: bool = False
    """Whether it changes size or speed, which then are measured."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One module with one value of the setting."""

    name: str
    """The module as the user chose it."""
    value: str
    """Value of the setting."""
    module: ModuleRecord
    """What the run recorded of it."""
    record: RunRecord
    """The run."""


@dataclass(frozen=True, kw_only=True)
class Ablation:
    """A grid of modules and values."""

    axis: Axis
    """The setting."""
    runs: tuple[tuple[RunRecord, str], ...]
    """Records of the runs with the names of their folders, in the order of the values."""
    cells: tuple[Cell, ...]
    """Module by module, the values in order."""
    notes: tuple[str, ...]
    """What a reader should know."""

    @property
    def shares_folds(self) -> bool:
        """Whether all values were trained on the same folds."""
        divisions = {
            tuple(fold.split_sha256 for fold in cell.module.folds)
            for cell in self.cells
            if cell.module.error is None and cell.module.folds
        }
        return len(divisions) == 1


def by_module(ablation: Ablation) -> dict[str, Sequence[Cell]]:
    """Return the cells of each module, in the order of the values."""
    names = dict.fromkeys(cell.name for cell in ablation.cells)
    return {name: [cell for cell in ablation.cells if cell.name == name] for name in names}


def rows_of(ablation: Ablation) -> list[dict[str, Any]]:
    """Return a row for each module and value; accuracies and differences are 0..1."""
    rows = []
    for cells in by_module(ablation).values():
        reference = cells[0]
        rows += [_row(ablation, cell, reference) for cell in cells]
    return rows


def _row(ablation: Ablation, cell: Cell, reference: Cell) -> dict[str, Any]:
    module = cell.module
    trained = module.error is None and bool(module.folds)
    protocol = cell.record.protocol
    tested = over_folds(module, lambda fold: fold.test_accuracy, protocol)
    found = over_folds(module, lambda fold: fold.accuracy, protocol)
    row: dict[str, Any] = {
        "module": cell.name,
        ablation.axis.name: cell.value,
        "drawn_faces": ablation.runs[0][0].drawn,
        "error": module.error or "",
    }
    row |= mean_and_sd("accuracy", found if trained else ())
    row |= mean_and_sd("test_accuracy", tested if trained else ())
    row["block_parameters"] = module.size.block_parameters if module.size else None
    row["hz"] = module.speed.hz if module.speed else None
    return row | _differences(ablation, cell, reference)


def _differences(ablation: Ablation, cell: Cell, reference: Cell) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(
        (
            "difference_folds_mean",
            "difference_folds_sd",
            "difference",
            "difference_low",
            "difference_high",
            "subjects",
        )
    )
    one, other = cell.module, reference.module
    complete = one.error is None and other.error is None and one.folds and other.folds
    if cell is reference or not complete:
        return row
    if ablation.shares_folds:
        values = (
            over_folds(each.module, lambda fold: fold.accuracy, each.record.protocol)
            for each in (cell, reference)
        )
        mean, deviation = fold_differences(*values)
        row |= {"difference_folds_mean": mean, "difference_folds_sd": deviation}
    found = between_protocols(_entrant(cell), _entrant(reference))
    if found is not None:
        low, high = found.interval() or (None, None)
        row |= {
            "difference": found.estimate,
            "difference_low": low,
            "difference_high": high,
            "subjects": found.units,
        }
    return row


def _entrant(cell: Cell) -> Entrant:
    return Entrant(label=cell.name, module=cell.module, record=cell.record)


def fold_differences(first: Sequence[float], second: Sequence[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation of the differences fold by fold.

    >>> fold_differences([0.5, 0.75], [0.25, 0.25])
    (0.375, 0.1767766952966369)
    """
    differences = [a - b for a, b in zip(first, second, strict=True)]
    deviation = statistics.stdev(differences) if len(differences) > 1 else None
    return statistics.mean(differences), deviation


def frame_of(ablation: Ablation) -> pd.DataFrame:
    """Return the rows as a frame, for CSV."""
    return pd.DataFrame(rows_of(ablation))


def notes_of(ablation: Ablation) -> list[str]:
    """Say what the numbers are."""
    record = ablation.runs[0][0]
    reference = ablation.axis.values[0]
    lines = [DRAWN_NOTICE] if record.drawn else []
    lines.append(ablation.axis.what)
    official = record.protocol.split == OFFICIAL
    over = deviation_over(record.protocol) if official else f"over {record.protocol.folds} folds"
    lines.append(
        f"Accuracy: mean per-class recall; ± is the sample standard deviation "
        f"{over}. Chance: {100 / len(record.data.classes):.1f} %."
    )
    each = "training by training" if official else "fold by fold"
    if ablation.shares_folds:
        lines.append(
            f"Δ folds: points over {reference}, {each} on the same divisions, mean ± sample "
            "standard deviation."
        )
    else:
        lines.append("The values divide the images differently: no fold has a partner.")
    if record.protocol.seeds < FEWEST_TRAININGS:
        lines.append(
            "Each fold was trained once: another training alone can move an accuracy by several "
            "points, so nothing is said of the setting. The same command with --seeds 3 trains "
            "only what is missing."
        )
    else:
        lines.append(
            f"Δ [95 %]: points over {reference}, with an interval over new people and new "
            "trainings, not adjusted for the number of lines; – where people are not known."
        )
    lines += ablation.notes
    named = [f"{ablation.axis.name} {value}" for value in ablation.axis.values]
    records = [record for record, _ in ablation.runs]
    return lines + remarks_of(list(zip(named, records, strict=False)))


def title_of(ablation: Ablation) -> str:
    """Say what was run."""
    record = ablation.runs[0][0]
    varied = {} if ablation.axis.of_block else {ablation.axis.setting}
    return f"Ablation of {ablation.axis.name} · {title(record, without=varied)}"


def effects_of(ablation: Ablation) -> tuple[tuple[Factorial, ...], list[str]]:
    """Judge guidance, each block, and both.

    Returns:
        What was found and what is said of it. Neither for another setting, and with one training of
        each fold, of which `notes_of` says that nothing is judged.
    """
    record = ablation.runs[0][0]
    if ablation.axis.name != "guidance" or record.protocol.seeds < FEWEST_TRAININGS:
        return (), []
    try:
        found = guidance_factorials([one for one, _ in ablation.runs])
    except UserError as error:  # a block that failed leaves the rest standing
        return (), [f"Not judged: {error}."]
    return found, factorial.notes_of(found)


def text_cells(ablation: Ablation) -> tuple[list[str], list[list[str]]]:
    """Return the table's columns and its cells as text."""
    rows = rows_of(ablation)
    columns = ["Module", ablation.axis.name, "Accuracy %"]
    tested = any(row["test_accuracy_mean"] is not None for row in rows)
    costs = ablation.axis.moves_cost
    columns += ["Cross-db %"] if tested else []
    columns += ["Δ folds"] if ablation.shares_folds else []
    columns += ["Δ [95 %]", "Subjects"]
    columns += ["Block params", "Hz"] if costs else []
    lines = []
    for row in rows:
        line = [row["module"], row[ablation.axis.name]]
        line.append(percent(row["accuracy_mean"], row["accuracy_sd"]))
        if tested:
            line.append(percent(row["test_accuracy_mean"], row["test_accuracy_sd"]))
        if ablation.shares_folds:
            line.append(signed(row["difference_folds_mean"], row["difference_folds_sd"]))
        line += [_interval(row), number(row["subjects"], 0)]
        if costs:
            line += [number(row["block_parameters"], 0), number(row["hz"], 0)]
        lines.append(line)
    return columns, lines


def _interval(row: dict[str, Any]) -> str:
    low, high = row["difference_low"], row["difference_high"]
    if low is None:
        return signed(row["difference"])
    return f"{signed(row['difference'])} [{signed(low)} to {signed(high)}]"


def to_rich(ablation: Ablation) -> RenderableType:
    """Return the table and its notes for a terminal."""
    columns, lines = text_cells(ablation)
    table = Table()
    for position, name in enumerate(columns):
        table.add_column(Text(name), justify="right" if position > 1 else "left", no_wrap=True)
    previous = lines[0][0]
    for line in lines:
        if line[0] != previous:
            table.add_section()
        previous = line[0]
        table.add_row(*map(Text, line))
    remarks = [Text(line, style="dim") for line in notes_of(ablation)]
    parts: list[RenderableType] = [Text(title_of(ablation), style="bold"), table, *remarks]
    found, told = effects_of(ablation)
    parts += [factorial.table_of(found)] if found else []
    return Group(*parts, *(Text(line, style="dim") for line in told))


def to_markdown(ablation: Ablation) -> str:
    """Return title, table and notes as Markdown."""
    columns, lines = text_cells(ablation)
    frame = pd.DataFrame(lines, columns=columns)
    remarks = "\n".join(f"- {line}" for line in notes_of(ablation))
    text = f"# {title_of(ablation)}\n\n{markdown_table(frame, texts=2)}\n\n{remarks}\n"
    found, told = effects_of(ablation)
    if found:
        effects = pd.DataFrame(factorial.cells_of(found), columns=list(factorial.COLUMNS))
        text += f"\n## {factorial.TITLE}\n\n{markdown_table(effects, texts=3)}\n"
    if told:
        text += "\n" + "\n".join(f"- {line}" for line in told) + "\n"
    return text
