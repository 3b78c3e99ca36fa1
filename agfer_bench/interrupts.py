"""Whether somebody ended the command, which a stranger's code can only pretend."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_state: list[bool] = []
"""Whether an interrupt came, while a command listens; empty otherwise."""


def came() -> bool | None:
    """Tell whether an interrupt came; None where nobody listens, so that it is not known."""
    return _state[-1] if _state else None


def note() -> None:
    """Note that an interrupt came, for the handler of another signal that ends the command."""
    if _state:
        _state[-1] = True


@contextmanager
def listening() -> Iterator[None]:
    """Note that an interrupt comes, and raise KeyboardInterrupt for it as Python does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        note()
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:  # somebody else's, a notebook's or a test's
        yield
        return
    _state.append(False)
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        _state.pop()
        signal.signal(signal.SIGINT, before)
