"""What a leaderboard says, as plain data: the layout of `leaderboard.json`, and what pages show.

Accuracies, their deviations and intervals are 0..1, times in the unit of the name. Texts are
strangers', on one line and cut to a sane length; they are not escaped for anything. What was not
measured is null.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from agfer_bench.leaderboard.model import CONTROL

LAYOUT: Final = 3
"""Version of this layout."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A pair of modules, compared."""

    first: str
    """Name of the first."""
    second: str
    """Name of the second."""
    verdict: Literal["ahead", "behind", "equivalent", "not distinguishable", "not judged"]
    """What is said of the first, held against the second."""
    difference: float
    """The first's accuracy less the second's."""
    interval: tuple[float, float] | None
    """95 % interval of the difference, adjusted as `p_holm`."""
    p: float | None
    """Two-sided p value of this pair alone."""
    p_holm: float | None
    """That adjusted for all pairs that were judged together (Holm)."""
    pairs: int
    """How many these are."""
    p_worse: float | None
    """Probability that the first is worse by more than the region of practical equivalence."""
    p_equivalent: float | None
    """Probability that the two differ by no more than that."""
    p_better: float | None
    """Probability that the first is better by more than that."""
    rope: float
    """Half the region of practical equivalence."""
    sentence: str
    """The verdict in words."""


@dataclass(frozen=True, kw_only=True)
class Times:
    """How fast a module is on one device, by the newest record from there."""

    device: int
    """Number of the page's device; times compare within one alone."""
    latency_ms: float | None
    """Median latency of one image, eager fp32."""
    hz: float | None
    """Images a second, one at a time."""
    train_seconds: float | None
    """Training of one fold, mean over folds and seeds."""
    record: str
    """The record's file, below the site."""


@dataclass(frozen=True, kw_only=True)
class SiteRow:
    """One module of a page, with all its records."""

    name: str
    """Name of the module, short; pairs are told by it as well."""
    label: str
    """The same in full."""
    kind: Literal["attention", "classifier"]
    """A block in the host, or a classifier of its own without size or speed."""
    complete: bool
    """Whether a record has every fold with every seed; without, there is no accuracy."""
    judged: bool
    """Whether anything is said of it beyond its own numbers."""
    why_not: str | None
    """Why it is not judged."""
    accuracy: float | None
    """Mean per-class recall, mean over folds and trainings."""
    accuracy_sd: float | None
    """Sample standard deviation of that over folds, trainings averaged first."""
    interval: tuple[float, float] | None
    """95 % interval of the accuracy, over what the page's `unit` says, and trainings."""
    against_base: Difference | None
    """What is said of it against the page's base; null for base itself, for a classifier, and where
    the row or base is not judged."""
    rank: tuple[int, int] | None
    """The best and the worst rank that its comparisons leave open."""
    tier: int | None
    """Its tier, from 1: it is behind every module of the tiers above."""
    cross: float | None
    """Accuracy on the second data set, mean over folds and trainings."""
    cross_sd: float | None
    """Sample standard deviation of that over folds."""
    gap: float | None
    """Training less validation accuracy."""
    times: tuple[Times, ...]
    """Its times, for each device on which there are any."""
    parameters: int | None
    """Learnable parameters of the network."""
    block_parameters: int | None
    """Those of the attention blocks."""
    macs: int | None
    """Multiply-accumulates of one image."""
    trainings: int
    """Trainings of each fold, of all records, that the accuracy rests on; 0 without one."""
    distribution: str
    """Distribution that offers the module."""
    version: str
    """Version of that."""
    source: str
    """Where the module is published."""
    date: str
    """Day of the end of the newest run."""
    record: str
    """The newest record's file, below the site."""
    others: tuple[str, ...]
    """Files of its other records."""
    marks: tuple[str, ...]
    """What its newest record tells beside the numbers."""
    error: str | None
    """Why the newest record is incomplete."""

    def on(self, device: int) -> Times | None:
        """Return the times on one device."""
        return next((one for one in self.times if one.device == device), None)


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
    """Fingerprint of the settings that move accuracies, but for the number of trainings."""
    data: str
    """Fingerprint of the images."""
    devices: tuple[str, ...]
    """Names of the devices on which times were taken, that of most rows first."""
    records: int
    """Records that belong to the page."""
    rows: tuple[SiteRow, ...]
    """Those that are judged, most accurate first; behind them the others, by reason and name."""
    unit: Literal["subjects", "folds", "trainings"] | None
    """What intervals and verdicts are over, beside trainings; `trainings` where these alone vary,
    null where nothing is judged."""
    units: int | None
    """How many of these."""
    base: str | None
    """Name of the row that the others are held against; null where there is none."""
    notes: tuple[str, ...]
    """What the verdicts are, what they rest on, what would tell more."""
    calibration: tuple[str, ...]
    """How often a block that does nothing gets a verdict under these settings and data; empty where
    that was not measured."""
    controls: tuple[str, ...]
    """What the most accurate blocks are worth over their controls, in words; empty without any."""
    differences: tuple[Difference, ...]
    """All pairs of the most accurate rows that are judged; corrected together."""
    caveats: tuple[str, ...]
    """What the records of the judged rows do not share that may move accuracies by itself."""
    sources: tuple[RecordSource, ...]
    """The records, newest first, those that rows name before others."""

    @property
    def crossed(self) -> bool:
        """Whether there is a cross-database test."""
        return any(row.cross is not None for row in self.rows)

    @property
    def tiers(self) -> int:
        """How many tiers there are; 0 where nothing is judged."""
        return max((row.tier or 0 for row in self.rows), default=0)

    @property
    def judged(self) -> tuple[SiteRow, ...]:
        """The rows that are judged."""
        return tuple(row for row in self.rows if row.judged)

    @property
    def apart(self) -> dict[str, list[SiteRow]]:
        """The rows that are not, by the reason."""
        found: dict[str, list[SiteRow]] = {}
        for row in self.rows:
            if not row.judged:
                found.setdefault(row.why_not or "", []).append(row)
        return found

    @property
    def lacks_trainings(self) -> bool:
        """Whether some row is apart for lack of trainings, and not since it is a control."""
        return any(not row.judged and row.why_not != CONTROL for row in self.rows)

    @property
    def ahead(self) -> tuple[str, ...]:
        """Names of the rows that are ahead of base."""
        found = ((row, row.against_base) for row in self.rows)
        return tuple(row.name for row, one in found if one and one.verdict == "ahead")


@dataclass(frozen=True, kw_only=True)
class SettingRow:
    """A block's effect in one setting: host, data set and protocol."""

    name: str
    """Name of the setting, unlike those of the block's other settings."""
    protocol: str
    """Title of the page, and what its settings change."""
    page: str
    """The page that it is of, below the site."""
    host: str
    """The network that the block stands in."""
    data: str
    """Name of the data set."""
    over: str
    """What the effect is judged over: `60 subjects, 3 trainings`."""
    effect: float
    """The block's accuracy less that of base."""
    error: float
    """Standard error of that, over subjects (or folds) and trainings."""
    interval: tuple[float, float]
    """95 % interval of the effect, of this setting alone."""


@dataclass(frozen=True, kw_only=True)
class PooledEffect:
    """The effect of a block over all its settings, by random effects."""

    verdict: Literal["ahead", "behind", "equivalent", "not distinguishable"]
    """What is said of the block held against base, on average over such settings."""
    effect: float
    """The mean effect over all such settings."""
    interval: tuple[float, float]
    """95 % interval of that, adjusted as `p_holm`."""
    p: float
    """Two-sided p value of no mean effect, for this block alone."""
    p_holm: float
    """That adjusted for all blocks on the same kind of faces (Holm)."""
    blocks: int
    """How many these are."""
    prediction: tuple[float, float]
    """95 % prediction interval: the true effect in a new setting of the same kind."""
    tau: float
    """Standard deviation of true effects between settings."""
    tau_interval: tuple[float, float]
    """95 % interval of that."""
    q: float
    """Cochran's Q."""
    q_p: float
    """p value of Q: that all settings have one true effect."""
    i2: float
    """I^2, 0..1: the part of the scatter of effects that their standard errors do not explain."""
    sentence: str
    """The result in words."""
    warnings: tuple[str, ...]
    """What keeps it from being taken at its word."""


@dataclass(frozen=True, kw_only=True)
class BlockAcross:
    """One block over all pages whose faces are photographs, or over all whose are drawn."""

    name: str
    """Name of the block."""
    drawn: bool
    """Whether the faces are drawn: an effect on them tells nothing about people."""
    settings: tuple[SettingRow, ...]
    """Those in which it is judged, largest effect first."""
    left_out: tuple[tuple[str, int], ...]
    """Why other pages with the block do not count, each with their number."""
    pooled: PooledEffect | None
    """The effect over the settings; null where they are too few."""


@dataclass(frozen=True, kw_only=True)
class Across:
    """What blocks add to base over several settings."""

    blocks: tuple[BlockAcross, ...]
    """Those over enough settings, by the lower end of their prediction interval, highest first;
    behind them the others, most settings first."""
    missing: str | None
    """What it takes for the first block to be judged; null where one is."""


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

    layout: Literal[3] = LAYOUT
    """Version of this layout."""
    pages: tuple[PageListing, ...]
    """Those with most records first."""
    across: Across
    """Blocks over several pages."""
    rejected: tuple[Refusal, ...]
    """In the order of their paths."""
