"""Charts of differences: of every module and base, and of the most accurate ones in pairs."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from agfer_bench.comparison.entrants import unique
from agfer_bench.leaderboard.chart_style import COLOURS, DIVERGING, GREY, layout
from agfer_bench.leaderboard.charts import Chart, ChartChoice
from agfer_bench.leaderboard.matrices import square
from agfer_bench.leaderboard.sanitize import for_chart
from agfer_bench.leaderboard.site_data import Difference, PageListing

_MOST = 40
"""Modules whose difference from base is drawn."""
_WRITTEN = 12
"""Modules up to which each cell of the matrix of pairs has its number written in it."""
_DRAWN = (
    ("ahead", COLOURS[0], "circle"),
    ("behind", COLOURS[5], "circle"),
    ("equivalent", COLOURS[2], "diamond"),
    ("not distinguishable", GREY, "circle-open"),
)
"""How each verdict is drawn."""


def against_base(page: PageListing) -> Chart | None:
    """Difference of each module and base, with its interval; the region of equivalence behind."""
    found = [row.against_base for row in page.rows if row.against_base is not None][:_MOST]
    if not found:
        return None
    names = unique([for_chart(one.first, 28) for one in found])
    traces = []
    for verdict, colour, symbol in _DRAWN:
        own = [
            (name, one) for name, one in zip(names, found, strict=True) if one.verdict == verdict
        ]
        if own:
            traces.append(_intervals(own, verdict, colour, symbol))
    rope = 100 * found[0].rope
    made = layout(
        f"Difference from {for_chart(page.base or '')}, points", "", height=110 + 30 * len(found)
    )
    made.yaxis.update(
        type="category", autorange="reversed", range=None, categoryarray=names, showgrid=False
    )
    made.xaxis.update(zeroline=True)
    made.update(
        shapes=[
            {
                "type": "rect",
                "xref": "x",
                "yref": "paper",
                "x0": -rope,
                "x1": rope,
                "y0": 0,
                "y1": 1,
                "fillcolor": "rgba(128,128,128,.18)",
                "line": {"width": 0},
                "layer": "below",
            }
        ],
        legend={"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0},
    )
    count = sum(row.against_base is not None for row in page.rows)
    few = f" The {_MOST} most accurate of {count}." if count > _MOST else ""
    return Chart(
        name="base",
        title="Against base",
        says="Accuracy less that of base, in points, with its 95 % interval, adjusted for the "
        f"number of modules. Grey band: at most {rope:g} {'point' if rope == 1 else 'points'} "
        f"apart, which counts as equivalent.{few}",
        layout=made,
        choices=(ChartChoice(label="all", traces=tuple(traces)),),
    )


def _intervals(
    found: Sequence[tuple[str, Difference]], verdict: str, colour: str, symbol: str
) -> Any:
    points = [100 * one.difference for _, one in found]
    ends = [
        [None if one.interval is None else 100 * one.interval[n] for _, one in found]
        for n in (0, 1)
    ]
    reach = [
        [
            None if end is None else round(abs(end - point), 3)
            for end, point in zip(own, points, strict=True)
        ]
        for own in ends
    ]
    return go.Scatter(
        x=[round(point, 3) for point in points],
        y=[name for name, _ in found],
        mode="markers",
        name=verdict,
        marker={"size": 9, "color": colour, "symbol": symbol},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": reach[1],
            "arrayminus": reach[0],
            "thickness": 1.5,
            "width": 0,
            "color": colour,
        },
        hovertext=[wrapped(one.sentence) for _, one in found],
        hovertemplate="%{hovertext}<extra></extra>",
        showlegend=True,
    )


def pairs(page: PageListing) -> Chart | None:
    """Differences of all pairs: row less column, in points."""
    if not page.differences:
        return None
    labels = [row.name for row in page.rows if row.rank is not None]
    place = {label: number for number, label in enumerate(labels)}
    size = len(labels)
    z: list[list[float | None]] = [[None] * size for _ in labels]
    hover = [[""] * size for _ in labels]
    marks = [[""] * size for _ in labels]
    for one in page.differences:
        for sign, row, column in _both(one, place):
            points = 100 * sign * one.difference
            z[row][column] = round(points, 2)
            hover[row][column] = wrapped(one.sentence)
            marks[row][column] = _mark(points, one.verdict, size)
    names = unique([for_chart(label, 22) for label in labels])
    largest = max(abs(value) for line in z for value in line if value is not None) or 1.0
    trace = go.Heatmap(
        x=names,
        y=names,
        z=z,
        text=marks,
        texttemplate="%{text}",
        hovertext=hover,
        hovertemplate="%{hovertext}<extra></extra>",
        colorscale=DIVERGING,
        zmin=-largest,
        zmax=largest,
        xgap=1,
        ygap=1,
        colorbar={"title": {"text": "points"}, "thickness": 12},
    )
    return Chart(
        name="pairs",
        title="Differences in pairs",
        says="Accuracy of the row's module less that of the column's, in points. * ahead or "
        "behind, = equivalent; of all others nothing is said. All pairs are corrected together, "
        "so a verdict may be weaker than that against base above. The sentences say the same.",
        layout=square("", "", max(420, 200 + 24 * size)),
        choices=(ChartChoice(label="all", traces=(trace,)),),
    )


def wrapped(sentence: str) -> str:
    """Break a sentence into lines, which is all that Plotly is to read in it."""
    return "<br>".join(textwrap.wrap(for_chart(sentence, 400), 42))


def _both(one: Difference, place: dict[str, int]) -> list[tuple[int, int, int]]:
    first, second = place[one.first], place[one.second]
    return [(1, first, second), (-1, second, first)]


def _mark(points: float, verdict: str, size: int) -> str:
    sign = {"ahead": "*", "behind": "*", "equivalent": "="}.get(verdict, "")
    return f"{points:+.1f}{sign}".replace("-", "−") if size <= _WRITTEN else sign
