"""Records that were read, grouped into pages: one for each ground that accuracies compare on."""

from __future__ import annotations

import datetime
import json
import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from agfer_bench.comparison.comparable import Ground, ground_of
from agfer_bench.comparison.entrants import unique
from agfer_bench.leaderboard.model import Page, PageEntry
from agfer_bench.leaderboard.naming import MODULE_DETAILS, Detail, told_apart
from agfer_bench.records.run import ModuleRecord
from agfer_bench.submissions.model import Reading, Submission

Identity = tuple[str, ...]
"""What makes rows of two records the same module on the same device."""


def pages_of(reading: Reading) -> tuple[Page, ...]:
    """Group the accepted records by ground: pages with most records first.

    A record in which no fold was trained, or which lacks some, joins the page of the records that
    it agrees with; without any such it is a page of its own.
    """
    pages = [_page(ground, records) for ground, records in _grounds(reading.accepted)]
    return tuple(sorted(pages, key=lambda page: (-len(page.paths), page.ground.key)))


def _grounds(submissions: Iterable[Submission]) -> list[tuple[Ground, list[Submission]]]:
    """Return each ground with its records; partial ones are put to a whole one."""
    by_ground: dict[Ground, list[Submission]] = defaultdict(list)
    for one in submissions:
        by_ground[ground_of(one.record)].append(one)
    # Grounds with most folds first: those with fewer may then be parts of them.
    ordered = sorted(by_ground, key=lambda ground: (-len(ground.splits), ground.key))
    whole: dict[Ground, list[Submission]] = {}
    for ground in ordered:
        home = next((one for one in whole if _is_part(by_ground[ground][0], ground, one)), ground)
        whole.setdefault(home, []).extend(by_ground[ground])
    return list(whole.items())


def _is_part(submission: Submission, ground: Ground, whole: Ground) -> bool:
    """Tell whether a ground is that of a record that merely lacks some folds of another's."""
    record = submission.record
    if replace(ground, splits=whole.splits) != whole:
        return False
    if len(whole.splits) != record.protocol.folds or len(ground.splits) == len(whole.splits):
        return False
    folds = {f.fold: f.split_sha256 for module in record.modules for f in module.folds}
    return all(whole.splits[number] == split for number, split in folds.items())


def _page(ground: Ground, submissions: Sequence[Submission]) -> Page:
    same: dict[Identity, list[_Row]] = defaultdict(list)
    for submission in submissions:
        for module in submission.record.modules:
            same[_identity(module, submission)].append(_Row(module=module, submission=submission))
    entries = [_entry(rows) for rows in same.values()]
    return Page(ground=ground, entries=tuple(sorted(_labelled(entries), key=_place)))


@dataclass(frozen=True, kw_only=True)
class _Row:
    """One module of one record."""

    module: ModuleRecord
    submission: Submission


def _identity(module: ModuleRecord, submission: Submission) -> Identity:
    return (
        module.kind,
        module.name,
        json.dumps(module.options, sort_keys=True),
        module.distribution,
        module.version,
        module.package_sha256,
        submission.record.environment.device_name,
    )


def _entry(rows: Sequence[_Row]) -> PageEntry:
    """The newest stands for all; one that lacks folds does not stand before one that has all."""
    newest, *older = sorted(rows, key=_standing, reverse=True)
    return PageEntry(
        label=newest.module.label,
        module=newest.module,
        submission=newest.submission,
        again=tuple(row.submission for row in older),
    )


def _standing(row: _Row) -> tuple[bool, tuple[datetime.datetime, str]]:
    whole = row.module.complete(row.submission.record.protocol)
    return whole, _age(row.submission)


def _age(submission: Submission) -> tuple[datetime.datetime, str]:
    return datetime.datetime.fromisoformat(submission.record.finished), submission.path


def _labelled(entries: Sequence[PageEntry]) -> list[PageEntry]:
    """Tell entries of one label apart, by as little as does it; the same whatever their order."""
    ordered = sorted(entries, key=lambda one: (one.label, one.submission.path))
    told = told_apart(ordered, _DETAILS)
    labels = [
        " ".join([one.label, *(f"({detail})" for detail in own)])
        for one, own in zip(ordered, told, strict=True)
    ]
    # A label may itself end in what tells others apart.
    return [replace(one, label=label) for one, label in zip(ordered, unique(labels), strict=True)]


def _options(entry: PageEntry) -> str:
    return ",".join(f"{name}={value}" for name, value in sorted(entry.module.options.items()))


_DETAILS: tuple[Detail, ...] = (
    *MODULE_DETAILS,
    lambda one: one.submission.record.environment.device_name,
    _options,
)
"""What tells rows of one label apart, in this order."""


def _place(entry: PageEntry) -> tuple[float, str]:
    """Sort rows: best accuracy first; those without one, or with a part of the folds, last."""
    whole = entry.module.complete(entry.submission.record.protocol)
    mean = statistics.mean(entry.module.accuracies) if whole else math.nan
    return (math.inf if math.isnan(mean) else -mean, entry.label)
