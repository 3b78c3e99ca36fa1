"""Other people's plugins loaded in limited time: one that hangs costs seconds, not the command.

Each is loaded in a thread. A thread cannot be stopped, so one that takes too long is left behind:
it keeps nothing waiting, not even the end of the process. What holds Python's own lock all the
time (a sleep in C, say) cannot be left behind; only a process of its own could contain that.
"""

from __future__ import annotations

import ctypes
import math
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from agfer_bench.errors import UserError
from agfer_bench.plugin.containment import Snapshot, contained, ordinary, told

VARIABLE = "AGFER_BENCH_PLUGIN_SECONDS"
SECONDS = 6.0
"""Seconds that a plugin has to load, unless the variable says otherwise."""

_ALONE = 1 / 8
"""Share of the time after which the next plugin is loaded beside one that is not done."""

AnswerT = TypeVar("AnswerT")


@dataclass(kw_only=True)
class Loaded(Generic[AnswerT]):
    """What became of a plugin."""

    answer: AnswerT | None = None
    """What loading it returned; None where it failed."""
    error: BaseException | None = None
    """Why it failed."""
    changes: list[str] = field(default_factory=list)
    """What it changed that others run under, in words; all of it was put back."""


def seconds_allowed() -> float:
    """Return the seconds that a plugin has to load.

    Raises:
        UserError: The variable is no number of seconds.
    """
    text = os.environ.get(VARIABLE, "").strip()
    if not text:
        return SECONDS
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= threading.TIMEOUT_MAX:
        raise UserError(f"{VARIABLE}={text} is no number of seconds above 0, such as {SECONDS:g}")
    return seconds


def load_here(load: Callable[[], AnswerT]) -> Loaded[AnswerT]:
    """Load a plugin in this thread, however long it takes."""
    loaded = Loaded[AnswerT]()
    with contained() as loaded.changes:
        _fill(loaded, load)
    return loaded


def load_in_time(loads: Sequence[Callable[[], AnswerT]], seconds: float) -> list[Loaded[AnswerT]]:
    """Load plugins one after another, beside those that are slow.

    A quick one has the process to itself, so that what it changes can be told to be its doing.
    Several that hang wait side by side.

    Returns:
        What became of each, in order.
    """
    before = Snapshot()
    slow: list[_Watched[AnswerT]] = []
    found = []
    for load in loads:
        alone = not any(other.busy for other in slow)
        one = _Watched(load, seconds)
        one.wait(_ALONE, before, alone=alone)
        found.append(one)
        if one.busy:
            slow.append(one)
    for one in slow:
        one.wait(1.0, before, alone=not any(other.busy for other in slow if other is not one))
    return [one.outcome() for one in found]


class _Watched(Generic[AnswerT]):
    """A plugin that is loaded in a thread; a daemon, so that the process ends without it."""

    def __init__(self, load: Callable[[], AnswerT], seconds: float) -> None:
        self._seconds = seconds
        self._loaded = Loaded[AnswerT]()
        self._changes: list[str] = []
        self._thread = threading.Thread(target=_fill, args=(self._loaded, load), daemon=True)
        self._began = time.monotonic()
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether it is not done."""
        return self._thread.is_alive()

    def wait(self, share: float, before: Snapshot, *, alone: bool) -> None:
        """Wait until a share of its time is over, and put back what is changed meanwhile."""
        self._thread.join(max(0.0, self._began + share * self._seconds - time.monotonic()))
        changes = before.put_back()
        doubt = "" if alone else " (if it was not one of those that were loading beside it)"
        self._changes += [change + doubt for change in changes]

    def outcome(self) -> Loaded[AnswerT]:
        """Tell what became of it; one that is not done is given up."""
        if self.busy:
            self._give_up()
            error = UserError(
                f"not done after {self._seconds:g} s, left out; see what it does when it is "
                f"imported, or set {VARIABLE} to more seconds"
            )
            return Loaded(error=error, changes=self._changes)
        loaded = self._loaded
        return Loaded(answer=loaded.answer, error=loaded.error, changes=self._changes)

    def _give_up(self) -> None:
        """Have it end before its next line, so that nothing of it happens later."""
        if self._thread.ident is not None:
            end = ctypes.pythonapi.PyThreadState_SetAsyncExc
            end(ctypes.c_ulong(self._thread.ident), ctypes.py_object(SystemExit))


def _fill(loaded: Loaded[AnswerT], load: Callable[[], AnswerT]) -> None:
    try:
        with ordinary():
            loaded.answer = load()
    except (Exception, SystemExit) as error:
        loaded.error = error


def put_back(changes: Sequence[str]) -> str:
    """Say what a plugin changed while it was loaded."""
    return f"{told(changes)} while it was loaded; put back"
