"""Conditions of `agfer-bench compare` for CI: their flags, and rows held against them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agfer_bench.errors import UserError

if TYPE_CHECKING:
    from agfer_bench.comparison.contrasts import Question
    from agfer_bench.comparison.gates import Gate, GateResult
    from agfer_bench.comparison.outcomes import Entrant


@dataclass(frozen=True, kw_only=True)
class Gates:
    """Conditions under which the command ends with 1."""

    fail_if: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONDITION",
            help='Exit with 1 if a row meets it: "accuracy < base - 0.02", "latency > 1.1 * base"; '
            "accuracies by their whole 95 % interval. May stand several times.",
        ),
    ] = None
    fail_unless: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONDITION",
            help='Exit with 1 unless each row meets it: "accuracy > base - 0.02" wants every block '
            "shown to be no more than 2 points worse. May stand several times.",
        ),
    ] = None

    def parsed(self) -> list[Gate]:
        """Return the conditions.

        Raises:
            UserError: One of them is none.
        """
        from agfer_bench.comparison.gates import parse_gate

        conditions = [parse_gate(text) for text in self.fail_if or ()]
        return conditions + [parse_gate(text, unless=True) for text in self.fail_unless or ()]


def hold_all(
    gates: Sequence[Gate], chosen: list[Entrant], entrants: list[Entrant], question: Question
) -> list[GateResult]:
    """Hold rows against conditions.

    Args:
        gates: The conditions.
        chosen: The rows that they are about.
        entrants: All rows of the runs, which a condition may name.
        question: How accuracies are compared.

    Raises:
        UserError: A condition names no row, or cannot be judged.
    """
    return [one for gate in gates for one in _hold(gate, chosen, entrants, question)]


def plain(outcome: GateResult) -> dict[str, Any]:
    """Return what came of a condition as plain values."""
    return {
        "gate": outcome.gate.text,
        "module": outcome.module,
        "passed": outcome.passed,
        "text": outcome.text,
    }


def _hold(
    gate: Gate, chosen: list[Entrant], entrants: list[Entrant], question: Question
) -> list[GateResult]:
    from agfer_bench.comparison.gates import JUDGED, hold

    if gate.metric in JUDGED:
        question = replace(question, on=JUDGED[gate.metric])
        return _hold_intervals(gate, chosen, entrants, question)
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
