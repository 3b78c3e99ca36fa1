"""What came in: records that were read, and files that are not published."""

from __future__ import annotations

from dataclasses import dataclass

from agfer_bench.records.run import RunRecord


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A record that was read, is valid and does not contradict itself."""

    path: str
    """Its place below the folder that was read, with slashes; unique, and never leaves it."""
    record: RunRecord
    """What it says. Texts in it are a stranger's."""


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """A file that is not published."""

    path: str
    """Its place below the folder that was read, with slashes."""
    reason: str
    """Why, in one line."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """All that was found in a folder."""

    accepted: tuple[Submission, ...]
    """In the order of their paths."""
    rejected: tuple[Rejected, ...]
    """In the order of their paths."""
    speeds: tuple[str, ...] = ()
    """Places of valid records of speed comparisons (`agfer-bench speed`): passed over, since they
    hold no accuracy."""
