"""What a table may say of differences: which pairs differ, and whether one module beats all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agfer_bench.comparison.contrasts import Contrast, Entrant, Test, contrasts, survivor
from agfer_bench.comparison.significance import ALPHA, POWER, Method
from agfer_bench.records.run import RunRecord

_TOLD = 6
"""Most differences that a note tells one by one."""

_OVER: dict[Method, str] = {
    "sign-flip over subjects": "subjects (sign-flip permutation)",
    "t over subjects": "subjects (Student's t test)",
    "corrected t over folds": "folds (corrected resampled t test; they share training images)",
    "McNemar": "images, one of each subject (McNemar; differences are of the share of images)",
}


@dataclass(frozen=True, kw_only=True)
class Judged:
    """All pairs of some modules, compared."""

    contrasts: tuple[Contrast, ...]
    """Every pair."""
    best: str | None
    """Label of the module that is distinguishably ahead of all others; None where none is."""


def entrants_of(record: RunRecord) -> list[Entrant]:
    """Return the modules of a record under their own labels."""
    return [Entrant(label=one.label, module=one, record=record) for one in record.modules]


def judge(entrants: Sequence[Entrant], test: Test = "auto") -> Judged:
    """Compare all pairs; arguments and errors as `contrasts.contrasts`."""
    found = contrasts(entrants, test)
    return Judged(contrasts=found, best=survivor(entrants, found))


def design(found: Sequence[Contrast]) -> str:
    """Say how pairs were compared, and what the comparison could have seen."""
    verdict = found[0].verdict
    text = f"Compared in pairs over {verdict.units} {_OVER[verdict.method]}"
    if len(found) > 1:
        text += f", p values by Holm for {len(found)} pairs"
    if verdict.least * len(found) > ALPHA:
        text += (
            f"; no p below {verdict.least:.2g} is possible with so few, so that none of so many "
            "pairs could be told apart: compare fewer modules (`compare --modules`)"
        )
    smallest = [one.verdict.smallest for one in found if one.verdict.smallest is not None]
    if smallest:
        low, high = (f"{100 * end:.1f}" for end in (min(smallest), max(smallest)))
        points = f"{low} points" if low == high else f"{low} to {high} points (by pair)"
        text += (
            f"; a true difference of {points} would be found with a chance of {100 * POWER:.0f} % "
            "(a single pair at the 5 % level)"
        )
    return f"{text}."


def notes_on(judged: Judged, seeds: int) -> list[str]:
    """Say which pairs differ, how that was found, and what it does not cover."""
    found = judged.contrasts
    if not found:
        return []
    lines = [design(found)]
    told = [one for one in found if one.distinguishable]
    rest = len(found) - len(told)
    if 0 < len(told) <= _TOLD:
        lines += [f"{one.sentence}." for one in told]
    elif told:
        lines.append(f"{len(told)} of {len(found)} pairs are distinguishable.")
    if not told:
        lines.append("No two modules are distinguishable." if rest > 1 else f"{found[0].sentence}.")
    elif rest and len(told) <= _TOLD:
        lines.append(f"{rest} other {'pair is' if rest == 1 else 'pairs are'} not distinguishable.")
    if seeds == 1:
        lines.append(
            "One seed: what is told apart are the networks as they were trained. With another "
            "seed or machine accuracies may move by more; --seeds 3 averages several."
        )
    return lines


def to_rows(judged: Judged) -> list[dict[str, Any]]:
    """Return each pair as plain values; differences are 0..1."""
    return [
        {
            "first": one.first,
            "second": one.second,
            "difference": one.verdict.estimate,
            "low": one.verdict.low,
            "high": one.verdict.high,
            "p": one.verdict.p,
            "p_holm": one.adjusted,
            "distinguishable": one.distinguishable,
            "effect_size": one.verdict.effect,
            "smallest_detectable": one.verdict.smallest,
            "method": one.verdict.method,
            "units": one.verdict.units,
            "sentence": one.sentence,
        }
        for one in judged.contrasts
    ]
