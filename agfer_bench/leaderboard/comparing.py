"""The comparisons of a page: which entries are compared in pairs, and what is found."""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from dataclasses import dataclass

from agfer_bench.comparison.contrasts import Contrast, Entrant, contrasts, subject_shares, survivor
from agfer_bench.comparison.significance import Verdict
from agfer_bench.leaderboard.model import PageEntry
from agfer_bench.leaderboard.rows import rounded
from agfer_bench.leaderboard.site_data import Difference

MOST = 20
"""Modules of a page that are compared with each other: 190 pairs."""

_SILENT = "which do not tell who was recognised"


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What a page's comparisons found."""

    entries: tuple[int, ...]
    """Numbers of the entries that were compared, in the order of the page."""
    differences: tuple[Difference, ...]
    """All pairs of them."""
    best: int | None
    """Number of the entry that is distinguishably ahead of all others."""
    method: str
    """How and which, in words."""


def compare(entries: Sequence[PageEntry], names: Sequence[str]) -> Compared:
    """Compare the entries of a page in pairs: each module once, the most accurate ones.

    Args:
        entries: In the order of the page, best accuracy first.
        names: Those of their modules.
    """
    modules = _newest(entries, names)
    # One record that does not tell who was recognised must not take the subjects from all others.
    known = [n for n in modules if subject_shares(entries[n].module) is not None]
    candidates = known if len(known) > 1 else modules
    chosen = candidates[:MOST]
    entrants = [
        Entrant(
            label=names[number],
            module=entries[number].module,
            record=entries[number].submission.record,
        )
        for number in chosen
    ]
    found = contrasts(entrants)
    best = survivor(entrants, found)
    return Compared(
        entries=tuple(chosen),
        differences=tuple(map(_difference, found)),
        best=next((number for number in chosen if names[number] == best), None),
        method=_method(found, len(candidates), len(modules) - len(candidates)),
    )


def _newest(entries: Sequence[PageEntry], names: Sequence[str]) -> list[int]:
    """Return the newest entry of each module that is complete, whatever its device."""
    newest: dict[str, int] = {}
    for number, (entry, same) in enumerate(zip(entries, names, strict=True)):
        if not entry.module.complete(entry.submission.record.protocol):
            continue
        if same not in newest or _age(entry) > _age(entries[newest[same]]):
            newest[same] = number
    return sorted(newest.values())


def _age(entry: PageEntry) -> tuple[datetime.datetime, str]:
    submission = entry.submission
    when = datetime.datetime.fromisoformat(submission.record.finished)
    return when.astimezone(datetime.UTC), submission.path


def _difference(one: Contrast) -> Difference:
    verdict = one.verdict
    return Difference(
        first=one.first,
        second=one.second,
        difference=rounded(verdict.estimate),
        interval=_interval(verdict),
        p=rounded(verdict.p),
        adjusted=rounded(one.adjusted),
        distinguishable=one.distinguishable,
        sentence=one.sentence,
    )


def _interval(verdict: Verdict) -> tuple[float, float] | None:
    if verdict.low is None or verdict.high is None:
        return None
    if not (math.isfinite(verdict.low) and math.isfinite(verdict.high)):
        return None
    return rounded(verdict.low), rounded(verdict.high)


def _method(found: Sequence[Contrast], modules: int, unknown: int) -> str:
    if not found:
        return "Nothing was compared: that takes two modules that were trained on all folds."
    verdict = found[0].verdict
    how = {
        "sign-flip over subjects": f"over {verdict.units} subjects by sign-flip permutation",
        "t over subjects": f"over {verdict.units} subjects by Student's t test",
        "corrected t over folds": f"over {verdict.units} folds by the corrected resampled t test",
        "McNemar": f"over {verdict.units} images by McNemar's test",
    }[verdict.method]
    which = (
        f"the {MOST} most accurate of {modules} modules, the others not at all"
        if modules > MOST
        else f"all {modules} modules"
    )
    pairs = f"{len(found)} pairs" if len(found) > 1 else "one pair"
    return (
        f"Compared {how}: {which}, {pairs}, at the 5 % level after Holm's correction for their "
        "number. Of a module that was run on several devices the newest record is compared."
        + (f" Not compared: {unknown} of older records, {_SILENT}." if unknown else "")
    )
