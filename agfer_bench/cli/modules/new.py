"""`agfer-bench modules new`: a distribution of one's own."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from agfer_bench.cli.console import catalogue_with_notes, show


def new_module(
    name: Annotated[str, typer.Argument(help="Lower-case letters, digits and dashes: my-gate.")],
    folder: Annotated[
        Path | None,
        typer.Argument(help="New or empty. Default: ./NAME.", show_default=False),
    ] = None,
    author: Annotated[str | None, typer.Option(help="Who is named in pyproject.toml.")] = None,
) -> None:
    """Write a distribution with a block of your own, its tests and a workflow that checks it."""
    from agfer_bench.scaffold.new import write_distribution

    catalogue = catalogue_with_notes()
    taken = {name: entry.distribution for name, entry in catalogue.rows.items()}
    folder = folder or Path(name)
    files = write_distribution(name, folder, author=author, taken=taken)
    show(f"Wrote {len(files)} files to {folder}. Next:")
    for command in (
        f"python -m pip install -e {shlex.quote(f'{folder}[test]')}",
        f"python -m pytest {shlex.quote(str(folder))}",
        f"agfer-bench modules check {name}",
        f"agfer-bench run --modules {name},se",
    ):
        show(f"  {command}")
