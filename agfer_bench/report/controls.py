"""Is it attention? What the blocks of a table are worth over their controls, as texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agfer_bench.comparison.contrasts import Contrast, Question
from agfer_bench.comparison.controls import KINDS, Kind, Worth, worths
from agfer_bench.comparison.outcomes import Entrant
from agfer_bench.report.numbers import signed

HEADINGS: dict[Kind, str] = {
    "base": "Over base",
    "scale": "Over a constant",
    "blind": "Over a blind gate",
    "frozen": "Over frozen gates",
    "shuffled": "Over others' gates",
}
"""Columns of the table, by what a block is held against."""

_SAID: dict[Kind, str] = {
    "base": "{} over base",
    "scale": "{} over a constant of the damping it starts with",
    "blind": "{} over a gate that does not see the image",
    "frozen": "that its gate depends on the image is worth {}",
    "shuffled": "that it is the gate of its own image, {}",
}

_MEANS: dict[Kind, str] = {
    "scale": "A constant: a trained twin that multiplies by the block's mean gate at the start.",
    "blind": "A blind gate: a trained twin whose gate sees a learnt map, the same for all images.",
    "frozen": "Frozen gates: the trained network with each gate at its mean over the training "
    "fold, per channel and place.",
    "shuffled": "Others' gates: the trained network with the gates of another image of the "
    "validation fold.",
}

TITLE = "Is it attention? Differences of accuracy, in points"
_AMPLIFIES = 1.05
"""Mean gate from which a residual block is said to amplify."""


def is_it_attention(entrants: Sequence[Entrant], question: Question | None = None) -> list[Worth]:
    """Return what each block is worth over its controls; none where there are no controls.

    Raises:
        UserError: As `contrasts.contrasts`.
    """
    found = worths(entrants, question or Question())
    controlled = any(one.over.keys() - {"base"} or one.why_not for one in found)
    null = any(one.null for one in found)
    return list(found) if controlled or null else []


def columns(found: Sequence[Worth]) -> list[Kind]:
    """Return the controls that some block is held against."""
    return [kind for kind in KINDS if any(kind in one.over for one in found)]


def headings(found: Sequence[Worth]) -> list[str]:
    """Name the columns of the table."""
    return ["Module", *(HEADINGS[kind] for kind in columns(found))]


def cells(one: Worth, kinds: Sequence[Kind]) -> list[str]:
    """Return a block's line of the table: a difference with its 95 % interval for each control."""
    return [one.label, *(_cell(one.over.get(kind)) for kind in kinds)]


def settled(one: Worth, kind: Kind) -> bool:
    """Tell whether a block is ahead of a control, or behind it."""
    return kind in one.over and one.over[kind].verdict in ("ahead", "behind")


def sentence(one: Worth) -> str:
    """Say in one line what a block is worth over its controls."""
    parts = [_SAID[kind].format(_worded(one.over[kind])) for kind in KINDS if kind in one.over]
    if one.null:
        parts = [f"{part}, though it does nothing" for part in parts]
    if one.why_not:
        parts.append(f"no placebo of its gate can be made: {one.why_not}")
    return f"{one.label}: {'; '.join(parts)}."


def notes(found: Sequence[Worth]) -> list[str]:
    """Say what blocks are worth over their controls, and what the controls are."""
    if not found:
        return []
    lines = [sentence(one) for one in found]
    lines += [text for kind, text in _MEANS.items() if kind in columns(found)]
    lines += [
        f"{one.label} amplifies: with the way past it, its mean gate at the start is "
        f"{', '.join(f'{mean:.2f}' for mean in one.start)} by slot."
        for one in found
        if one.residual and max(one.start, default=0) > _AMPLIFIES
    ]
    return lines


def to_rows(found: Sequence[Worth]) -> list[dict[str, Any]]:
    """Return the same as plain values; differences are 0..1."""
    return [
        {
            "module": one.label,
            "sentence": sentence(one),
            "gates_at_start": list(one.start),
            "why_not": one.why_not or None,
            "over": {kind: _plain(contrast) for kind, contrast in one.over.items()},
        }
        for one in found
    ]


def _plain(one: Contrast) -> dict[str, Any]:
    interval = one.interval
    return {
        "verdict": one.verdict,
        "difference": one.estimate,
        "low": interval[0] if interval else None,
        "high": interval[1] if interval else None,
        "p_holm": one.adjusted,
        "pairs": one.pairs,
    }


def _cell(one: Contrast | None) -> str:
    if one is None:
        return "–"
    return f"{signed(one.estimate)}{_ends(one)}" if one.difference else "not judged"


def _ends(one: Contrast) -> str:
    if one.interval is None:
        return ""
    low, high = one.interval
    return f" [{signed(low)}, {signed(high)}]"


def _worded(one: Contrast) -> str:
    """Put a difference into words: points, interval, verdict."""
    if one.difference is None:
        return f"{signed(one.estimate)} (not judged)"
    if one.interval is None:
        return f"{signed(one.estimate)} (the same in every fold and training)"
    return f"{signed(one.estimate)}{_ends(one)} ({one.verdict})"
