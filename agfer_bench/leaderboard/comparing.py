"""What may be said of a page's modules: who is judged, over what, and what is found.

All of a page is judged over one thing: subjects and trainings, or folds and trainings. Modules are
held against base, and the most accurate of them against each other; each of the two families has
its own correction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np

from agfer_bench.comparison.contrasts import (
    Contrast,
    Question,
    accuracy_of,
    of_pairs,
    ranks,
    why_not_judged,
)
from agfer_bench.comparison.controls import Worth
from agfer_bench.comparison.inference import FEWEST_SUBJECTS, Difference, Scope, Unit
from agfer_bench.comparison.outcomes import Entrant, accuracies, subjects_of
from agfer_bench.leaderboard.model import CONTROL, PageEntry, Result
from agfer_bench.leaderboard.replicates import pooled
from agfer_bench.leaderboard.reproduce import OURS
from agfer_bench.protocol import OFFICIAL
from agfer_bench.records.run import BASE
from agfer_bench.report.controls import is_it_attention

MOST = 20
"""Modules of a page that are compared with each other: 190 pairs."""
MOST_JUDGED = 300
"""Modules of a page that are judged."""

SILENT = "only older records, which do not tell who was recognised"
_ON: Final = "validation"


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What may be said of one module of a page."""

    number: int
    """Number of its entry."""
    entrant: Entrant | None
    """Its name and all its trainings; None where no record of it is whole."""
    why_not: str = ""
    """Why it is not judged; empty where it is."""
    accuracy: Difference | None = None
    """How sure its accuracy is; None where it is not judged."""
    against_base: Contrast | None = None
    """What is said of it against base; None for base, for a classifier of its own, which is no
    block, and where base is not judged."""
    rank: tuple[int, int] | None = None
    """The best and the worst rank that its comparisons leave open, from 1; None where it is not
    among those that are compared with each other."""
    tier: int | None = None
    """Number of its tier, from 1; None likewise."""

    @property
    def judged(self) -> bool:
        """Whether anything is said of it."""
        return not self.why_not


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What a page's comparisons found."""

    standings: tuple[Standing, ...]
    """The judged modules, most accurate first; behind them the others, by reason and name."""
    question: Question
    """What was asked, once for all pairs."""
    unit: Scope | None
    """What, beside trainings, is judged over; `trainings` where these alone vary, None where
    nothing is judged."""
    base: Entrant | None
    """What the others are held against; None where there is no base, or it is not judged."""
    why_no_base: str
    """Why nothing is said against base; empty where something is."""
    against_base: tuple[Contrast, ...]
    """All that is said against base, most accurate module first."""
    pairs: tuple[Contrast, ...]
    """All pairs of the most accurate modules."""
    left_out: int
    """Trainings that are left out, since they do not tell who was recognised."""
    worths: tuple[Worth, ...]
    """What the most accurate blocks are worth over their controls; none without controls."""

    @property
    def judged(self) -> tuple[Standing, ...]:
        """The judged modules."""
        return tuple(one for one in self.standings if one.judged)

    @property
    def units(self) -> int | None:
        """How many subjects, folds or trainings; None where nothing is judged."""
        found = (one.accuracy for one in self.standings if one.accuracy is not None)
        return next((one.units for one in found), None)

    @property
    def ranked(self) -> tuple[Standing, ...]:
        """Those that were compared with each other."""
        return tuple(one for one in self.standings if one.rank is not None)


def compare(entries: Sequence[PageEntry], names: Sequence[str]) -> Compared:
    """Judge the modules of a page.

    Args:
        entries: The page's.
        names: Names of the modules, each its own.
    """
    field = _field(entries, names)
    question = Question(over=field.unit or "folds")
    judged = sorted(field.judged, key=lambda number: -_mean(field.entrants[number]))
    entrants = [field.entrants[number] for number in judged]
    base, why_no_base = _base(entrants, field)
    against = of_pairs([(o, base) for o in entrants if _is_held(o, base)], question) if base else ()
    ranked = [one.label for one in entrants[:MOST]]
    pairs = of_pairs(list(combinations(entrants[:MOST], 2)), question)
    open_ranks, tiers = ranks(pairs, ranked), tiers_of(pairs, ranked)
    by_name = {one.first: one for one in against}
    standings = [
        Standing(
            number=number,
            entrant=one,
            accuracy=accuracy_of(one, question),
            against_base=by_name.get(one.label),
            rank=open_ranks.get(one.label),
            tier=tiers.get(one.label),
        )
        for number, one in zip(judged, entrants, strict=True)
    ]
    return Compared(
        standings=(*standings, *field.others(names)),
        question=question,
        unit=_scope(field.unit, entries),
        base=base,
        why_no_base=why_no_base,
        against_base=against,
        pairs=pairs,
        left_out=field.left_out,
        worths=_worths(entrants, base, field.controls, question),
    )


def _scope(unit: Unit | None, entries: Sequence[PageEntry]) -> Scope | None:
    """Return what is judged over: an official split has no other fold to vary with."""
    one = bool(entries) and entries[0].submission.record.protocol.split == OFFICIAL
    return "trainings" if unit == "folds" and one else unit


def _worths(
    entrants: Sequence[Entrant],
    base: Entrant | None,
    controls: Sequence[Entrant],
    question: Question,
) -> tuple[Worth, ...]:
    """Hold all judged blocks against their controls, and return the most accurate ones."""
    others = [one for one in entrants if one is not base]
    if question.over == "subjects" and entrants:
        people = subjects_of(entrants[0], _ON)
        controls = [one for one in controls if subjects_of(one, _ON) == people]
    found = is_it_attention([*([base] if base else []), *others, *controls], question)
    blocks = [one for one in found if not one.null]
    return (*blocks[:MOST], *(one for one in found if one.null))


def tiers_of(pairs: Sequence[Contrast], labels: Sequence[str]) -> dict[str, int]:
    """Divide modules into tiers: every module is behind every module of the tiers above its own.

    A new tier begins where a module and all that are less accurate are behind every module of the
    tier above. Without such a place there is one tier.

    Args:
        pairs: All pairs of the modules.
        labels: The modules, most accurate first.

    Returns:
        The number of each module's tier, from 1.
    """
    behind = {(one.first, one.second) for one in pairs if one.verdict == "behind"}
    behind |= {(one.second, one.first) for one in pairs if one.verdict == "ahead"}
    found: dict[str, int] = {}
    above: list[str] = []
    tier = 1
    for place, label in enumerate(labels):
        below = labels[place:]
        if above and all((low, high) in behind for low in below for high in above):
            tier, above = tier + 1, []
        above.append(label)
        found[label] = tier
    return found


@dataclass(frozen=True, kw_only=True)
class _Field:
    """The modules of a page before they are compared."""

    unit: Unit | None
    entrants: dict[int, Entrant]
    """Every module that is whole, by its entry's number."""
    why_not: dict[int, str]
    """Why an entry is not judged; none for one that is."""
    left_out: int

    @property
    def judged(self) -> list[int]:
        return [number for number in self.entrants if number not in self.why_not]

    @property
    def controls(self) -> list[Entrant]:
        """Whole rows that are controls of others, and tell what the page's modules tell."""
        return [self.entrants[number] for number, why in self.why_not.items() if why == CONTROL]

    def others(self, names: Sequence[str]) -> list[Standing]:
        """Return those that are not judged: whole ones first, by reason and by name."""
        ordered = sorted(
            self.why_not, key=lambda n: (n not in self.entrants, self.why_not[n], names[n])
        )
        return [
            Standing(number=n, entrant=self.entrants.get(n), why_not=self.why_not[n])
            for n in ordered
        ]


def _field(entries: Sequence[PageEntry], names: Sequence[str]) -> _Field:
    """Find who can be judged, and over what, in one way for all."""
    every: dict[int, Entrant] = {}
    telling: dict[int, Entrant] = {}
    left_out = 0
    for number, (entry, name) in enumerate(zip(entries, names, strict=True)):
        if entry.whole:
            every[number] = pooled(name, entry.whole)
            tell = [one for one in entry.whole if _tells(one)]
            if tell:
                telling[number] = pooled(name, tell)
                left_out += len(every[number].trainings) - len(telling[number].trainings)
    able = [one for one in telling.values() if not why_not_judged(one)]
    # A record that does not tell who was recognised must not take the subjects from the others.
    others = any(not why_not_judged(one) for number, one in every.items() if number not in telling)
    if _share_subjects(able) and (len(able) > 1 or not others):
        return _divided("subjects", every | telling, telling, names, entries, left_out)
    return _divided("folds", every, every, names, entries, 0)


def _divided(
    unit: Unit,
    entrants: dict[int, Entrant],
    usable: dict[int, Entrant],
    names: Sequence[str],
    entries: Sequence[PageEntry],
    left_out: int,
) -> _Field:
    """Tell those that are judged from those that are not."""
    why_not = {}
    for number, name in enumerate(names):
        if number not in entrants:
            trained = bool(entries[number].module.folds)
            why_not[number] = "folds or trainings are missing" if trained else "not trained"
        elif number not in usable:
            why_not[number] = SILENT
        elif entrants[number].module.control:
            why_not[number] = CONTROL
        elif reason := why_not_judged(entrants[number]):
            why_not[number] = reason.removeprefix(f"{name} ").removeprefix("was ")
    judged = [number for number in entrants if number not in why_not]
    judged.sort(key=lambda number: -_mean(entrants[number]))
    for number in judged[MOST_JUDGED:]:
        why_not[number] = f"not among the {MOST_JUDGED} most accurate"
    return _Field(
        unit=unit if judged else None, entrants=entrants, why_not=why_not, left_out=left_out
    )


def _tells(result: Result) -> bool:
    return all(fold.recognised is not None for fold in result.module.trainings)


def _share_subjects(entrants: Sequence[Entrant]) -> bool:
    """Tell whether modules were judged on the same subjects, and on enough of them."""
    known = [subjects_of(one, _ON) for one in entrants]
    return bool(known) and all(
        subjects is not None and subjects == known[0] and len(subjects) >= FEWEST_SUBJECTS
        for subjects in known
    )


def _base(judged: Sequence[Entrant], field: _Field) -> tuple[Entrant | None, str]:
    """Choose what is held against, or say why nothing is: our own base, of most trainings."""
    found = [one for one in judged if one.module.label == BASE]
    if found:
        return max(found, key=_weight), ""
    for number, one in field.entrants.items():
        if one.module.label == BASE:
            return None, f"{one.label}: {field.why_not[number]}"
    return None, "no whole record has base"


def _weight(one: Entrant) -> tuple[bool, int, str, str]:
    ours = one.module.distribution == OURS
    return ours, len(one.trainings), one.record.finished, one.label


def _is_held(one: Entrant, base: Entrant) -> bool:
    return one is not base and one.module.kind != "classifier"


def _mean(one: Entrant) -> float:
    return float(np.mean(accuracies(one, _ON)))
