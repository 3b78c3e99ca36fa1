"""What a leaderboard is made of: records that were read, those that were not, pages and rows."""

from __future__ import annotations

from dataclasses import dataclass

from agfer_bench.comparison.comparable import Ground
from agfer_bench.records.run import ModuleRecord
from agfer_bench.submissions.model import Submission


@dataclass(frozen=True, kw_only=True)
class PageEntry:
    """A row: one module of one record. The newest whole record of a module stands for all."""

    label: str
    """Name in the table; where two modules of a page have the same, told apart by their versions
    or sources."""
    module: ModuleRecord
    """The numbers."""
    submission: Submission
    """Where they are from."""
    again: tuple[Submission, ...] = ()
    """Other records of the same module, source and device on the same ground, newest first."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """All rows that compare: one protocol, one data fingerprint, the same folds."""

    ground: Ground
    """What they share."""
    entries: tuple[PageEntry, ...]
    """The rows, best accuracy first; rows without one last."""

    @property
    def paths(self) -> list[str]:
        """The paths of its records, sorted."""
        return sorted({one.path for e in self.entries for one in (e.submission, *e.again)})
