"""`agfer-bench modules`: what is on offer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core

from agfer_bench.cli.console import show, show_json
from agfer_bench.cli.options import JsonOption, catalogue_with_notes
from agfer_bench.errors import PluginError

if TYPE_CHECKING:
    from agfer_bench.catalogue import Entry
    from agfer_bench.specs import AttentionSpec

CLASSES = 7
"""Classes of the host in which parameters are counted: the paper's seven emotions."""


class _Group(typer.core.TyperGroup):
    """Takes a word that is no subcommand as the name of a module: `modules NAME`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["show", *args]
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=_Group,
    invoke_without_command=True,
    help="List attention blocks, or show one: `agfer-bench modules NAME`.",
)


@app.callback()
def list_modules(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """List attention blocks, or show one: `agfer-bench modules NAME`."""
    if ctx.invoked_subcommand is not None:
        return
    catalogue = catalogue_with_notes()
    described = [_describe(entry) for entry in catalogue.modules.values()]
    if as_json:
        problems = [str(problem) for problem in catalogue.problems]
        show_json({"modules": described, "problems": problems})
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(title="Attention modules", title_justify="left")
    for column in ("Name", "What", "Source", "Distribution", "Options", "Params in VGG16"):
        table.add_column(column, justify="right" if column.startswith("Params") else "left")
    for one in described:
        options = ", ".join(f"{o['name']}={o['default']}" for o in one["options"])
        cells = (one["name"], one["summary"], one["source"])
        distribution = f"{one['distribution']} {one['version']}"
        table.add_row(*map(Text, (*cells, distribution, options, _parameters(one))))
    show(table)


@app.command("show")
def show_module(
    name: Annotated[str, typer.Argument(help="Name, with options if you like.")],
    as_json: JsonOption = False,
) -> None:
    """Show one attention block."""
    from rich.text import Text

    catalogue = catalogue_with_notes()
    (chosen,) = catalogue.choose_modules(name.replace(",", " "))
    described = _describe(chosen.entry, chosen.values)
    if as_json:
        show_json(described)
        return
    show(Text(f"{described['name']}: {described['summary']}", style="bold"))
    show(Text(f"source        {described['source']}"))
    show(Text(f"distribution  {described['distribution']} {described['version']}"))
    show(Text(f"parameters    {_parameters(described)} in VGG16 at 224 px, {CLASSES} classes"))
    for slot in described["slots"]:
        show(
            Text(
                f"  stage {slot['stage']}: {slot['parameters']:,} "
                f"({slot['channels']} × {slot['height']} × {slot['width']})"
            )
        )
    for option in described["options"]:
        show(
            Text(
                f"option        {option['name']}: {option['type']} = {option['value']}"
                + ("" if option["value"] == option["default"] else " (set)")
            )
        )


def _parameters(described: dict[str, Any]) -> str:
    return described["error"] or f"{described['parameters']:,}"


def _describe(entry: Entry[AttentionSpec], values: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return all that is known of a block, its parameters in the paper's host counted."""
    from agfer_bench.catalogue import Chosen
    from agfer_bench.measure.size import parameters
    from agfer_bench.network.build import build_block, host_shape
    from agfer_bench.protocol import load_preset

    values = values or {option.name: option.default for option in entry.options}
    chosen = Chosen(entry=entry, values=values)
    slots: list[dict[str, Any]] = []
    error = ""
    try:
        for slot in host_shape(load_preset("paper"), CLASSES).slots():
            found = parameters(build_block(chosen, slot))
            slots.append(
                {
                    "stage": slot.stage,
                    "channels": slot.channels,
                    "height": slot.height,
                    "width": slot.width,
                    "parameters": found,
                }
            )
    except PluginError as fault:
        error = str(fault)
    return {
        "name": entry.spec.name,
        "summary": entry.spec.summary,
        "source": entry.spec.source,
        "distribution": entry.distribution,
        "version": entry.version,
        "options": [
            {
                "name": option.name,
                "type": option.type_name,
                "default": option.default,
                "value": values[option.name],
            }
            for option in entry.options
        ],
        "slots": slots,
        "parameters": None if error else sum(slot["parameters"] for slot in slots),
        "error": error,
    }
