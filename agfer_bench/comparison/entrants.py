"""Several records side by side: their modules under one name each, on one ground."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agfer_bench.comparison.comparable import check_ranked, why_not_timed
from agfer_bench.comparison.outcomes import Entrant
from agfer_bench.records.run import ModuleRecord, RunRecord


def line_up(records: Sequence[tuple[str, RunRecord]]) -> list[Entrant]:
    """Return the modules of all records.

    The same trainings count once. Modules of one label that were trained apart are told apart by
    the name of their record.

    Args:
        records: Names and records.

    Raises:
        UserError: Two records do not compare.
    """
    names = unique([name for name, _ in records])
    records = [(name, record) for name, (_, record) in zip(names, records, strict=True)]
    check_ranked(records)
    found: dict[tuple[str, tuple[str, ...]], tuple[str, Entrant]] = {}
    for name, record in records:
        for module in record.modules:
            entrant = Entrant(label=module.label, module=module, record=record)
            found.setdefault((module.label, _jobs(module)), (name, entrant))
    labels = [label for label, _ in found]
    told = unique(
        [
            entrant.label if labels.count(entrant.label) == 1 else f"{entrant.label} ({name})"
            for name, entrant in found.values()
        ]
    )
    return [
        replace(entrant, label=label)
        for (_, entrant), label in zip(found.values(), told, strict=True)
    ]


def unique(texts: Sequence[str]) -> list[str]:
    """Return texts with numbers behind those that stand several times.

    >>> unique(["se", "cbam", "se"])
    ['se', 'cbam', 'se (2)']
    """
    seen: set[str] = set()
    found = []
    for text in texts:
        name, number = text, 1
        while name in seen:
            number += 1
            name = f"{text} ({number})"
        seen.add(name)
        found.append(name)
    return found


def why_not_timed_together(records: Sequence[RunRecord]) -> str | None:
    """Say why times of some records do not stand in one ranking; None where they do."""
    reasons = [why_not_timed(records[0], record) for record in records[1:]]
    return next((reason for reason in reasons if reason is not None), None)


def _jobs(module: ModuleRecord) -> tuple[str, ...]:
    return tuple(fold.job for fold in module.trainings)
