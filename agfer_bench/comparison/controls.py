"""Is it attention? A block held against what does the same without attending to the image.

Two controls are rows of their own: *scale*, a trained twin that multiplies by the mean gate that
the block starts with, and *blind*, one whose gate sees a learnt map in place of the image's. Two
are the trained network itself, judged with other gates: *frozen* and *shuffled*. A *null* block
does nothing, and shows what a comparison makes of that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from agfer_bench.comparison.contrasts import Contrast, Question, of_pairs
from agfer_bench.comparison.outcomes import Entrant, TrainingSet
from agfer_bench.records.run import BASE, NULL, FoldRecord, GateRecord

Kind = Literal["base", "scale", "blind", "frozen", "shuffled"]
"""What a block is held against."""
KINDS: tuple[Kind, ...] = ("base", "scale", "blind", "frozen", "shuffled")
TWINS: tuple[Kind, ...] = ("scale", "blind")
PLACEBOS: tuple[Kind, ...] = ("frozen", "shuffled")


@dataclass(frozen=True, kw_only=True)
class Worth:
    """What one block is worth over each of its controls."""

    label: str
    """Name of the block."""
    over: dict[Kind, Contrast]
    """The block held against each control that there is."""
    start: tuple[float, ...] = ()
    """Mean gate of each slot before training, over folds and trainings; empty if not known."""
    null: bool = False
    """Whether it is a block that does nothing."""
    residual: bool = False
    """Whether the block has a way past it, `x + block(x)`."""
    why_not: str = ""
    """Why its gates cannot be replaced; empty where they could."""


def worths(entrants: Sequence[Entrant], question: Question) -> tuple[Worth, ...]:
    """Hold each block against its controls.

    Each kind of control is a question of its own, corrected for the number of blocks.

    Args:
        entrants: The modules of one ground.
        question: Over what, and which differences count as none; always on the validation folds.

    Returns:
        One for each block that was trained on all folds, in order, and for each null block; base,
        classifiers and twins have none.

    Raises:
        UserError: As `contrasts`.
    """
    question = replace(question, on="validation")
    whole = [one for one in entrants if one.complete]
    blocks = [one for one in whole if _is_block(one)]
    nulls = [one for one in whole if one.module.control == NULL]
    base = next((one for one in whole if one.module.label == BASE), None)
    found: dict[str, dict[Kind, Contrast]] = {one.label: {} for one in (*blocks, *nulls)}
    families: list[tuple[Kind, list[tuple[Entrant, Entrant]]]] = []
    if base is not None:
        families += [("base", [(one, base) for one in group]) for group in (blocks, nulls)]
    for kind in TWINS:
        pairs = [(one, _twin(one, kind, whole)) for one in blocks]
        families.append((kind, [(one, other) for one, other in pairs if other is not None]))
    for kind in PLACEBOS:
        judged = [(one, placebo(one, kind)) for one in blocks]
        families.append((kind, [(one, other) for one, other in judged if other is not None]))
    for kind, pairs_of_kind in families:
        for (one, _), contrast in zip(
            pairs_of_kind, of_pairs(pairs_of_kind, question), strict=True
        ):
            found[one.label][kind] = contrast
    return tuple(_worth(one, found[one.label]) for one in (*blocks, *nulls))


def placebo(one: Entrant, kind: Kind) -> Entrant | None:
    """Return a module as it is judged with other gates; None where some training lacks that."""

    def judged(fold: FoldRecord) -> FoldRecord | None:
        found = None if fold.gate is None else getattr(fold.gate, kind)
        if found is None or _people(found.recognised) != _people(fold.recognised):
            return None
        told = {"confusion": found.confusion, "recognised": found.recognised}
        return fold.model_copy(update=told)

    label = f"{one.label} ({kind})"
    sets: list[TrainingSet] = []
    for folds in one.trainings:
        others = [judged(fold) for fold in folds]
        known = tuple(fold for fold in others if fold is not None)
        if len(known) < len(others):
            return None
        sets.append(known)
    if one.replicates:
        return replace(one, label=label, replicates=tuple(sets), placebo_of=one.label)
    first, *repeats = sets
    module = one.module.model_copy(update={"folds": first, "repeats": tuple(repeats)})
    return replace(one, label=label, module=module, placebo_of=one.label)


def _people(recognised: Mapping[str, object] | None) -> frozenset[str] | None:
    return None if recognised is None else frozenset(recognised)


def gates_of(one: Entrant) -> tuple[GateRecord, ...]:
    """Return what is known of a module's gates, of each training that tells something."""
    return tuple(fold.gate for folds in one.trainings for fold in folds if fold.gate is not None)


def _is_block(one: Entrant) -> bool:
    module = one.module
    return module.kind != "classifier" and module.label != BASE and module.control is None


def _twin(one: Entrant, kind: Kind, whole: Sequence[Entrant]) -> Entrant | None:
    """Return the twin of a block among some modules, of the same record where there is one."""
    wanted = one.module.options | {"control": kind}

    def fits(other: Entrant) -> bool:
        mine, its = one.module, other.module
        return (its.name, its.distribution) == (mine.name, mine.distribution) and (
            its.options == wanted
        )

    twins = [other for other in whole if fits(other)]
    return next((other for other in twins if other.record is one.record), next(iter(twins), None))


def _worth(one: Entrant, over: dict[Kind, Contrast]) -> Worth:
    gates = gates_of(one)
    starts = [gate.start for gate in gates if gate.start]
    slots = zip(*starts, strict=True) if starts else ()
    return Worth(
        label=one.label,
        over=over,
        start=tuple(sum(means) / len(means) for means in slots),
        residual=bool(one.module.options.get("residual", False)),
        null=one.module.control == NULL,
        why_not=_why_not(gates, over),
    )


def _why_not(gates: Sequence[GateRecord], over: Mapping[Kind, Contrast]) -> str:
    said = next((gate.why_not for gate in gates if gate.why_not), "")
    if said or not gates or "frozen" in over:
        return said
    return "some of its trainings are of older records, which do not tell its gates"
