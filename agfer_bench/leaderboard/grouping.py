"""Records that were read, grouped into pages: one for each ground that accuracies compare on."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from agfer_bench.comparison.comparable import Ground, ground_of
from agfer_bench.comparison.entrants import unique
from agfer_bench.leaderboard.model import Page, PageEntry, Result
from agfer_bench.leaderboard.naming import MODULE_DETAILS, Detail, told_apart
from agfer_bench.records.run import ModuleRecord
from agfer_bench.submissions.model import Reading, Submission

Identity = tuple[str, ...]
"""What makes modules of two records the same."""


def pages_of(reading: Reading) -> tuple[Page, ...]:
    """Group the accepted records by ground: pages with most records first.

    A page's records may differ in `seeds`, how often each fold was trained. One in which no fold
    was trained, or which lacks some, joins the page of the records that it agrees with; without any
    such it is a page of its own.
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
    same: dict[Identity, list[Result]] = defaultdict(list)
    for submission in submissions:
        for module in submission.record.modules:
            same[_identity(module)].append(Result(module=module, submission=submission))
    entries = _labelled([_entry(results) for results in same.values()])
    return Page(ground=ground, entries=tuple(sorted(entries, key=lambda one: one.label)))


def _identity(module: ModuleRecord) -> Identity:
    return (
        module.kind,
        module.name,
        json.dumps(module.options, sort_keys=True),
        module.distribution,
        module.version,
        module.package_sha256,
    )


def _entry(results: Sequence[Result]) -> PageEntry:
    """One that lacks trainings does not stand before one that has all; else the newest is first."""
    ordered = sorted(results, key=lambda one: (one.whole, one.age), reverse=True)
    return PageEntry(label=ordered[0].module.label, results=tuple(ordered))


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
    _options,
)
"""What tells modules of one label apart, in this order."""
