"""Judged claims as people read them: tables, sentences, JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agfer_bench.claims.design import differences_of, reading_of
from agfer_bench.claims.judge import NO_TEST, Finding, JudgedClaim, RowPair
from agfer_bench.claims.model import Claim, Row
from agfer_bench.comparison.estimate import ALPHA, POWER
from agfer_bench.report.numbers import number, signed

if TYPE_CHECKING:
    from rich.console import RenderableType

_TOLD = 6
"""Most pairs whose verdicts are told one by one in sentences."""

_FULL = 138
"""Columns of a terminal that the whole table of pairs takes."""


@dataclass(frozen=True, kw_only=True)
class Notes:
    """What is said below the tables of a claim."""

    test: tuple[str, ...]
    """What was tested and what was not, and which differences could have been found."""
    verdicts: tuple[str, ...]
    """What was found, pair by pair where they are few."""
    design: tuple[str, ...]
    """How the design differs from that of the default protocol."""
    remarks: tuple[str, ...]
    """What else a reader must know."""


def facts_of(claim: Claim) -> tuple[tuple[str, str], ...]:
    """Name what was claimed, where, on what."""
    return (
        ("Source", f"{claim.source}, {claim.place}"),
        ("It says", claim.says),
        ("Data", claim.data),
        ("Numbers", claim.metric),
    )


def row_columns(claim: Claim) -> tuple[str, ...]:
    """Name the columns of the printed numbers."""
    return ("Group", "Row", "Mean %", "±", "n") if _grouped(claim) else ("Row", "Mean %", "±", "n")


def row_cells(claim: Claim, row: Row) -> tuple[str, ...]:
    """Write one printed number."""
    n = row.n or claim.design.n
    cells = (
        row.name,
        f"{row.mean:.2f}",
        "none" if row.plus_minus is None else f"{row.plus_minus:.2f}",
        "–" if n is None or row.plus_minus is None else str(n),
    )
    return (row.group or "", *cells) if _grouped(claim) else cells


def pair_columns(judged: JudgedClaim) -> tuple[str, ...]:
    """Name the columns of the pairs."""
    columns: tuple[str, ...] = (
        *("Group", "Row", "Against", "Verdict", "Δ points", "95 % interval", "p", "p (Holm)"),
        *("P equivalent %", "Detectable"),
    )
    if len(judged.judged) < 2:
        columns = tuple(name for name in columns if name != "p (Holm)")
    return columns if _grouped(judged.claim) else columns[1:]


def pair_cells(judged: JudgedClaim, pair: RowPair) -> tuple[str, ...]:
    """Write one pair, in points and per cent; as long as `pair_columns`."""
    interval, chances = pair.interval, pair.chances
    holm = (p_text(pair, adjusted=True),) if len(judged.judged) > 1 else ()
    cells = (
        pair.first,
        pair.second,
        pair.finding,
        signed(pair.estimate, digits=2),
        f"{signed(interval[0], digits=2)} to {signed(interval[1], digits=2)}" if interval else "–",
        p_text(pair),
        *holm,
        number(None if chances is None else 100 * chances.equivalent, 0),
        _detectable(pair.detectable, 2),
    )
    return (pair.group or "", *cells) if _grouped(judged.claim) else cells


def notes_of(judged: JudgedClaim) -> Notes:
    """Say in sentences what the numbers of a claim can carry."""
    return Notes(
        test=(*_test(judged), *_power(judged), *_alone(judged), *_unjudged(judged)),
        verdicts=tuple(_found(judged)),
        design=tuple(differences_of(judged.claim)),
        remarks=judged.claim.remarks,
    )


def summary_of(judged: JudgedClaim) -> str:
    """Count the verdicts in one line.

    >>> from agfer_bench.claims.judge import judge
    >>> from agfer_bench.claims.read import shipped
    >>> summary_of(judge("agfer-table-3", shipped("agfer-table-3")))
    '7 pairs: 7 carry no test'
    """
    counts = Counter(pair.finding for pair in judged.pairs)
    apart = counts.pop("ahead", 0) + counts.pop("behind", 0)
    parts = [f"{apart} ahead or behind"] if apart else []
    told: tuple[Finding, ...] = ("equivalent", "not distinguishable", "not judged")
    parts += [f"{counts[verdict]} {verdict}" for verdict in told if counts[verdict]]
    none = counts[NO_TEST]
    parts += [f"{none} {'carries' if none == 1 else 'carry'} no test"] if none else []
    total = len(judged.pairs)
    return f"{total} {'pair' if total == 1 else 'pairs'}: {', '.join(parts)}"


def to_json(judged: JudgedClaim) -> dict[str, Any]:
    """Return a judged claim as plain values.

    Printed numbers are per cent and points, as their names say; all others are 0..1, and have the
    names of `compare --json`.
    """
    claim, notes = judged.claim, notes_of(judged)
    return {
        "name": judged.name,
        **claim.model_dump(
            mode="json", include={"title", "source", "place", "says", "data", "metric", "design"}
        ),
        "rows": [_row(claim, row) for row in claim.rows],
        "summary": summary_of(judged),
        "pairs": [_pair(judged, pair) for pair in judged.pairs],
        "notes": [*notes.test, *notes.verdicts],
        "design_differs": list(notes.design),
        "remarks": list(notes.remarks),
    }


def to_rich(judged: JudgedClaim, width: int | None = None) -> RenderableType:
    """Return tables and notes for a terminal of `width` columns; None: wide enough."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    claim, notes = judged.claim, notes_of(judged)
    facts = [Text(f"{name}: {value}") for name, value in facts_of(claim)]
    printed = Table(title="Printed", title_justify="left")
    labels = 2 if _grouped(claim) else 1
    _fill(printed, row_columns(claim), [row_cells(claim, row) for row in claim.rows], labels)
    parts: list[RenderableType] = [Text(claim.title, style="bold"), *facts, printed]
    for place, (columns, cells) in enumerate(_carried(judged, narrow=(width or _FULL) < _FULL)):
        title = None if place else "What these numbers can carry"
        table = Table(title=title, title_justify="left")
        _fill(table, columns, cells, columns.index("Δ points") if "Δ points" in columns else 1)
        parts.append(table)
    for heading, lines in (
        ("How they were judged:", notes.test),
        ("In words:", notes.verdicts),
        ("How the design differs from that of agfer-bench:", notes.design),
        ("Remarks:", notes.remarks),
    ):
        if lines:
            parts.append(Text(heading))
            parts += [Text(f"- {line}", style="dim") for line in lines]
    return Group(*parts)


def _carried(
    judged: JudgedClaim, *, narrow: bool
) -> list[tuple[tuple[str, ...], list[tuple[str, ...]]]]:
    """Return columns and cells of the pairs: a table, or two on a narrow terminal."""
    columns = pair_columns(judged)
    cells = [pair_cells(judged, pair) for pair in judged.pairs]
    if not narrow:
        return [(columns, cells)]
    names = [_named([pair]) for pair in judged.pairs]
    first, middle = columns.index("Verdict"), columns.index("p")
    return [
        (
            ("Pair", *columns[start:end]),
            [(n, *c[start:end]) for n, c in zip(names, cells, strict=True)],
        )
        for start, end in ((first, middle), (middle, len(columns)))
    ]


def list_to_rich(judged: Sequence[JudgedClaim]) -> RenderableType:
    """Return a table of several claims, each with its verdicts counted."""
    from rich.table import Table

    table = Table(title="Published claims", title_justify="left")
    cells = [(one.name, one.claim.title, one.claim.place, summary_of(one)) for one in judged]
    _fill(table, ("Name", "Claim", "Place", "What its numbers can carry"), cells, 4)
    return table


def _fill(table: Any, columns: Sequence[str], cells: Sequence[Sequence[str]], labels: int) -> None:
    from rich.text import Text

    for position, name in enumerate(columns):
        word = position < labels
        table.add_column(name, justify="left" if word else "right", no_wrap=not word)
    for line in cells:
        bold = "bold" if {"ahead", "behind"} & set(line) else None
        table.add_row(*map(Text, line), style=bold)


def _grouped(claim: Claim) -> bool:
    return any(row.group for row in claim.rows)


def p_text(pair: RowPair, *, adjusted: bool = False) -> str:
    """Write a pair's p value, alone or adjusted for all pairs of its claim (Holm)."""
    if pair.difference is None:
        return "–"
    value = pair.adjusted if adjusted and pair.adjusted is not None else pair.difference.p
    if value < 0.001:
        return "< 0.001"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.4f}"


def _test(judged: JudgedClaim) -> list[str]:
    found = judged.judged
    if not found:
        return []
    rope = f"{100 * judged.rope:g} {'point' if judged.rope == 0.01 else 'points'}"
    text = (
        "Welch's t test from the printed means and deviations. Equivalent: the difference lies "
        f"within {rope} with a probability of 95 %."
    )
    if len(found) > 1:
        text += f" Intervals and verdicts are adjusted for {len(found)} pairs (Holm), p is not."
    reading = reading_of(judged.claim)
    return [text, reading] if reading else [text]


def _found(judged: JudgedClaim) -> list[str]:
    found = judged.judged
    if not found:
        return []
    told = [pair for pair in found if pair.finding != "not distinguishable"]
    if len(found) <= _TOLD:
        return [f"{pair.statement}." for pair in found]
    lines = [f"{pair.statement}." for pair in told] if len(told) <= _TOLD else []
    rest = len(found) - len(told)
    if rest:
        lines.append(
            f"{rest} {'pair is' if rest == 1 else 'pairs are'} not distinguishable: the numbers "
            "do not tell which is ahead, nor that they are alike."
        )
    return lines


def _alone(judged: JudgedClaim) -> list[str]:
    """Name the pairs that would pass as a single test, and do not as one of several."""
    found = [
        pair
        for pair in judged.judged
        if pair.difference and pair.difference.p <= ALPHA and not pair.distinguishable
    ]
    if not found or len(found) > _TOLD:
        return []
    told = ", ".join(f"{_named([pair])} ({p_text(pair)})" for pair in found)
    return [f"At most {ALPHA} as a single test, and not after the correction: {told}."]


def _power(judged: JudgedClaim) -> list[str]:
    """Say which differences such a design could find."""
    alone = [pair.detectable_alone for pair in judged.judged]
    together = [pair.detectable for pair in judged.judged]
    if not alone:
        return []
    single = f"as a single test at {100 * ALPHA:.0f} %, two-sided"
    found = f"{_range(alone)}, {single}"
    if len(alone) > 1:
        found = f"{_range(together)}, corrected for {len(alone)} pairs; {found}"
    return [
        "Detectable: the smallest true difference that such a design finds with a chance of "
        f"{100 * POWER:.0f} %. It is {found}."
    ]


def _range(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    low, high = _detectable(min(known), 1), _detectable(max(known), 1)
    return f"{low} points" if low == high else f"{low} to {high} points by pair"


def _detectable(value: float | None, digits: int) -> str:
    """Write a detectable difference in points; no accuracies differ by more than 100.

    >>> _detectable(0.0123, 2), _detectable(5.77, 2), _detectable(None, 2)
    ('1.23', 'over 100', '–')
    """
    return "over 100" if value is not None and value > 1 else number(value and 100 * value, digits)


def _unjudged(judged: JudgedClaim) -> list[str]:
    """Say why pairs are not judged, each reason once."""
    reasons: dict[tuple[str, str], list[RowPair]] = {}
    for pair in judged.pairs:
        if pair.difference is None:
            reasons.setdefault((pair.finding, pair.why_not), []).append(pair)
    return [
        f"{finding.capitalize()} ({_named(pairs)}): {why}."
        for (finding, why), pairs in reasons.items()
    ]


def _named(pairs: Sequence[RowPair]) -> str:
    """Name a pair by its rows, several by their groups."""
    if len(pairs) == 1:
        group = f"{pairs[0].group}: " if pairs[0].group else ""
        return f"{group}{pairs[0].first} and {pairs[0].second}"
    groups = list(dict.fromkeys(pair.group for pair in pairs if pair.group))
    of = f" of {', '.join(groups)}" if groups else ""
    return f"{len(pairs)} pairs{of}"


def _row(claim: Claim, row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "group": row.group,
        "mean_percent": row.mean,
        "plus_minus_points": row.plus_minus,
        "plus_minus_is": "none" if row.plus_minus is None else claim.kind_of(row),
        "n": row.n or claim.design.n,
    }


def _pair(judged: JudgedClaim, pair: RowPair) -> dict[str, Any]:
    difference = pair.difference
    return {
        "group": pair.group,
        **pair.plain(),
        "verdict": pair.finding,
        "rope": judged.rope,
        "smallest_detectable_alone": pair.detectable_alone,
        "standard_error": difference.error if difference else None,
        "df": difference.df if difference else None,
        "sentence": pair.statement,
    }
