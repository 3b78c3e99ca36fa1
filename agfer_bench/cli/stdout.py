"""Standard output is the command's own: what plugins print goes to standard error.

They print from Python, from C, and in processes that they or we start; `--json` must be JSON all
the same. So the descriptor itself is pointed elsewhere, and the command keeps a copy of it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import TextIO

from agfer_bench.text import STAND_INS

_OUT, _ERR = 1, 2
"""Descriptors of standard output and standard error."""

_stack: list[TextIO | None] = []
"""What each command under way keeps for its own output; None while nothing is set apart."""


@contextmanager
def command() -> Iterator[None]:
    """Mark the time in which standard output may be set apart.

    A descriptor stays set apart until the process ends: C code may print what it holds back when
    the process ends. Only a stand-in for `sys.stdout`, such as a test's, is put back.
    """
    before = sys.stdout
    _stack.append(None)
    for stream in (sys.stdout, sys.stderr):
        # An output may take ASCII alone, and a file's name may be no text.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=STAND_INS)
    try:
        yield
    finally:
        own = _stack.pop()
        if own is before:
            sys.stdout = before
        elif own is not None:
            _end(own)


def set_apart() -> None:
    """Take standard output for what `stream` is used for; call it before plugins are loaded.

    Outside a command, in a notebook say, nothing happens. Help and errors of usage are printed
    before.
    """
    if not _stack or _stack[-1] is not None:
        return
    _stack[-1] = _copy(sys.stdout)
    sys.stdout = sys.stderr


def stream() -> TextIO:
    """Return what the command's own output goes to."""
    own = _stack[-1] if _stack else None
    return sys.stdout if own is None else own


def _copy(stdout: TextIO) -> TextIO:
    """Return a stream on a copy of standard output's descriptor; a stand-in is its own copy."""
    try:
        if stdout.fileno() != _OUT:
            return stdout
        stdout.flush()
        own = os.fdopen(os.dup(_OUT), "w", encoding=stdout.encoding, errors=stdout.errors)
        os.dup2(_ERR, _OUT)
    except (OSError, ValueError):  # closed, or no file at all
        return stdout
    return own


def _end(own: TextIO) -> None:
    """Write what is left; where nobody reads any more, it goes nowhere."""
    try:
        own.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, own.fileno())
        os.close(nowhere)
