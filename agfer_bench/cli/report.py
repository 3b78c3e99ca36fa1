"""`agfer-bench report`: show a run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agfer_bench.cli.console import output, show, show_json, warn
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
    from agfer_bench.records.calibration import CalibrationRecord
    from agfer_bench.records.speed import SpeedRun
    from agfer_bench.report.table import to_json, to_rich, to_svg
    from agfer_bench.submissions.open import doubt_of, open_record

    record = open_record(folder)
    doubt = doubt_of(folder, record)
    if doubt is not None:
        warn(doubt)
    if isinstance(record, SpeedRun | CalibrationRecord) and svg is not None:
        raise UserError("--svg draws runs with training alone; leave it out")
    if isinstance(record, SpeedRun):
        from agfer_bench.report import speed_table as speed

        if as_json:
            show_json(speed.to_json(record))
        else:
            show(speed.to_rich(record, output().width))
        return
    if isinstance(record, CalibrationRecord):
        from agfer_bench.report import calibration_table as calibration

        show_json(calibration.to_json(record)) if as_json else show(calibration.to_rich(record))
        return
    if svg is not None:
        write_text(svg, to_svg(record))
    if as_json:
        show_json(to_json(record))
    else:
        show(to_rich(record, output().width))
