"""Charts that are matrices: confusions, and differences of modules in pairs."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from agfer_bench.comparison.entrants import unique
from agfer_bench.leaderboard.chart_style import DIVERGING, SEQUENTIAL, layout
from agfer_bench.leaderboard.charts import Chart, ChartChoice
from agfer_bench.leaderboard.sanitize import for_chart
from agfer_bench.leaderboard.site_data import Difference, PageListing

_WRITTEN = 12
"""Modules up to which each cell of the matrix of differences has its number written in it."""


def confusions(
    page: PageListing, classes: Sequence[str], counts: Sequence[NDArray[np.int64]]
) -> Chart | None:
    """Confusion matrices, one module at a time.

    Args:
        page: The page.
        classes: Names of the classes.
        counts: For each compared row (M, M) counts: rows are true classes, columns predicted ones.
    """
    rows = [row for row in page.rows if row.compared]
    if not rows:
        return None
    names = unique([for_chart(name, 16) for name in classes])
    choices = [
        ChartChoice(label=row.name, traces=(_confusion(names, own),))
        for row, own in zip(rows, counts, strict=True)
    ]
    return Chart(
        name="confusions",
        title="Confusion matrices",
        says="Rows are the true classes, columns the predicted ones. Colour: per cent of the row; "
        "numbers: images, over all folds and seeds.",
        layout=_square("Predicted", "True", 460),
        choices=tuple(choices),
        choose="Module",
    )


def _confusion(names: list[str], counts: NDArray[np.int64]) -> Any:
    images = counts.sum(axis=1, keepdims=True)
    shares = np.divide(100.0 * counts, images, out=np.zeros(counts.shape), where=images > 0)
    return go.Heatmap(
        x=names,
        y=names,
        z=np.round(shares, 1).tolist(),
        text=counts.tolist(),
        texttemplate="%{text}",
        colorscale=SEQUENTIAL,
        zmin=0,
        zmax=100,
        colorbar={"title": {"text": "%"}, "thickness": 12},
        hovertemplate="%{y} taken for %{x}: %{text} images, %{z:.1f} %<extra></extra>",
    )


def significance(page: PageListing) -> Chart | None:
    """Differences of all pairs: row less column, in points."""
    if not page.differences:
        return None
    labels = [row.name for row in page.rows if row.compared]
    place = {label: number for number, label in enumerate(labels)}
    size = len(labels)
    z: list[list[float | None]] = [[None] * size for _ in labels]
    hover = [[""] * size for _ in labels]
    marks = [[""] * size for _ in labels]
    for one in page.differences:
        for sign, row, column in _both(one, place):
            points = 100 * sign * one.difference
            z[row][column] = round(points, 2)
            hover[row][column] = _wrapped(one.sentence)
            marks[row][column] = _mark(points, one.distinguishable, size)
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
        name="significance",
        title="Differences in pairs",
        says="Accuracy of the row's module less that of the column's, in points. An asterisk marks "
        "what is distinguishable; all others may be chance. The sentences below say the same.",
        layout=_square("", "", max(420, 200 + 24 * size)),
        choices=(ChartChoice(label="all", traces=(trace,)),),
    )


def _both(one: Difference, place: dict[str, int]) -> list[tuple[int, int, int]]:
    first, second = place[one.first], place[one.second]
    return [(1, first, second), (-1, second, first)]


def _mark(points: float, distinguishable: bool, size: int) -> str:
    star = "*" if distinguishable else ""
    return f"{points:+.1f}{star}".replace("-", "−") if size <= _WRITTEN else star


def _wrapped(sentence: str) -> str:
    """Break a sentence into lines, which is all that Plotly is to read in it."""
    return "<br>".join(textwrap.wrap(for_chart(sentence, 400), 42))


def _square(x: str, y: str, height: int) -> Any:
    made = layout(x, y, height=height)
    made.xaxis.update(type="category", showgrid=False)
    made.yaxis.update(type="category", showgrid=False, autorange="reversed", range=None)
    return made
