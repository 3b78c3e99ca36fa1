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


class Under:
    """Passes everything on, each step named by the part of the work that it belongs to."""

    def __init__(self, above: Reporter, part: str) -> None:
        self._above = above
        self._part = part

    def progress(self, what: str, done: int, total: int, detail: str = "") -> None:
        """Pass progress on."""
        self._above.progress(f"{self._part}: {what}", done, total, detail)

    def note(self, text: str) -> None:
        """Pass a note on."""
        self._above.note(f"{self._part}: {text}")
