"""What AGFER has more than the others on FACES, and what the printed numbers can carry."""

from __future__ import annotations

import statistics
from typing import Any

import numpy as np
import pandas as pd

from agfer_bench.records.run import FoldRecord, ModuleRecord, RunRecord
from agfer_bench.report.paper.comparisons import paired_folds
from agfer_bench.report.paper.document import Table
from agfer_bench.report.paper.measured import NONE, find_module, signed, spread
from agfer_bench.report.paper.published import published
from agfer_bench.report.paper.welch import NO_INTERVAL, Interval, Spread, welch

_ATTENTION = ("se", "cbam")
"""The two other modules with attention, whose margins the paper averages."""


def margin_table(record: RunRecord) -> Table:
    """Return AGFER less base, se and cbam: as printed, with Welch's interval, and as measured."""
    known = published().faces_margins
    lines: list[tuple[str, float, Interval | None, Spread | None]] = [
        (f"agfer less {other}", points, printed_interval(other), _measured(record, [other]))
        for other, points in known.over.items()
    ]
    name = f"agfer less mean of {' and '.join(_ATTENTION)}"
    lines.append((name, known.over_attention, None, _measured(record, _ATTENTION)))
    return Table(
        name="table-2-margins",
        title="Section 3.2: what AGFER has more than the others on FACES",
        columns=(
            "Pair",
            "Published, points",
            "95 % interval of it",
            "p",
            "Measured, points ± SD",
            "Measured less published",
        ),
        rows=tuple(_cells(*line) for line in lines),
        notes=_notes(record),
        data=pd.DataFrame([_data(*line) for line in lines]),
    )


def printed_interval(other: str) -> Interval | None:
    """Welch's interval of AGFER less another module, from Table 2's printed means, in points."""
    known = published()
    one, two = (known.table_2.overall[label].over(known.folds) for label in ("agfer", other))
    return welch(one, two)


def overall_accuracy(fold: FoldRecord) -> float:
    """Accuracy on the second data set, 0..1; NaN where there is none."""
    accuracy = fold.test_accuracy
    return np.nan if accuracy is None else accuracy


def _measured(record: RunRecord, others: tuple[str, ...] | list[str]) -> Spread | None:
    """AGFER less the mean of other modules in points, fold by fold; None where one is missing."""
    found = [find_module(record, label) for label in ("agfer", *others)]
    modules = [m for m in found if m is not None and m.complete(record.protocol)]
    if len(modules) < len(found):
        return None
    agfer, *rest = modules
    return _less_mean(agfer, rest)


def _less_mean(agfer: ModuleRecord, rest: list[ModuleRecord]) -> Spread | None:
    found = [paired_folds(agfer, other, overall_accuracy) for other in rest]
    margins = [margin for margin in found if margin is not None]
    if len(margins) < len(rest):
        return None
    return spread(statistics.mean(values) for values in zip(*margins, strict=True))


def _cells(
    name: str, points: float, interval: Interval | None, measured: Spread | None
) -> tuple[str, ...]:
    return (
        name,
        f"{points:.2f}",
        interval.text() if interval else NO_INTERVAL,
        interval.p_text() if interval else NONE,
        measured.text() if measured else NONE,
        signed(measured.mean - points if measured else None),
    )


def _data(
    name: str, points: float, interval: Interval | None, measured: Spread | None
) -> dict[str, Any]:
    return {
        "pair": name,
        "published_points": points,
        "published_low": interval.low if interval else None,
        "published_high": interval.high if interval else None,
        "published_p": interval.p if interval else None,
        "mean": measured.mean if measured else None,
        "sd": measured.sd if measured else None,
        "n": measured.n if measured else 0,
        "difference": measured.mean - points if measured else None,
    }


def _notes(record: RunRecord) -> tuple[str, ...]:
    known = published()
    within = [label for label in _ATTENTION if (i := printed_interval(label)) and i.holds_zero]
    reading = (
        f" The interval{'s' if len(within) > 1 else ''} over {' and '.join(within)} "
        f"{'hold' if len(within) > 1 else 'holds'} 0: the printed numbers do not show that AGFER "
        "is ahead there."
        if within
        else ""
    )
    return (
        "The paper prints these margins as per cent; they are points, differences of Table 2's "
        f"overall means ({known.faces_margins.reference}). The last is the mean of the two before "
        "it. Interval and p: Welch's t test from the printed means and deviations, "
        f"{known.folds} folds on both sides, taken as independent. That is rough: the networks of "
        "different folds share most of their training images, and the printed deviations are "
        f"averages over age groups.{reading}",
        f"Measured: fold by fold, ± is the sample standard deviation (SD) over "
        f"{record.protocol.folds} folds. Measured less published has no interval, since the paper "
        "prints no deviation of differences fold by fold.",
    )
