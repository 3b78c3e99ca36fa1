"""`agfer-bench report`: show a run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agfer_bench.cli.console import show, show_json
from agfer_bench.cli.options import JsonOption


def report(
    folder: Annotated[Path, typer.Argument(help="Folder of a run, or its record.json.")],
    as_json: JsonOption = False,
) -> None:
    """Show the table of a run that is done."""
    from agfer_bench.report.table import rows_of, to_rich
    from agfer_bench.run.store import load_run

    record = load_run(folder)
    if as_json:
        show_json({"protocol": record.protocol.model_dump(mode="json"), "rows": rows_of(record)})
    else:
        show(to_rich(record))
