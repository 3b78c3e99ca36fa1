"""`agfer-bench modules`: what is on offer."""

from __future__ import annotations

from typing import Annotated, Any

import typer
import typer.core

from agfer_bench.cli.console import catalogue_with_notes, show, show_json
from agfer_bench.cli.groups import JsonOption
from agfer_bench.cli.listing import CLASSES, describe, modules_listing
from agfer_bench.cli.modules.check import check
from agfer_bench.cli.modules.compare import compare
from agfer_bench.cli.modules.new import new_module
from agfer_bench.cli.modules.same import same
from agfer_bench.cli.paths import App
from agfer_bench.errors import UserError


class _Group(typer.core.TyperGroup):
    """Takes words of which the first is no subcommand as names of modules: `modules NAME...`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["show", *args]
        return super().resolve_command(ctx, args)


app = App(
    cls=_Group,
    invoke_without_command=True,
    help="List attention blocks and classifiers, or show some: `agfer-bench modules NAME...`.",
)
app.command("check")(check)
app.command("compare")(compare)
app.command("new")(new_module)
app.command("same")(same)


@app.callback()
def list_modules(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """List attention blocks and classifiers, or show some: `agfer-bench modules NAME...`."""
    if ctx.invoked_subcommand is not None:
        return
    listing = modules_listing()
    if as_json:
        show_json(listing)
        return
    from rich.table import Table
    from rich.text import Text

    from agfer_bench.grammar import write
    from agfer_bench.plugin.options import HARNESS_OPTIONS

    everywhere = {option.name for option in HARNESS_OPTIONS}

    table = Table(title="Attention blocks, and classifiers of their own", title_justify="left")
    for column in ("Name", "What", "Source", "Distribution", "Options", "Params in VGG16"):
        table.add_column(column, justify="right" if column.startswith("Params") else "left")
    for one in listing["modules"]:
        options = ", ".join(
            f"{o['name']}={write(o['default'])}"
            for o in one["options"]
            if o["name"] not in everywhere
        )
        cells = (one["name"], one["summary"], one["source"])
        distribution = f"{one['distribution']} {one['version']}"
        table.add_row(*map(Text, (*cells, distribution, options, _parameters(one))))
    show(table)
    show(
        Text(
            "Every attention block also takes residual=true (x + block(x)), neutral=true (its "
            "output divided by the mean gate that it starts with) and control=scale or blind (a "
            "twin that does not attend to the image; docs/controls.md). Options of numbers and "
            "choices take a value for each slot: reduction=4/8/16."
        )
    )
    show(
        Text(
            "Params: of a block's three copies in the paper's VGG16, width 1. The default run's "
            "host is narrower (preset quick, width 0.125), and so are its blocks: `agfer-bench "
            "modules NAME` tells both."
        )
    )


@app.command("show")
def show_modules(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME...",
            help="Names, with options if you like, separated by commas as for `run` or by spaces.",
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Show attention blocks or classifiers."""
    described = _described(",".join(names))
    if as_json:
        show_json(described[0] if len(described) == 1 else {"modules": described})
        return
    for number, one in enumerate(described):
        if number:
            show("")
        _show(one)


def _show(described: dict[str, Any]) -> None:
    from rich.text import Text

    from agfer_bench.grammar import write

    show(Text(f"{described['name']}: {described['summary']}", style="bold"))
    show(Text(f"source        {described['source']}"))
    show(Text(f"distribution  {described['distribution']} {described['version']}"))
    where = f"in the paper's VGG16 (width 1, 224 px, {CLASSES} classes)"
    if described["kind"] == "classifier":
        where = "(a classifier of its own, without the host)"
    narrow = described["parameters_in_quick"]
    if narrow is not None:
        where += f"; {narrow:,} in that of preset quick (width 0.125)"
    show(Text(f"parameters    {_parameters(described)} {where}"))
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
                f"option        {option['name']}: {option['type']} = {write(option['value'])}"
                + ("" if option["value"] == option["default"] else " (set)")
            )
        )


def _described(text: str) -> list[dict[str, Any]]:
    """Describe modules: from the kept listing, or anew where one has options.

    Raises:
        UserError: Something is unknown or malformed.
    """
    from agfer_bench.grammar import split
    from agfer_bench.plugin.options import parse_choice
    from agfer_bench.text import nearest

    choices = [parse_choice(part) for part in split(text, ",") if part.strip()]
    if not choices:
        raise UserError("name a module, or leave all out for a list")
    if any(choice.options for choice in choices):
        return [describe(one) for one in catalogue_with_notes().choose_rows(text)]
    names = list(dict.fromkeys(choice.name for choice in choices))
    listed = {one["name"]: one for one in modules_listing(names)["modules"]}
    unknown = [name for name in names if name not in listed]
    if unknown:
        told = [f"unknown module {name!r}{nearest(name, listed)}" for name in unknown]
        raise UserError("; ".join(told))
    return [listed[name] for name in names]


def _parameters(described: dict[str, Any]) -> str:
    if described["error"]:
        return str(described["error"])
    return "–" if described["parameters"] is None else f"{described['parameters']:,}"
