"""The command `agfer-bench`. Heavy imports wait until a command needs them."""

from __future__ import annotations

import sys
import traceback
from contextlib import suppress
from typing import Annotated

import typer

from agfer_bench import __version__, interrupts
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
from agfer_bench.errors import UserError, describe
from agfer_bench.text import visible

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


_BROKEN = 3
"""Exit code where the machine failed, or this program: never that of a gate that was not met (1),
nor of what the user can mend (2)."""


def main() -> None:
    """Run the command line; whatever goes wrong ends in one line on standard error.

    The traceback stands above it only where the fault is this program's own.
    """
    with stdout.command(), interrupts.listening():
        try:
            app()
        except UserError as error:
            fail(str(error))
            sys.exit(2)
        except Exception as error:
            message = _told(error)
            if message is None:
                # Strangers' text in it must act on nothing, as everywhere.
                with suppress(OSError):
                    sys.stderr.write(visible(traceback.format_exc()))
                message = (
                    f"{describe(error)}: this is a fault of agfer-bench; report it with the lines "
                    "above"
                )
            with suppress(OSError):
                fail(message)
            sys.exit(_BROKEN)


def _told(error: Exception) -> str | None:
    """Say what the machine lacked, where an error tells that; None for any other error."""
    if isinstance(error, MemoryError):
        return "memory ran out; close what else runs, or ask for less: fewer --jobs, smaller images"
    if isinstance(error, RecursionError):
        return "too deeply nested, or the stack is too small (`ulimit -s`)"
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or describe(error)}"
    if isinstance(error, UnicodeError):
        return f"text that cannot be read or written here: {describe(error)}"
    return None
