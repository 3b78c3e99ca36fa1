"""What the paper's printed numbers can carry, beside what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from agfer_bench.claims.judge import JudgedClaim, RowPair, judge
from agfer_bench.claims.model import Row
from agfer_bench.claims.read import shipped
from agfer_bench.comparison.contrasts import Contrast, Question, of_pairs
from agfer_bench.comparison.outcomes import On
from agfer_bench.comparison.verdicts import JudgedPair
from agfer_bench.records.run import RunRecord
from agfer_bench.report.claim_table import notes_of, p_text
from agfer_bench.report.numbers import signed
from agfer_bench.report.paper.document import Section, Table
from agfer_bench.report.paper.measured import NONE
from agfer_bench.report.paper.study import Study
from agfer_bench.report.verdicts import entrants_of

_CLAIMS = ("agfer-figure-7", "agfer-table-2", "agfer-table-4")


def claim_section(study: Study) -> Section:
    """Return a table for each of the paper's tables whose numbers could be tested."""
    text = [
        "Each pair of the paper's rows, judged from its printed means and deviations alone, and "
        "beside it the verdict on what was measured here. The command agfer-bench claim shows the "
        "same without a study. Table 3 lists networks of several papers without deviations: it "
        "carries no test."
    ]
    if study.main.test is not None:
        text.append(
            "Table 2's overall ± is an average of three deviations. The intervals in the table of "
            "margins above read it as a deviation over folds: they are rough bounds, no tests."
        )
    return Section(
        title="What the published numbers can carry",
        text=tuple(text),
        items=tuple(_table(study, judge(name, shipped(name))) for name in _CLAIMS),
    )


def _table(study: Study, judged: JudgedClaim) -> Table:
    measured = _measured(study, judged)
    rows = [
        (*_labels(pair, one), *_numbers(pair), p_text(pair), *_numbers(one))
        for pair, one in measured
    ]
    notes = notes_of(judged)
    place = judged.claim.place
    return Table(
        name=judged.name.replace("agfer-", "claim-"),
        title=f"{place}: {judged.claim.title}",
        columns=(
            *("Group", "Pair", "Verdict on published", "Verdict on measured"),
            *("Published, points", "95 % interval", "p", "Measured, points", "95 % interval"),
        ),
        rows=tuple(rows),
        labels=4,
        notes=(
            f"Published. {' '.join(notes.test)}",
            *_not_judged([one for _, one in measured if one is not None]),
            f"How the design of the published numbers differs. {' '.join(notes.design)}",
            *notes.remarks,
        ),
        data=pd.DataFrame([_data(pair, one) for pair, one in measured]),
    )


def _measured(study: Study, judged: JudgedClaim) -> list[tuple[RowPair, Contrast | None]]:
    """Return each published pair with the same pair measured, where it was."""
    found: dict[tuple[Row, Row], Contrast] = {}
    for group in judged.claim.groups:
        run = _run_of(study, judged.name, group)
        if run is not None:
            pairs = [pair for pair in judged.claim.pairs if {row.group for row in pair} == {group}]
            found |= _contrasts(pairs, *run)
    rows = zip(judged.claim.pairs, judged.pairs, strict=True)
    return [(pair, found.get(printed)) for printed, pair in rows]


def _run_of(study: Study, name: str, group: str | None) -> tuple[RunRecord, On] | None:
    """Return the run, and the images, on which a group's accuracies were measured."""
    if name == "agfer-figure-7" and group == "all emotions":
        return study.main, "validation"
    if name == "agfer-table-2" and group == "overall" and study.main.test is not None:
        return study.main, "test"
    for run in study.runs:
        if name == "agfer-table-4" and group == f"stride {run.record.protocol.stride}":
            return run.record, "validation"
    return None


def _contrasts(
    pairs: Sequence[tuple[Row, Row]], record: RunRecord, on: On
) -> dict[tuple[Row, Row], Contrast]:
    known = {one.label: one for one in entrants_of(record) if one.complete}
    both = [
        (printed, (known[str(printed[0].module)], known[str(printed[1].module)]))
        for printed in pairs
        if all(row.module in known for row in printed)
    ]
    contrasts = of_pairs([pair for _, pair in both], Question(on=on))
    return {printed: one for (printed, _), one in zip(both, contrasts, strict=True)}


def _labels(pair: RowPair, measured: Contrast | None) -> tuple[str, ...]:
    return (
        pair.group or "",
        f"{pair.first} less {pair.second}",
        pair.finding,
        measured.verdict if measured else NONE,
    )


def _numbers(pair: JudgedPair | None) -> tuple[str, str]:
    if pair is None:
        return NONE, NONE
    ends = pair.interval
    interval = NONE if ends is None else " to ".join(signed(end, digits=2) for end in ends)
    return signed(pair.estimate, digits=2), interval


def _not_judged(measured: Sequence[Contrast]) -> list[str]:
    """Say how the measured pairs were judged, or why they were not."""
    reasons = dict.fromkeys(one.why_not for one in measured if one.why_not)
    if reasons:
        return [f"Measured, not judged: {'; '.join(reasons)}."]
    if not measured:
        return []
    adjusted = f", adjusted for {measured[0].pairs} pairs" if measured[0].pairs > 1 else ""
    return [f"Measured: {measured[0].population}{adjusted}."]


def _data(pair: RowPair, measured: Contrast | None) -> dict[str, Any]:
    """Return one row of the data file, in points."""
    return {
        "group": pair.group,
        "first": pair.first,
        "second": pair.second,
        "published_p": pair.difference.p if pair.difference else None,
        "published_p_holm": pair.adjusted,
        **_points("published", pair),
        "published_verdict": pair.finding,
        **_points("measured", measured),
        "measured_verdict": measured.verdict if measured else None,
    }


def _points(name: str, pair: JudgedPair | None) -> dict[str, float | None]:
    low, high = (pair.interval if pair else None) or (None, None)
    return {
        f"{name}_difference": None if pair is None else 100 * pair.estimate,
        f"{name}_low": None if low is None else 100 * low,
        f"{name}_high": None if high is None else 100 * high,
        f"{name}_detectable": None
        if pair is None or pair.detectable is None
        else 100 * pair.detectable,
    }
