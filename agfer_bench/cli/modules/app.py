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
    """Takes a word that is no subcommand as the name of a module: `modules NAME`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["show", *args]
        return super().resolve_command(ctx, args)


app = App(
    cls=_Group,
    invoke_without_command=True,
    help="List attention blocks and classifiers, or show one: `agfer-bench modules NAME`.",
)
app.command("check")(check)
app.command("compare")(compare)
app.command("new")(new_module)
app.command("same")(same)


@app.callback()
def list_modules(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """List attention blocks and classifiers, or show one: `agfer-bench modules NAME`."""
    if ctx.invoked_subcommand is not None:
        return
    listing = modules_listing()
    if as_json:
        show_json(listing)
        return
    from rich.table import Table
    from rich.text import Text

    from agfer_bench.plugin.options import HARNESS_OPTIONS

    everywhere = {option.name for option in HARNESS_OPTIONS}

    table = Table(title="Attention blocks, and classifiers of their own", title_justify="left")
    for column in ("Name", "What", "Source", "Distribution", "Options", "Params in VGG16"):
        table.add_column(column, justify="right" if column.startswith("Params") else "left")
    for one in listing["modules"]:
        options = ", ".join(
            f"{o['name']}={o['default']}" for o in one["options"] if o["name"] not in everywhere
        )
        cells = (one["name"], one["summary"], one["source"])
        distribution = f"{one['distribution']} {one['version']}"
        table.add_row(*map(Text, (*cells, distribution, options, _parameters(one))))
    show(table)
    show(
        Text(
            "Every attention block also takes residual=true (x + block(x)), neutral=true (its "
            "output divided by the mean gate that it starts with) and control=scale or blind (a "
            "twin that does not attend to the image; docs/controls.md)."
        )
    )


@app.command("show")
def show_module(
    name: Annotated[str, typer.Argument(help="Name, with options if you like.")],
    as_json: JsonOption = False,
) -> None:
    """Show one attention block or classifier."""
    from rich.text import Text

    described = _described(name.replace(",", " "))
    if as_json:
        show_json(described)
        return
    show(Text(f"{described['name']}: {described['summary']}", style="bold"))
    show(Text(f"source        {described['source']}"))
    show(Text(f"distribution  {described['distribution']} {described['version']}"))
    where = f"in VGG16 at 224 px, {CLASSES} classes"
    if described["kind"] == "classifier":
        where = "(a classifier of its own, without the host)"
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
                f"option        {option['name']}: {option['type']} = {option['value']}"
                + ("" if option["value"] == option["default"] else " (set)")
            )
        )


def _described(text: str) -> dict[str, Any]:
    from agfer_bench.plugin.options import parse_choice
    from agfer_bench.text import nearest

    choice = parse_choice(text)
    if choice.options:
        (chosen,) = catalogue_with_notes().choose_rows(text)
        return describe(chosen)
    listed: dict[str, dict[str, Any]] = {one["name"]: one for one in modules_listing()["modules"]}
    if choice.name not in listed:
        raise UserError(f"unknown module {choice.name!r}{nearest(choice.name, listed)}")
    return listed[choice.name]


def _parameters(described: dict[str, Any]) -> str:
    if described["error"]:
        return str(described["error"])
    return "–" if described["parameters"] is None else f"{described['parameters']:,}"
