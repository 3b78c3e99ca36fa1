"""How the library tells what it is doing, without printing."""

from __future__ import annotations

from typing import Protocol


class Reporter(Protocol):
    """Hears of progress; the command line shows it, tests and notebooks may ignore it."""

    def progress(self, what: str, done: int, total: int, detail: str = "") -> None:
        """Take notice that `done` of `total` steps of `what` are done."""

    def note(self, text: str) -> None:
        """Take notice of something that the user should know."""


class Silent:
    """Ignores everything."""

    def progress(self, what: str, done: int, total: int, detail: str = "") -> None:
        """Ignore progress."""

    def note(self, text: str) -> None:
        """Ignore a note."""
