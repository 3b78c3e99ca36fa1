"""`agfer-bench modules compare`: what tells variants of a block apart."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agfer_bench.cli.console import catalogue_with_notes, show, show_json
from agfer_bench.cli.groups import JsonOption
from agfer_bench.cli.listing import CLASSES
from agfer_bench.errors import UserError

if TYPE_CHECKING:
    from rich.table import Table

    from agfer_bench.contract.variants import Variant
    from agfer_bench.measure.gates import GateStatistics

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def compare(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME NAME...", help="Names, with options if you like.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Compare blocks: sizes, gates at initialisation, and operations against the first's."""
    from agfer_bench.contract.variants import describe_variant
    from agfer_bench.network.build import slots_of
    from agfer_bench.protocol import load_preset

    chosen = catalogue_with_notes().choose_modules(",".join(names))
    if len(chosen) < 2:
        raise UserError("compare needs two modules that differ; name one more")
    slots = slots_of(load_preset("paper"), CLASSES)
    variants = [describe_variant(one, slots) for one in chosen]
    if as_json:
        first, *others = variants
        diffs = {other.label: _diff(first, other) for other in others}
        show_json({"modules": [_described(one) for one in variants], "differences": diffs})
        return
    show(_table(variants))
    _show_formulas(variants)
    _show_operations(variants)


def _table(variants: list[Variant]) -> Table:
    from rich.table import Table
    from rich.text import Text

    from agfer_bench.report.numbers import count, quantity

    table = Table(
        title=f"Blocks in the paper's VGG16 (width 1, 224 px, {CLASSES} classes)",
        title_justify="left",
    )
    for column in ("Module", "Slot", "Params", "MACs", "Layers", "Damping", "Gates 1, 50, 99 %"):
        table.add_column(column, justify="left" if column in ("Module", "Slot") else "right")
    for variant in variants:
        name = variant.label
        for one in variant.slots:
            slot, gates = one.slot, one.gates
            cells = (
                f"{slot.channels} × {slot.height} × {slot.width}",
                count(one.parameters),
                quantity(one.macs),
                count(one.layers),
                *_gate_cells(gates),
            )
            table.add_row(*map(Text, (name, *cells)))
            name = ""
        layers = [one.layers for one in variant.slots]
        total = (
            count(sum(one.parameters for one in variant.slots)),
            quantity(variant.macs),
            count(None if None in layers else sum(filter(None, layers))),
        )
        table.add_row("", "all", *total, style="bold", end_section=True)
    return table


def _gate_cells(gates: GateStatistics | None) -> tuple[str, str]:
    if gates is None:
        return ("–", "–")
    return (f"{gates.damping:.2f}", f"{gates.low:.2f} {gates.median:.2f} {gates.high:.2f}")


def _show_formulas(variants: list[Variant]) -> None:
    """Print how the parameters are counted, and where a declaration is wrong."""
    from rich.table import Table
    from rich.text import Text

    from agfer_bench.report.summary import uncounted_note

    grid = Table.grid(padding=(0, 2))
    for variant in variants:
        formula = Text(variant.formula or "no formula is declared")
        if variant.formula and any(one.declared != one.parameters for one in variant.slots):
            formula.append("  (not what is counted)", "red")
        grid.add_row(Text(f"  {variant.label}"), formula)
    show(Text("Parameters", style="bold"))
    show(grid)
    note = (
        "C, H, W: the map; M: classes; other names are options. Damping: output over input, root "
        "mean square; gates: its quantiles element by element; both of one draw of initial weights."
    )
    show(Text(note, style="dim"))
    for variant in variants:
        for line in uncounted_note(variant.label, variant.uncounted):
            show(Text(line, style="dim"))


def _show_operations(variants: list[Variant]) -> None:
    from rich.text import Text

    first, *others = variants
    show(Text(f"\nOperations of {first.label}", style="bold"))
    for line in _operations(first):
        show(Text(f"  {line}"))
    for other in others:
        show(Text(f"\n{other.label} against {first.label}", style="bold"))
        for line in _told(first, other):
            show(Text(f"  {line}", style=_COLOURS.get(line[0], "")))


def _operations(variant: Variant) -> list[str]:
    if variant.operations is None:
        return [variant.untraced]
    return list(variant.operations) or ["none"]


def _told(first: Variant, other: Variant) -> list[str]:
    """Return the lines that say what another block does otherwise."""
    if first.operations is None or other.operations is None:
        untraced = first if first.operations is None else other
        return [f"{untraced.label} {untraced.untraced}", *_operations(other)]
    # Without the two lines of names, which the title has.
    return (_diff(first, other) or [])[2:] or ["the same operations"]


def _diff(first: Variant, other: Variant) -> list[str] | None:
    from agfer_bench.contract.operations import differences

    if first.operations is None or other.operations is None:
        return None
    return differences(first.label, first.operations, other.label, other.operations)


def _described(variant: Variant) -> dict[str, Any]:
    described = asdict(variant)
    described["parameters"] = sum(one.parameters for one in variant.slots)
    described["macs"] = variant.macs
    return described
