"""What the commands share: consoles, progress, JSON, errors."""

from __future__ import annotations

import shlex
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import typer

from agfer_bench import interrupts
from agfer_bench.cli import stdout
from agfer_bench.text import visible_json

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType, TracebackType

    from rich.console import Console, RenderableType

    from agfer_bench.plugin.catalogue import Catalogue


def show(renderable: RenderableType) -> None:
    """Print to standard output; text as it is, since names of files may look like markup."""
    text = isinstance(renderable, str)
    output().print(renderable, markup=False, emoji=False, soft_wrap=text)


def output() -> Console:
    """Return a console on standard output, wide enough for all tables when it is no terminal."""
    from agfer_bench.cli.safe_console import SafeConsole

    file = stdout.stream()
    console = SafeConsole(file=file)
    return console if console.is_terminal else SafeConsole(file=file, width=max(console.width, 200))


def show_json(value: Any) -> None:
    """Print JSON to standard output; numbers that are not finite become null."""
    print(visible_json(_finite(value)), file=stdout.stream(), flush=True)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and value - value != 0:
        return None
    return value


def errors() -> Console:
    """Return a console on standard error."""
    from agfer_bench.cli.safe_console import SafeConsole

    return SafeConsole(stderr=True)


def fail(message: str) -> None:
    """Print one line of error on standard error."""
    from rich.text import Text

    line = " ".join(message.split())
    errors().print(Text.assemble(("error: ", "bold red"), line), soft_wrap=True)


def warn(message: str) -> None:
    """Print one line of warning on standard error."""
    from rich.text import Text

    errors().print(Text.assemble(("note: ", "yellow"), message), soft_wrap=True)


def catalogue_with_notes() -> Catalogue:
    """Load the catalogue, and warn of plugins that are left out."""
    from agfer_bench.plugin.finder import load_catalogue

    stdout.set_apart()
    catalogue = load_catalogue()
    for problem in catalogue.problems:
        warn(str(problem))
    return catalogue


class ProgressBars:
    """Shows a run's progress as bars on standard error; a `run.reporter.Reporter`."""

    def __init__(self) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[detail]}", markup=False),
            console=errors(),
        )
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> ProgressBars:
        """Draw nothing until there is a first step: an early error then stands alone."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop drawing."""
        if self._tasks:
            with _whatever_hears():
                self._progress.stop()

    def progress(self, what: str, done: int, total: int, detail: str = "") -> None:
        """Move the bar of `what`, which appears with its first step."""
        with _whatever_hears():
            if not self._tasks:
                self._progress.start()
            if what not in self._tasks:
                self._tasks[what] = self._progress.add_task(what, total=total, detail=detail)
            self._progress.update(self._tasks[what], completed=done, total=total, detail=detail)

    def note(self, text: str) -> None:
        """Print a note above the bars."""
        with _whatever_hears():
            self._progress.console.print(text, markup=False, soft_wrap=True)


def _whatever_hears() -> AbstractContextManager[None]:
    """Go on where standard error takes nothing, say as a log on a full disk: work is not lost."""
    return suppress(OSError)


class Terminated(KeyboardInterrupt):
    """The system asks the command to end, say since a cluster needs the machine for others."""


@contextmanager
def working(out: Path | None = None) -> Iterator[ProgressBars]:
    """Show progress while jobs run; Ctrl-C or SIGTERM ends them and says how to go on.

    The exit code is then 130 or 143.

    Args:
        out: Where jobs are kept; None for a command that keeps none.
    """
    try:
        with _heeding_sigterm(), ProgressBars() as bars:
            yield bars
    except KeyboardInterrupt as stop:
        warn(f"stopped; {_way_on(out)}")
        raise typer.Exit(143 if isinstance(stop, Terminated) else 130) from None


@contextmanager
def _heeding_sigterm() -> Iterator[None]:
    """Have SIGTERM raise once what Ctrl-C raises; only a process's main thread can."""

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)  # what follows takes a moment
        interrupts.note()
        raise Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _way_on(out: Path | None) -> str:
    """Say what is kept, and the command that goes on with it."""
    command = shlex.join(word for word in sys.argv if word != "--fresh")
    if out is None:
        return f"this starts again: {command}"
    text = "finished jobs are kept, the same command goes on from there, with a training under way "
    text += "from its last checkpoint, where it has one"
    if "--fresh" in sys.argv:
        text += "; without --fresh, or all is done again; earlier results then stand for what was "
        text += "not done afresh yet"
    return f"{text}: {command}"
