"""`agfer-bench compare`: differences of modules, with what may be said of them, and gates."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agfer_bench.cli.console import show, show_json
from agfer_bench.cli.groups import JsonOption
from agfer_bench.errors import UserError

if TYPE_CHECKING:
    from rich.table import Table

    from agfer_bench.comparison.contrasts import Contrast, Entrant
    from agfer_bench.comparison.gates import Gate, GateResult
    from agfer_bench.records.run import RunRecord


class Over(StrEnum):
    """What differences are taken over."""

    auto = "auto"
    subjects = "subjects"
    folds = "folds"
    images = "images"


def compare(
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Folders of runs, or their record.json."),
    ],
    modules: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Compare these rows alone, comma-separated. Fewer pairs, less correction: choose "
            "them before you look.",
            show_default=False,
        ),
    ] = None,
    over: Annotated[
        Over,
        typer.Option(
            help="What differences are taken over; `auto`: subjects where they are known, else "
            "folds. `images` is McNemar's test, for one image of each subject.",
        ),
    ] = Over.auto,
    fail_if: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONDITION",
            help='Exit with 1 if a row meets it: "accuracy < base - 0.02", "latency > 1.1 * base"; '
            "may stand several times.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the modules of one run or several in pairs, and say which differences are real.

    Runs that differ in protocol, images or folds are refused.
    """
    from agfer_bench.comparison.comparable import caveats
    from agfer_bench.comparison.contrasts import why_folds
    from agfer_bench.comparison.entrants import line_up
    from agfer_bench.comparison.gates import hold, parse_gate
    from agfer_bench.records.files import load_run
    from agfer_bench.report.verdicts import judge, notes_on, to_rows

    gates = [parse_gate(text) for text in fail_if or ()]
    records = list(zip(_names(folders), map(load_run, folders), strict=True))
    entrants = line_up(records)
    chosen = _chosen(entrants, modules)
    judged = judge(chosen, over.value)
    seeds = records[0][1].protocol.seeds
    notes = notes_on(judged, seeds)
    notes += caveats([record for _, record in records])
    if over is Over.auto:
        notes += why_folds(chosen)
    if not judged.contrasts:
        notes.append("Nothing to compare: fewer than two modules were trained on all folds.")
    outcomes = [one for gate in gates for one in hold(gate, _rows(gate, chosen, entrants))]
    if as_json:
        show_json(
            {
                "title": _title(records[0][1]),
                "notes": notes,
                "distinguishably_best": judged.best,
                "differences": to_rows(judged),
                "gates": [_plain(one) for one in outcomes],
            }
        )
    else:
        _show(_title(records[0][1]), judged.contrasts, notes, outcomes)
    if any(not one.passed for one in outcomes):
        raise typer.Exit(1)


def _names(folders: list[Path]) -> list[str]:
    """Name runs by their folders, with as many of those above as tell them apart."""
    places = [one if one.is_dir() else one.parent for one in (f.resolve() for f in folders)]
    parts = [place.parts for place in places]
    count = 1
    while count < max(map(len, parts)) and len({p[-count:] for p in parts}) < len(set(parts)):
        count += 1
    return ["/".join(p[-count:]) for p in parts]


def _chosen(entrants: list[Entrant], modules: str | None) -> list[Entrant]:
    from agfer_bench.text import nearest

    if modules is None:
        return entrants
    known = {one.label: one for one in entrants}
    names = list(dict.fromkeys(name.strip() for name in modules.split(",") if name.strip()))
    if not names:
        raise UserError("--modules names no row: write them comma-separated, as in se,cbam")
    for name in names:
        if name not in known:
            raise UserError(f"--modules: no row {name!r} in these runs{nearest(name, known)}")
    return [known[name] for name in names]


def _rows(gate: Gate, chosen: list[Entrant], entrants: list[Entrant]) -> list[dict[str, Any]]:
    """Return the rows that a gate is about: those chosen, and those that it names."""
    from agfer_bench.comparison.entrants import why_not_timed_together
    from agfer_bench.comparison.gates import TIMES
    from agfer_bench.report.rows import row_of

    labels = {one.label for one in chosen}
    held = [one for one in entrants if one.label in labels | gate.names]
    if gate.metric in TIMES:
        reason = why_not_timed_together([one.record for one in held])
        if reason is not None:
            raise UserError(f"--fail-if {gate.text!r}: times do not compare: {reason}")
    return [{**row_of(one.module, one.record), "module": one.label} for one in held]


def _title(record: RunRecord) -> str:
    from agfer_bench.report.notes import title

    return f"Paired comparison · {title(record)}"


def _plain(outcome: GateResult) -> dict[str, Any]:
    return {
        "gate": outcome.gate.text,
        "module": outcome.module,
        "passed": outcome.passed,
        "text": outcome.text,
    }


def _show(
    title: str, found: tuple[Contrast, ...], notes: list[str], outcomes: list[GateResult]
) -> None:
    from rich.text import Text

    show(Text(title, style="bold"))
    if found:
        show(_table(found))
    for one in found:
        show(Text(one.sentence, style="bold" if one.distinguishable else ""))
    for line in notes:
        show(Text(line, style="dim"))
    for outcome in outcomes:
        show(Text(outcome.text, style="green" if outcome.passed else "bold red"))


def _table(found: tuple[Contrast, ...]) -> Table:
    from rich.table import Table
    from rich.text import Text

    from agfer_bench.report.numbers import number, signed

    table = Table()
    table.add_column("First")
    table.add_column("Second")
    for column in ("Δ points", "95 % interval", "p", "p (Holm)", "Effect d", "Detectable"):
        table.add_column(column, justify="right", no_wrap=True)
    for one in found:
        verdict = one.verdict
        bounded = verdict.low is not None and abs(verdict.low) < 1e6
        cells = [
            one.first,
            one.second,
            signed(verdict.estimate),
            f"{signed(verdict.low)} to {signed(verdict.high)}" if bounded else "–",
            number(verdict.p, 3),
            number(one.adjusted, 3),
            number(verdict.effect, 2),
            "–" if verdict.smallest is None else f"{100 * verdict.smallest:.1f}",
        ]
        table.add_row(*map(Text, cells), style="bold" if one.distinguishable else "")
    return table
