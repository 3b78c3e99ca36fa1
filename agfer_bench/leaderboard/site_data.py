"""What a leaderboard says, as plain data: the layout of `leaderboard.json`, and what pages show.

Accuracies, their deviations and intervals are 0..1, times in the unit of the name. Texts are
strangers', on one line and cut to a sane length; they are not escaped for anything. What was not
measured is null.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

LAYOUT: Final = 1
"""Version of this layout."""


@dataclass(frozen=True, kw_only=True)
class SiteRow:
    """One module of one record."""

    name: str
    """Name of the module, in which pairs are told as well; the same for all devices."""
    label: str
    """Name of the row: with its device where that tells it apart."""
    kind: Literal["attention", "classifier"]
    """A block in the host, or a classifier of its own without size or speed."""
    best: bool
    """Whether it is distinguishably ahead of every other module that it was compared with."""
    compared: bool
    """Whether it takes part in the page's comparisons."""
    complete: bool
    """Whether every fold was trained with every seed; without, there is no accuracy."""
    accuracy: float | None
    """Mean per-class recall, mean over folds."""
    accuracy_sd: float | None
    """Sample standard deviation of that over folds, seeds averaged first."""
    interval: tuple[float, float] | None
    """95 % interval of the accuracy."""
    interval_over: str | None
    """What the interval is over: `60 subjects` or `5 folds`."""
    cross: float | None
    """The same on the second data set."""
    cross_sd: float | None
    """Sample standard deviation of that over folds."""
    gap: float | None
    """Training less validation accuracy."""
    device: int
    """Number of the page's device on which times were taken; times compare within one alone."""
    latency_ms: float | None
    """Median latency of one image, eager fp32."""
    hz: float | None
    """Images a second, one at a time."""
    train_seconds: float | None
    """Training of one fold, mean over folds and seeds."""
    parameters: int | None
    """Learnable parameters of the network."""
    block_parameters: int | None
    """Those of the attention blocks."""
    macs: int | None
    """Multiply-accumulates of one image."""
    seeds: int
    """Times that every fold was trained."""
    distribution: str
    """Distribution that offers the module."""
    version: str
    """Version of that."""
    source: str
    """Where the module is published."""
    date: str
    """Day of the end of the run."""
    record: str
    """The record's file, below the site."""
    others: tuple[str, ...]
    """Files of other records of the same module and device."""
    error: str | None
    """Why the row is incomplete."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A pair of modules, compared."""

    first: str
    """Name of the first."""
    second: str
    """Name of the second."""
    difference: float
    """The first's accuracy less the second's."""
    interval: tuple[float, float] | None
    """95 % interval of the difference."""
    p: float
    """Two-sided p value."""
    adjusted: float
    """That adjusted for all pairs of the page (Holm)."""
    distinguishable: bool
    """Whether the adjusted one is at most 0.05."""
    sentence: str
    """The same in words."""


@dataclass(frozen=True, kw_only=True)
class RecordSource:
    """A record from which rows of a page are."""

    file: str
    """Its copy below the site."""
    path: str
    """Where it was found, below the folder that was read."""
    date: str
    """Day of the end of the run."""
    device: str
    """What it ran on."""
    command: str | None
    """The command that makes it again; null where its names do not belong in a command."""
    notes: tuple[str, ...]
    """What to put into the command, and what went wrong in the run."""
    versions: tuple[tuple[str, str], ...]
    """Python, packages and the harness's revision, each with its version."""


@dataclass(frozen=True, kw_only=True)
class PageListing:
    """One page: rows that share settings, images and folds."""

    key: str
    """SHA-256 of what they share."""
    file: str
    """The page, below the site."""
    title: str
    """Preset, folds, data."""
    changes: str
    """Settings that differ from the preset; empty where none does."""
    drawn: bool
    """Whether any of the faces are drawn: no result on them tells about people."""
    chance: float
    """Accuracy of an even guess."""
    facts: tuple[tuple[str, str], ...]
    """What is compared, in words: name and value."""
    settings: dict[str, Any]
    """Every setting of the protocol."""
    protocol: str
    """Fingerprint of the settings that move accuracies."""
    data: str
    """Fingerprint of the images."""
    devices: tuple[str, ...]
    """Names of the devices on which times were taken."""
    records: int
    """Records that belong to the page, others of the same module and device included."""
    rows: tuple[SiteRow, ...]
    """Best accuracy first, those without one last."""
    best: str | None
    """Name of the module that is distinguishably ahead of all that it was compared with."""
    method: str
    """How pairs were compared, and which."""
    differences: tuple[Difference, ...]
    """The pairs."""
    caveats: tuple[str, ...]
    """What the compared records do not share that may move accuracies by itself."""
    sources: tuple[RecordSource, ...]
    """The records of the rows, newest first."""

    @property
    def crossed(self) -> bool:
        """Whether there is a cross-database test."""
        return any(row.cross is not None for row in self.rows)


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A file that is not published."""

    path: str
    """Where it was found, below the folder that was read."""
    reason: str
    """Why, in one line."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The whole leaderboard."""

    layout: Literal[1] = LAYOUT
    """Version of this layout."""
    pages: tuple[PageListing, ...]
    """Those with most records first."""
    rejected: tuple[Refusal, ...]
    """In the order of their paths."""
