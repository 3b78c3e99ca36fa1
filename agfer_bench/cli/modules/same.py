"""`agfer-bench modules same`: whether two blocks compute the same function."""

from __future__ import annotations

from typing import Annotated

import typer

from agfer_bench.cli.console import catalogue_with_notes, show, show_json
from agfer_bench.cli.groups import JsonOption


def same(
    one: Annotated[str, typer.Argument(help="A block, with options if you like.")],
    other: Annotated[str, typer.Argument(help="Another.")],
    as_json: JsonOption = False,
) -> None:
    """Tell whether two blocks compute the same function; exit code 1 if not.

    The weights of one are mapped to the other's, by shape and by the order of use, and outputs and
    gradients are compared at several sizes.
    """
    from rich.text import Text

    from agfer_bench.contract.block import CLASSES, Block
    from agfer_bench.contract.same import same_function
    from agfer_bench.errors import UserError
    from agfer_bench.network.build import slots_of
    from agfer_bench.plugin.catalogue import is_block
    from agfer_bench.protocol import load_preset

    catalogue = catalogue_with_notes()
    blocks = []
    for text in (one, other):
        (chosen,) = catalogue.choose_rows(text)
        if not is_block(chosen):
            raise UserError(f"{chosen.label} is a classifier of its own, no attention block")
        blocks.append(Block(chosen=chosen))
    first, second = blocks
    found = same_function(first, second, slots_of(load_preset("quick"), CLASSES))
    if as_json:
        show_json(
            {
                "modules": [first.label, second.label],
                "same": found.same,
                "detail": found.detail,
                "first": found.first,
            }
        )
    else:
        verdict = (
            ("the same function", "bold green") if found.same else ("not the same", "bold red")
        )
        show(Text.assemble(f"{first.label} and {second.label}: ", verdict, f": {found.detail}"))
        if found.first:
            show(Text(found.first))
    if not found.same:
        raise typer.Exit(1)
