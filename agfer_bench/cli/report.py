"""`agfer-bench report`: show a run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agfer_bench.cli.console import output, show, show_json
from agfer_bench.cli.options import JsonOption


def report(
    folder: Annotated[Path, typer.Argument(help="Folder of a run, or its record.json.")],
    as_json: JsonOption = False,
    svg: Annotated[Path | None, typer.Option(help="Draw the tables into this SVG file.")] = None,
) -> None:
    """Show the table of a run that is done."""
    from agfer_bench.files import write_text
    from agfer_bench.report.table import to_json, to_rich, to_svg
    from agfer_bench.run.store import load_run

    record = load_run(folder)
    if svg is not None:
        write_text(svg, to_svg(record))
    if as_json:
        show_json(to_json(record))
    else:
        show(to_rich(record, output().width))
