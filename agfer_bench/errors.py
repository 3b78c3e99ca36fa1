"""Errors that the user can mend."""

from __future__ import annotations


class UserError(Exception):
    """What was wrong, where, and what to do about it, in one line.

    The command line prints the message without a traceback and exits with 2.
    """


class PluginError(UserError):
    """A plugin misbehaved; the message names its distribution."""

    def __init__(self, distribution: str, message: str) -> None:
        super().__init__(f"{distribution}: {message}")
        self.distribution = distribution


class Escaped(Exception):
    """A stranger's code raised what is made to pass all handlers; the text says what."""


def describe(error: BaseException) -> str:
    """Name an exception in one line."""
    text = " ".join(str(error).split())
    if isinstance(error, UserError | Escaped):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
