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
