"""The command `agfer-bench`. Heavy imports wait until a command needs them."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from agfer_bench import __version__
from agfer_bench.cli import (
    ablate,
    calibrate,
    claim,
    converge,
    data,
    leaderboard,
    paper,
    report,
    results,
    run,
    speed,
    stdout,
)
from agfer_bench.cli import compare as differences
from agfer_bench.cli.console import fail
from agfer_bench.cli.modules import app as modules
from agfer_bench.cli.paths import App
from agfer_bench.errors import UserError

app = App(
    name="agfer-bench",
    help="Does my attention block help, and what does it cost?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command("run")(run.run)
app.command("paper")(paper.paper)
app.command("ablate")(ablate.ablate)
app.command("calibrate")(calibrate.calibrate)
app.command("converge")(converge.converge)
app.command("speed")(speed.speed)
app.command("compare")(differences.compare)
app.command("claim")(claim.claim)
app.add_typer(modules.app, name="modules")
app.add_typer(data.app, name="data")
app.command("report")(report.report)
app.command("leaderboard")(leaderboard.leaderboard)
app.add_typer(results.app, name="results")


def _version(value: bool) -> None:
    if value:
        typer.echo(f"agfer-bench {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; what the user can mend is one line on standard error, exit code 2."""
    with stdout.command():
        try:
            app()
        except UserError as error:
            fail(str(error))
            sys.exit(2)
