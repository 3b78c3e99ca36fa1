"""Guidance, block or both: a 2 x 2 in words and rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from agfer_bench.comparison.contrasts import Contrast, Question
from agfer_bench.comparison.factorial import Factorial, factorials
from agfer_bench.comparison.outcomes import Entrant
from agfer_bench.errors import UserError
from agfer_bench.records.run import BASE, ModuleRecord, RunRecord
from agfer_bench.report.numbers import number, signed
from agfer_bench.report.verdicts import judged_once, to_row

COLUMNS = (*("Module", "Effect", "Verdict", "Δ points", "95 % interval", "p (Holm)", "Detectable"),)
"""Of the table."""

TITLE = "Guidance, block or both: what each adds to base"

_VERBS = {
    "ahead": "raises the accuracy",
    "behind": "lowers the accuracy",
    "equivalent": "changes the accuracy by no more than counts as none",
    "not distinguishable": "is not shown to change the accuracy",
    "not judged": "is not judged",
}


def guidance_factorials(records: Sequence[RunRecord]) -> tuple[Factorial, ...]:
    """Judge what guidance, each block, and both add to base.

    Args:
        records: Two runs of the same modules, one without and one with guidance, in any order.

    Raises:
        UserError: They are not that, or cannot be compared.
    """
    cells: dict[str, dict[bool, ModuleRecord]] = {}
    whole: dict[bool, RunRecord] = {}
    for record in records:
        guided = record.protocol.guidance
        whole[guided] = record
        for module in record.modules:
            if module.kind != "classifier":
                cells.setdefault(module.label, {})[guided] = module
    if len(whole) < 2:
        raise UserError("guidance and blocks: it takes a run without guidance and one with it")
    paired = {
        label: (
            Entrant(label=label, module=both[False], record=whole[False]),
            Entrant(label=label, module=both[True], record=whole[True]),
        )
        for label, both in cells.items()
        if len(both) == 2
    }
    base = paired.pop(BASE, None)
    if base is None:
        raise UserError("guidance and blocks: base is not among the modules of both runs")
    blocks = [pair for pair in paired.values() if all(one.complete for one in pair)]
    if not blocks:
        raise UserError(
            "guidance and blocks: no block beside base was trained on all folds in both runs"
        )
    return factorials(base, blocks, "guidance", Question())


def cells_of(found: Sequence[Factorial]) -> list[list[str]]:
    """Return the table's rows as texts, in points: guidance alone, then three of each block."""
    return [_cells(name, effect, one) for name, effect, one in _effects(found)]


def _effects(found: Sequence[Factorial]) -> list[tuple[str, str, Contrast]]:
    """Return each effect once: module, what it is, and what is said of it."""
    rows = [(BASE, "guidance alone", found[0].setting)] if found else []
    for one in found:
        rows += [
            (one.block, "block alone", one.alone),
            (one.block, "both", one.both),
            (one.block, "beyond the sum", one.interaction),
        ]
    return rows


def _cells(module: str, effect: str, one: Contrast) -> list[str]:
    return [
        module,
        effect,
        one.verdict,
        signed(one.estimate),
        f"{signed(one.interval[0])} to {signed(one.interval[1])}" if one.interval else "–",
        number(one.adjusted, 3),
        number(None if one.detectable is None else 100 * one.detectable, 1),
    ]


def table_of(found: Sequence[Factorial]) -> Table:
    """Return the table for a terminal."""
    table = Table(title=TITLE, title_justify="left")
    for position, name in enumerate(COLUMNS):
        table.add_column(name, justify="right" if position > 2 else "left", no_wrap=True)
    previous = None
    for module, effect, one in _effects(found):
        if previous not in (None, module):
            table.add_section()
        previous = module
        bold = "bold" if one.verdict in ("ahead", "behind") else ""
        table.add_row(*map(Text, _cells(module, effect, one)), style=bold)
    return table


def rows_of(found: Sequence[Factorial]) -> list[dict[str, Any]]:
    """Return each effect as plain values; differences are 0..1."""
    rows = []
    for module, effect, one in _effects(found):
        row = to_row(one)
        del row["sentence"], row["first"], row["second"]
        rows.append({"module": module, "effect": effect, **row, "why_not": one.why_not})
    return rows


def notes_of(found: Sequence[Factorial]) -> list[str]:
    """Say for each block what it adds, what guidance adds, and what both do beyond the sum."""
    effects = [one for each in found for one in each.effects]
    judged = [one for one in effects if one.difference is not None]
    lines = []
    if judged:
        lines.append(
            f"Effects on the accuracy of base, judged {judged[0].population}; "
            f"{judged[0].pairs} effects are corrected together (Holm), and their intervals alike. "
            "Beyond the sum: the interaction, (block − base with guidance) − (block − base "
            "without)."
        )
    lines += [sentence(one) for one in found if one.interaction.difference is not None]
    reasons = dict.fromkeys(one.why_not for one in effects if one.difference is None)
    once = [reason for reason in reasons if reason.endswith("was trained once on each fold")]
    return [
        *lines,
        *(f"Not judged: {reason}." for reason in reasons if reason not in once),
        *judged_once(once),
    ]


def sentence(one: Factorial) -> str:
    """Say what guidance and one block add, together and beyond the sum, and what is shown."""
    numbers = (
        f"guidance {_points(one.setting)}, {one.block} {_points(one.alone)}, both together "
        f"{_points(one.both)}: {_points(one.interaction)} beyond the sum"
    )
    return f"{one.block}, in points: {numbers}. {_shown(one)}"


def _points(one: Contrast) -> str:
    ends = f" [{signed(one.interval[0])}, {signed(one.interval[1])}]" if one.interval else ""
    return f"{signed(one.estimate)}{ends}"


def _shown(one: Factorial) -> str:
    verdict = one.interaction.verdict
    if verdict in ("ahead", "behind"):
        more = "more" if verdict == "ahead" else "less"
        return (
            f"They depend on each other: both together bring {more} than the sum, so that what "
            f"{one.block} brings is not the same with guidance and without."
        )
    parts = f"Guidance {_VERBS[one.setting.verdict]}; {one.block} {_VERBS[one.alone.verdict]}"
    if verdict == "equivalent":
        return f"{parts}; they do not depend on each other by more than counts."
    return f"{parts}; that they depend on each other is not shown."
