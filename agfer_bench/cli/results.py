"""`agfer-bench results`: are records whole, and what is in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agfer_bench.cli.console import show, show_json
from agfer_bench.cli.groups import JsonOption
from agfer_bench.cli.paths import App
from agfer_bench.errors import UserError

if TYPE_CHECKING:
    from agfer_bench.submissions.model import Reading

app = App(help="Check records of runs, and describe their layout.", no_args_is_help=True)


@app.command("validate")
def validate(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Folders, which are looked through for record.json, or records. Default: results.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check that records are whole and do not contradict themselves or each other.

    Reads records of strangers safely: bounded in size, no links followed. Exit code 1 where a
    record is rejected.
    """
    from agfer_bench.submissions.read import read_paths

    reading = read_paths(paths or [Path("results")])
    accepted = sorted([*(one.path for one in reading.accepted), *reading.speeds])
    if as_json:
        rejected = [{"path": one.path, "reason": one.reason} for one in reading.rejected]
        show_json({"accepted": accepted, "rejected": rejected})
    else:
        _tell(accepted, reading)
    if reading.rejected:
        raise typer.Exit(1)
    if not accepted:
        raise UserError("no record.json is there; name a folder of results, or a record")


@app.command("schema")
def schema(
    speed: Annotated[bool, typer.Option("--speed", help="That of speed comparisons.")] = False,
    calibration: Annotated[
        bool, typer.Option("--calibration", help="That of calibrations.")
    ] = False,
) -> None:
    """Print the JSON Schema of a run's record."""
    from agfer_bench.records.calibration import CalibrationRecord
    from agfer_bench.records.json_schema import schema_of
    from agfer_bench.records.run import RunRecord
    from agfer_bench.records.speed import SpeedRun

    if speed and calibration:
        raise UserError("give --speed or --calibration, not both")
    kind = CalibrationRecord if calibration else SpeedRun if speed else RunRecord
    show_json(schema_of(kind))


def _tell(accepted: list[str], reading: Reading) -> None:
    """Print a line a record, in the order of their paths, and how many there are of each kind."""
    lines = [(path, "ok") for path in accepted]
    lines += [(one.path, f"rejected: {one.reason}") for one in reading.rejected]
    for path, verdict in sorted(lines):
        show(f"{path}: {verdict}")
    if lines:
        speeds = f", {len(reading.speeds)} of them of speed alone" if reading.speeds else ""
        show(f"{len(accepted)} accepted{speeds}, {len(reading.rejected)} rejected")
