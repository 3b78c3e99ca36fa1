"""Limits of time and memory for a check: a block that needs more is told so, and nothing hangs."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agfer_bench.measure.device_memory import free_memory
from agfer_bench.network.build import CPU

SECONDS = 30.0
"""What a check may take in one slot."""
_SHARE = 0.9
"""Share of the free memory that the checks may take."""


class OutOfTime(Exception):
    """A check took too long."""


@contextlib.contextmanager
def time_limited(seconds: float = SECONDS) -> Iterator[None]:
    """End what takes too long, as soon as it is back in Python.

    Without effect outside of the main thread, and where the system has no such timer.

    Raises:
        OutOfTime: It took too long.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGALRM"):
        yield
        return

    def end(*_: Any) -> None:
        raise OutOfTime(f"not done after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def memory_limited() -> Iterator[None]:
    """Refuse memory that the machine does not have, where Linux would promise it and then kill.

    Without effect on other systems.
    """
    try:
        import resource

        used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (ImportError, OSError, ValueError):
        yield
        return
    free = free_memory(CPU)()
    if free is None:
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_AS)
    limit = int(used * resource.getpagesize() + _SHARE * free)
    if before[1] != resource.RLIM_INFINITY:
        limit = min(limit, before[1])
    resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
