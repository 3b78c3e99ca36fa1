"""`agfer-bench compare`: differences of modules, with what may be said of them, and gates."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agfer_bench.cli.console import show, show_json
from agfer_bench.cli.groups import JsonOption
from agfer_bench.errors import UserError

if TYPE_CHECKING:
    from agfer_bench.comparison.contrasts import Contrast, Question
    from agfer_bench.comparison.gates import Gate, GateResult
    from agfer_bench.comparison.outcomes import Entrant
    from agfer_bench.records.run import RunRecord


class Over(StrEnum):
    """What differences are judged over, beside trainings."""

    auto = "auto"
    subjects = "subjects"
    folds = "folds"


class Against(StrEnum):
    """Which pairs are compared."""

    base = "base"
    all = "all"


class On(StrEnum):
    """On which images."""

    validation = "validation"
    test = "test"


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
    against: Annotated[
        Against,
        typer.Option(
            help="Compare every network with base, or all rows with each other: more pairs, more "
            "correction."
        ),
    ] = Against.base,
    over: Annotated[
        Over,
        typer.Option(
            help="What differences are judged over, beside trainings; `auto`: subjects where they "
            "are known, else folds.",
        ),
    ] = Over.auto,
    on: Annotated[
        On, typer.Option(help="Compare on the validation folds or on the second data set.")
    ] = On.validation,
    rope: Annotated[
        float,
        typer.Option(
            metavar="POINTS",
            help="Region of practical equivalence: differences of at most so many points count as "
            "none.",
        ),
    ] = 1.0,
    fail_if: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONDITION",
            help='Exit with 1 if a row meets it: "accuracy < base - 0.02", "latency > 1.1 * base"; '
            "accuracies by their whole 95 % interval. May stand several times.",
        ),
    ] = None,
    fail_unless: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONDITION",
            help='Exit with 1 unless each row meets it: "accuracy > base - 0.02" wants every block '
            "shown to be no more than 2 points worse. May stand several times.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the modules of one run or several, and say which differences are real.

    Differences are judged over new people and new trainings, so that each fold must have been
    trained twice or more. Runs that differ in protocol, images or folds are refused.
    """
    from agfer_bench.comparison.comparable import caveats
    from agfer_bench.comparison.contrasts import Question, why_folds
    from agfer_bench.comparison.entrants import line_up
    from agfer_bench.comparison.gates import parse_gate
    from agfer_bench.records.files import load_run
    from agfer_bench.report.verdicts import judge, notes_on, to_rows

    if not 0 <= rope < 100:
        raise UserError(f"--rope {rope:g}: give points from 0 to 100, as in --rope 1")
    question = Question(against=against.value, over=over.value, on=on.value, rope=rope / 100)
    gates = [parse_gate(text) for text in fail_if or ()]
    gates += [parse_gate(text, unless=True) for text in fail_unless or ()]
    records = list(zip(_names(folders), map(load_run, folders), strict=True))
    if on is On.test and any(record.test is None for _, record in records):
        raise UserError("--on test: these runs have no second data set: run them with --test")
    entrants = line_up(records)
    chosen = _chosen(entrants, modules)
    judged = judge(_with_base(chosen, entrants, against), question)
    notes = notes_on(judged) + caveats([record for _, record in records])
    if over is Over.auto:
        notes += why_folds(chosen, on.value)
    if not judged.contrasts:
        notes.append("Nothing to compare: fewer than two modules were trained on all folds.")
    outcomes = [one for gate in gates for one in _hold(gate, chosen, entrants, question)]
    if as_json:
        show_json(
            {
                "title": _title(records[0][1]),
                "notes": notes,
                "ahead_of_base": sorted(judged.ahead),
                "differences": to_rows(judged),
                "ranks": judged.ranks,
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


def _with_base(chosen: list[Entrant], entrants: list[Entrant], against: Against) -> list[Entrant]:
    """Add base to the rows that are compared with it."""
    if against is Against.all:
        return chosen
    bases = [one for one in entrants if one.module.label == "base"]
    return [*(one for one in bases if one not in chosen), *chosen]


def _hold(
    gate: Gate, chosen: list[Entrant], entrants: list[Entrant], question: Question
) -> list[GateResult]:
    from agfer_bench.comparison.gates import JUDGED, hold

    if gate.metric in JUDGED:
        return _hold_intervals(gate, chosen, entrants, replace(question, on=JUDGED[gate.metric]))
    return hold(gate, _rows(gate, chosen, entrants))


def _hold_intervals(
    gate: Gate, chosen: list[Entrant], entrants: list[Entrant], question: Question
) -> list[GateResult]:
    """Hold accuracies against a gate, by their intervals."""
    from agfer_bench.comparison.contrasts import accuracy_of, of_pairs, why_not_judged
    from agfer_bench.comparison.gates import hold_interval, reference_of
    from agfer_bench.text import nearest

    where = f"{gate.option} {gate.text!r}"
    known = {one.label: one for one in entrants}
    name = reference_of(gate)
    if name is not None and name not in known:
        raise UserError(f"{where}: no module {name!r}{nearest(name, known)}")
    held = [one for one in chosen if one.label != name]
    if not held:
        raise UserError(f"{where}: no module is left to be held against it")
    for one in (*held, *([known[name]] if name is not None else [])):
        why = why_not_judged(one) if one.complete else f"{one.label} was not trained on all folds"
        if why:
            raise UserError(
                f"{where} cannot be judged: {why}; it takes several trainings of each fold, say "
                "--seeds 3"
            )
    if name is None:
        alone = [(one.label, accuracy_of(one, question)) for one in held]
        return [hold_interval(gate, label, own.interval() if own else None) for label, own in alone]
    found = of_pairs([(one, known[name]) for one in held], question)
    silent = next((one.why_not for one in found if one.difference is None), None)
    if silent is not None:
        raise UserError(f"{where} cannot be judged: {silent}")
    return [
        # `--fail-unless` must hold for each, so that none is corrected for the others.
        hold_interval(
            gate,
            one.first,
            one.difference.interval() if gate.unless and one.difference else one.interval,
        )
        for one in found
    ]


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
            raise UserError(f"{gate.option} {gate.text!r}: times do not compare: {reason}")
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

    from agfer_bench.report.table import differences_table

    show(Text(title, style="bold"))
    for table in differences_table(found):
        show(table)
    for line in notes:
        show(Text(line, style="dim"))
    for outcome in outcomes:
        show(Text(outcome.text, style="green" if outcome.passed else "bold red"))
