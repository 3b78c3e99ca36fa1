"""What a leaderboard is made of: records that were read, those that were not, pages and modules."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from agfer_bench.comparison.comparable import Ground
from agfer_bench.records.run import ModuleRecord, RunRecord
from agfer_bench.submissions.model import Submission

CONTROL = "a control, which other blocks are held against"
"""Why a row that is a control is not judged itself."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """One module of one record."""

    module: ModuleRecord
    """The numbers."""
    submission: Submission
    """Where they are from."""

    @property
    def record(self) -> RunRecord:
        """The run that they are of."""
        return self.submission.record

    @property
    def whole(self) -> bool:
        """Whether every fold was trained with every seed."""
        return self.module.complete(self.record.protocol)

    @property
    def age(self) -> tuple[datetime.datetime, str]:
        """When the run ended, and its path: sorts the newest last."""
        finished = datetime.datetime.fromisoformat(self.record.finished)
        return finished.astimezone(datetime.UTC), self.submission.path


@dataclass(frozen=True, kw_only=True)
class PageEntry:
    """One module of a page, with all records of it, whatever they were made on."""

    label: str
    """Name; where two modules of a page have the same, told apart by their versions or sources."""
    results: tuple[Result, ...]
    """One for each record: whole ones before those that lack trainings, the newest first."""

    @property
    def module(self) -> ModuleRecord:
        """The numbers of the newest whole record."""
        return self.results[0].module

    @property
    def submission(self) -> Submission:
        """The newest whole record."""
        return self.results[0].submission

    @property
    def again(self) -> tuple[Submission, ...]:
        """The other records."""
        return tuple(one.submission for one in self.results[1:])

    @property
    def whole(self) -> tuple[Result, ...]:
        """The results in which every fold was trained with every seed."""
        return tuple(one for one in self.results if one.whole)


@dataclass(frozen=True, kw_only=True)
class Page:
    """All modules that compare: one protocol but for its seeds, one data set, the same folds."""

    ground: Ground
    """What they share."""
    entries: tuple[PageEntry, ...]
    """The modules, by their labels."""

    @property
    def paths(self) -> list[str]:
        """The paths of its records, sorted."""
        return sorted({one.submission.path for e in self.entries for one in e.results})
