"""`agfer-bench report`: show a run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agfer_bench.cli.console import output, show, show_json
from agfer_bench.cli.groups import JsonOption
from agfer_bench.errors import UserError


def report(
    folder: Annotated[
        Path, typer.Argument(help="Folder of a run or a calibration, or its record.")
    ],
    as_json: JsonOption = False,
    svg: Annotated[Path | None, typer.Option(help="Draw the tables into this SVG file.")] = None,
) -> None:
    """Show the tables of a run, a speed comparison or a calibration that is done."""
    from agfer_bench.files import write_text
    from agfer_bench.records.files import (
        is_calibration,
        is_speed,
        load_calibration,
        load_run,
        load_speed,
    )
    from agfer_bench.report.table import to_json, to_rich, to_svg

    if is_speed(folder):
        from agfer_bench.report import speed_table as speed

        speeds = load_speed(folder)
        if svg is not None:
            raise UserError("--svg draws runs with training alone; leave it out")
        if as_json:
            show_json(speed.to_json(speeds))
        else:
            show(speed.to_rich(speeds, output().width))
        return
    if is_calibration(folder):
        from agfer_bench.report import calibration_table as calibration

        found = load_calibration(folder)
        if svg is not None:
            raise UserError("--svg draws runs with training alone; leave it out")
        show_json(calibration.to_json(found)) if as_json else show(calibration.to_rich(found))
        return
    record = load_run(folder)
    if svg is not None:
        write_text(svg, to_svg(record))
    if as_json:
        show_json(to_json(record))
    else:
        show(to_rich(record, output().width))
