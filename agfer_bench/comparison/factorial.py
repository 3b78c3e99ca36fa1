"""A setting, a block, or both: a 2 x 2 of trainings with and without each, and its interaction.

With accuracies b0 and b1 of base without and with the setting, and a0 and a1 of the block:

    setting alone b1 - b0, block alone a0 - b0, both a1 - b0,
    interaction (a1 - b1) - (a0 - b0) = both - setting alone - block alone.

Each is a sum of accuracies on the same people, judged as any difference is (`inference`): what a
person adds to the sum varies between people, and trainings vary besides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agfer_bench.comparison.contrasts import Contrast, corrected, uncorrected, why_not_judged
from agfer_bench.comparison.design import (
    Question,
    difference_of,
    population_of,
    unit_of,
    values_of,
)
from agfer_bench.comparison.outcomes import Entrant, accuracies
from agfer_bench.errors import UserError
from agfer_bench.records.run import BASE

Cells = tuple[Entrant, Entrant]
"""A module without and with the setting."""


@dataclass(frozen=True, kw_only=True)
class Factorial:
    """One block with one setting. Contrasts are corrected for all blocks together."""

    block: str
    """Label of the block."""
    setting: Contrast
    """Base with the setting less base without: the same for every block."""
    alone: Contrast
    """The block less base, both without the setting."""
    both: Contrast
    """The block with the setting less base without."""
    interaction: Contrast
    """What both have beyond the sum: `both` less `setting` less `alone`."""

    @property
    def effects(self) -> tuple[Contrast, ...]:
        """All four."""
        return self.setting, self.alone, self.both, self.interaction


def factorials(
    base: Cells, blocks: Sequence[Cells], setting: str, question: Question
) -> tuple[Factorial, ...]:
    """Judge what a setting, each block, and both add to base.

    Args:
        base: Base without and with the setting.
        blocks: Each block likewise; all are trained on the same folds of the same images.
        setting: Name of the setting.
        question: Over what they are judged, on which images, the region of practical equivalence.

    Returns:
        One for each block. All effects are corrected together (Holm): the setting's once, and three
        of each block.

    Raises:
        UserError: They cannot be compared; the message says why.
    """
    cells = [one for pair in (base, *blocks) for one in pair]
    reason = _why_not(cells)
    if reason:
        raise UserError(f"{setting} and blocks are not held together: {reason}")
    unit, subjects = unit_of(cells, question)
    population = population_of(unit, question.on, cells[0])

    def judge(names: tuple[str, str], terms: Sequence[tuple[int, Entrant]]) -> Contrast:
        why = next((reason for _, one in terms if (reason := why_not_judged(one))), "")
        estimate = sum(sign * np.mean(accuracies(one, question.on)) for sign, one in terms)
        values = [
            (one, sign * values_of(one, unit, subjects or [], question.on)) for sign, one in terms
        ]
        judged = why or difference_of(values, unit)
        return uncorrected(names, float(estimate), judged, population)

    b0, b1 = base
    found = [judge((f"{BASE} with {setting}", BASE), [(1, b1), (-1, b0)])]
    for a0, a1 in blocks:
        with_both = f"{a0.label} with {setting}"
        found += [
            judge((a0.label, BASE), [(1, a0), (-1, b0)]),
            judge((with_both, BASE), [(1, a1), (-1, b0)]),
            judge((with_both, "the sum of both"), [(1, a1), (-1, b1), (-1, a0), (1, b0)]),
        ]
    alone, *rest = corrected(found, question.rope)
    return tuple(
        Factorial(
            block=one.label,
            setting=alone,
            alone=rest[3 * n],
            both=rest[3 * n + 1],
            interaction=rest[3 * n + 2],
        )
        for n, (one, _) in enumerate(blocks)
    )


def _why_not(cells: Sequence[Entrant]) -> str:
    """Say why modules do not share images and folds; empty where they do."""
    partial = [one.label for one in cells if not one.complete]
    if partial:
        return f"{', '.join(dict.fromkeys(partial))} was not trained on all folds"
    first = cells[0].record.data
    if any(
        (one.record.data.fingerprint, one.record.data.pixels_sha256)
        != (first.fingerprint, first.pixels_sha256)
        for one in cells
    ):
        return "they were trained on different images"
    splits = {tuple(fold.split_sha256 for fold in one.trainings[0]) for one in cells}
    return "their folds hold different images" if len(splits) > 1 else ""
