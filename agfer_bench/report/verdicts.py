"""What a table may say of differences: a verdict on each pair, what it rests on, what limits it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from agfer_bench.comparison.contrasts import Contrast, Question, contrasts, ranks
from agfer_bench.comparison.inference import ALPHA, FEWEST_TRAININGS, POWER, Difference
from agfer_bench.comparison.outcomes import Entrant
from agfer_bench.records.run import BASE, RunRecord

_TOLD = 6
"""Most differences that a note tells one by one."""
_RANKED = 5
"""Fewest modules whose ranks are told."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The pairs of some modules that were asked for, compared."""

    contrasts: tuple[Contrast, ...]
    """Every pair."""
    question: Question
    """What was asked."""
    by_image: bool = False
    """Whether folds divide images, so that people who are judged were trained on."""

    @property
    def ahead(self) -> frozenset[str]:
        """Labels of the modules that are ahead of base."""
        return frozenset(
            one.first for one in self.contrasts if one.second == BASE and one.verdict == "ahead"
        )

    @property
    def ranks(self) -> dict[str, tuple[int, int]]:
        """The best and the worst rank of each module; empty where not all pairs were judged."""
        labels = list(dict.fromkeys(x for c in self.contrasts for x in (c.first, c.second)))
        whole = len(self.contrasts) == len(labels) * (len(labels) - 1) // 2
        judged = all(one.difference is not None for one in self.contrasts)
        if len(labels) < _RANKED or not whole or not judged:
            return {}
        return ranks(self.contrasts, labels)


def entrants_of(record: RunRecord) -> list[Entrant]:
    """Return the modules of a record under their own labels."""
    return [Entrant(label=one.label, module=one, record=record) for one in record.modules]


def judge(entrants: Sequence[Entrant], question: Question | None = None) -> Judged:
    """Compare the pairs that are asked for; errors as `contrasts.contrasts`."""
    question = question or Question()
    return Judged(
        contrasts=contrasts(entrants, question),
        question=question,
        by_image=any(one.record.protocol.split == "image" for one in entrants),
    )


def notes_on(judged: Judged) -> list[str]:
    """Say what the pairs' verdicts are, what they rest on, and what would tell more."""
    found = [one for one in judged.contrasts if one.difference is not None]
    lines = [] if not found else [_design(found), *_limits(found), *_sentences(found)]
    lines += _not_judged([one for one in judged.contrasts if one.difference is None])
    lines += _ranks(judged)
    if judged.by_image and found and judged.question.on == "validation":
        lines.append(
            "Folds divide images, not people: everybody who is judged was trained on as well, so "
            "that nothing is said about people whom the networks have not seen."
        )
    return lines


def _design(found: Sequence[Contrast]) -> str:
    """Say how pairs were compared."""
    differences = [one.difference for one in found if one.difference is not None]
    counts = sorted({count for one in differences for count in one.trainings})
    trainings = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    first = differences[0]
    if first.unit == "trainings":
        text = (
            f"Judged over {trainings} trainings on the one division of the official split: the "
            "images that are judged stay the same, so that nothing is said about other images or "
            "people"
        )
        return f"{text}{_corrected(len(found))}."
    units = f"{first.units} subjects and " if first.unit == "subjects" else ""
    how = (
        "two-way random effects"
        if first.unit == "subjects"
        else "folds share training images: Nadeau and Bengio's correction"
    )
    of_what = f"of each of {first.folds} folds" if first.folds > 1 else "of the official split"
    text = f"Judged over {units}{trainings} trainings {of_what} ({how})"
    return f"{text}{_corrected(len(found))}."


def _corrected(pairs: int) -> str:
    if pairs == 1:
        return ""
    return f"; p values and intervals are adjusted for {pairs} pairs (Holm)"


def _limits(found: Sequence[Contrast]) -> list[str]:
    """Say what could have been found, and whether more trainings or more subjects would help."""
    known = [one for one in found if one.difference is not None and not one.difference.constant]
    if not known:
        return []
    smallest = [one.detectable for one in known if one.detectable is not None]
    low, high = (f"{100 * end:.1f}" for end in (min(smallest), max(smallest)))
    points = f"{low} points" if low == high else f"{low} to {high} points (by pair)"
    differences = [one.difference for one in known if one.difference is not None]
    shares = shares_of(differences)
    told = ", ".join(f"{name} {100 * share:.0f} %" for name, share in shares.items())
    alpha = ALPHA / found[0].pairs
    twice = [one.planned(trainings=2).detectable(alpha) for one in differences]
    wider = [one.planned(units=2).detectable(alpha) for one in differences]
    what = differences[0].unit
    source = (
        f"Where the uncertainty comes from (variance of a difference, median over pairs): {told}. "
    )
    more = f", with twice the {what} {_points(wider)}"
    if what == "trainings":
        source, more = "", ""
    return [
        f"A true difference of {points} would be found with a chance of {100 * POWER:.0f} %, that "
        "correction included.",
        f"{source}With twice the trainings {_points(twice)} would be found{more}.",
    ]


def shares_of(differences: Sequence[Difference]) -> dict[str, float]:
    """Return the share of the variance that each source adds, 0..1: the median over pairs."""
    known = [one for one in differences if not one.constant]
    names = ("subjects", "trainings", "rest")
    if known and known[0].unit != "subjects":
        names = ("folds" if known[0].unit == "folds" else "", "trainings", "")
    parts = [
        tuple(part / one.error**2 for part in (one.subject, one.training, one.residual))
        for one in known
    ]
    columns = zip(names, zip(*parts, strict=True), strict=True) if parts else ()
    return {name: median(column) for name, column in columns if name}


def _points(found: Sequence[float | None]) -> str:
    values = [100 * one for one in found if one is not None]
    return f"{median(values):.1f} points"


def _sentences(found: Sequence[Contrast]) -> list[str]:
    told = [one for one in found if one.verdict != "not distinguishable"]
    rest = len(found) - len(told)
    if len(found) <= _TOLD:
        return [f"{one.sentence}." for one in found]
    if len(told) <= _TOLD:
        lines = [f"{one.sentence}." for one in told]
        if not told:
            return ["No two modules are distinguishable."]
        return [
            *lines,
            f"{rest} other {'pair is' if rest == 1 else 'pairs are'} not distinguishable.",
        ]
    return [f"{len(told)} of {len(found)} pairs are distinguishable or equivalent."]


def _not_judged(found: Sequence[Contrast]) -> list[str]:
    """Say why pairs are not judged, each reason once."""
    reasons = list(dict.fromkeys(one.why_not for one in found))
    once = [one for one in reasons if one.endswith("was trained once on each fold")]
    return [f"Not judged: {one}." for one in reasons if one not in once] + judged_once(once)


def judged_once(reasons: Sequence[str]) -> list[str]:
    """Say what it takes where networks were trained once; none where none was.

    Args:
        reasons: Why they are not judged (`contrasts.why_not_judged`).
    """
    if not reasons:
        return []
    names = ", ".join(one.removesuffix(" was trained once on each fold") for one in reasons)
    were = "was" if len(reasons) == 1 else "were"
    return [
        f"Not judged: {names} {were} trained once on each fold. Another training of the same "
        "network can move its accuracy by more than a block does, so one says nothing about "
        f"blocks. It takes {FEWEST_TRAININGS} trainings or more: the same command with "
        "--seeds 3 trains only what is missing."
    ]


def _ranks(judged: Judged) -> list[str]:
    if not judged.ranks:
        return []
    told = ", ".join(
        f"{label} {best}" if best == worst else f"{label} {best} to {worst}"
        for label, (best, worst) in sorted(judged.ranks.items(), key=lambda item: item[1])
    )
    return [f"Ranks that the verdicts leave open: {told}."]


def to_rows(judged: Judged) -> list[dict[str, Any]]:
    """Return each pair as plain values; differences are 0..1."""
    return [to_row(one) for one in judged.contrasts]


def to_row(one: Contrast) -> dict[str, Any]:
    """Return a pair as plain values; differences are 0..1."""
    difference = one.difference
    return {
        **one.plain(),
        "unit": difference.unit if difference else None,
        "units": difference.units if difference else None,
        "trainings_per_fold": list(difference.trainings) if difference else None,
        "standard_error": difference.error if difference else None,
        "variance_subjects": difference.subject if difference else None,
        "variance_trainings": difference.training if difference else None,
        "variance_residual": difference.residual if difference else None,
        "sentence": one.sentence,
    }
