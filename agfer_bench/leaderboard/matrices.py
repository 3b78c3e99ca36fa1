"""Charts of confusion matrices, and the layout of any chart that is a matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from agfer_bench.comparison.entrants import unique
from agfer_bench.leaderboard.chart_style import SEQUENTIAL, layout
from agfer_bench.leaderboard.charts import Chart, ChartChoice
from agfer_bench.leaderboard.sanitize import for_chart
from agfer_bench.leaderboard.site_data import SiteRow


def confusions(
    rows: Sequence[SiteRow], classes: Sequence[str], counts: Sequence[NDArray[np.int64]]
) -> Chart | None:
    """Confusion matrices, one module at a time.

    Args:
        rows: The modules.
        classes: Names of the classes.
        counts: For each of them (M, M) counts: rows are true classes, columns predicted ones.
    """
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
        "numbers: images, over all folds and trainings.",
        layout=square("Predicted", "True", 460),
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


def square(x: str, y: str, height: int) -> Any:
    """Return the layout of a matrix whose first row is on top."""
    made = layout(x, y, height=height)
    made.xaxis.update(type="category", showgrid=False)
    made.yaxis.update(type="category", showgrid=False, autorange="reversed", range=None)
    return made
