"""Paths as users type them: `~` is their home, whether or not a shell has seen it.

Shells leave it alone in `--out=~/x`, in a quoted argument, and in variables of a Dockerfile or a
workflow.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from agfer_bench.files import at_home


class App(typer.Typer):
    """A group of commands in whose paths `~` is the user's home."""

    def command(self, *arguments: Any, **options: Any) -> Callable[[Any], Any]:
        """Register a command, as `typer.Typer.command` does."""
        register = super().command(*arguments, **options)

        def with_home(command: Callable[..., Any]) -> Callable[..., Any]:
            register(_at_home(command))
            return command

        return with_home


def _at_home(command: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command that is given its paths expanded."""

    @functools.wraps(command)
    def expanded(**values: Any) -> Any:
        return command(**{name: _expanded(value) for name, value in values.items()})

    return expanded


def _expanded(value: Any) -> Any:
    if isinstance(value, Path):
        return at_home(value)
    if isinstance(value, list | tuple):
        return type(value)(_expanded(one) for one in value)
    return value
