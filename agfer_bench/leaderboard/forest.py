"""Forest plots: a block's effect in each setting, over all, and in a new one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from agfer_bench.comparison.contrasts import ROPE
from agfer_bench.comparison.entrants import unique
from agfer_bench.leaderboard.chart_style import COLOURS, GREY, layout
from agfer_bench.leaderboard.charts import Chart, ChartChoice
from agfer_bench.leaderboard.differences import wrapped
from agfer_bench.leaderboard.sanitize import for_chart
from agfer_bench.leaderboard.site_data import BlockAcross, PooledEffect, SettingRow

_MOST_BLOCKS = 30
"""Blocks that the reader can choose from."""
_MOST_SETTINGS = 40
"""Settings of a block that are drawn."""
_LARGEST, _SMALLEST = 16.0, 6.0
"""Sizes of the squares of the surest and the least sure setting, in pixels."""
_ROW = 30
"""Height of a row, in pixels."""
MEAN = "Mean of settings"
NEW = "A new setting"


def forest(name: str, faces: str, blocks: Sequence[BlockAcross]) -> Chart | None:
    """Draw the forest plots of blocks over several settings, one at a time; None without any.

    Args:
        name: Name of the chart.
        faces: What the faces are, for its title.
        blocks: Those with an effect over several settings.
    """
    shown = [(one, one.pooled) for one in blocks if one.pooled is not None][:_MOST_BLOCKS]
    if not shown:
        return None
    few = f" The first {_MOST_BLOCKS} of {len(blocks)} blocks." if len(blocks) > len(shown) else ""
    if any(len(one.settings) > _MOST_SETTINGS for one, _ in shown):
        few += f" Of a block, the {_MOST_SETTINGS} surest settings."
    rows = max(min(len(one.settings), _MOST_SETTINGS) for one, _ in shown)
    return Chart(
        name=name,
        title=f"Forest plots, {faces}",
        says="Accuracy less that of base, in points. Squares: the effect in one setting with its "
        "95 % interval, larger where it is surer. Diamond: the mean with its 95 % interval, "
        f"adjusted for the number of blocks. Orange band: 95 % prediction interval of a new "
        f"setting. Grey band: at most {100 * ROPE:g} point apart.{few}",
        layout=_layout([], rows),
        choices=tuple(_choice(one, pooled) for one, pooled in shown),
        choose="Block",
    )


def _choice(block: BlockAcross, pooled: PooledEffect) -> ChartChoice:
    surest = sorted(block.settings, key=lambda one: one.error)[:_MOST_SETTINGS]
    rows = [one for one in block.settings if one in surest]
    names = unique([for_chart(one.name, 40) for one in rows])
    return ChartChoice(
        label=block.name,
        traces=(_settings(rows, names), _mean(pooled), _new(pooled)),
        layout=_layout([*names, MEAN, NEW], len(rows)),
    )


def _layout(names: Sequence[str], rows: int) -> Any:
    made = layout("Accuracy less that of base, points", "", height=130 + _ROW * (rows + 2))
    made.yaxis.update(
        type="category",
        autorange="reversed",
        range=None,
        categoryorder="array",
        categoryarray=list(names),
        showgrid=False,
    )
    made.update(shapes=[_band(-100 * ROPE, 100 * ROPE), _band(0, 0)])
    return made


def _band(low: float, high: float) -> dict[str, Any]:
    """Return a band over all rows: the region of practical equivalence, or no difference."""
    return {
        "type": "rect",
        "xref": "x",
        "yref": "paper",
        "x0": low,
        "x1": high,
        "y0": 0,
        "y1": 1,
        "fillcolor": "rgba(128,128,128,.18)",
        "line": {"width": 0 if low < high else 1, "color": GREY},
        "layer": "below",
    }


def _settings(rows: Sequence[SettingRow], names: Sequence[str]) -> Any:
    most = max(1 / one.error for one in rows)
    sizes = [_SMALLEST + (_LARGEST - _SMALLEST) / one.error / most for one in rows]
    return _with_intervals(
        [(one.effect, one.interval) for one in rows],
        names,
        {"symbol": "square", "color": COLOURS[0], "size": [round(one, 1) for one in sizes]},
        [wrapped(f"{one.name}, {one.over}: {_told(one.effect, one.interval)}") for one in rows],
    )


def _mean(pooled: PooledEffect) -> Any:
    told = wrapped(f"Mean: {_told(pooled.effect, pooled.interval)}")
    marker = {"symbol": "diamond", "color": COLOURS[5], "size": 14}
    return _with_intervals([(pooled.effect, pooled.interval)], [MEAN], marker, [told])


def _new(pooled: PooledEffect) -> Any:
    low, high = (round(100 * end, 2) for end in pooled.prediction)
    return go.Scatter(
        x=[low, high],
        y=[NEW, NEW],
        mode="lines",
        line={"color": COLOURS[5], "width": 8},
        opacity=0.45,
        hovertemplate=f"A new setting: {low:+.1f} to {high:+.1f} points<extra></extra>",
        showlegend=False,
    )


def _with_intervals(
    found: Sequence[tuple[float, tuple[float, float]]],
    names: Sequence[str],
    marker: dict[str, Any],
    hover: Sequence[str],
) -> Any:
    points = [100 * effect for effect, _ in found]
    return go.Scatter(
        x=[round(one, 3) for one in points],
        y=list(names),
        mode="markers",
        marker=marker,
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [
                round(100 * end[1] - x, 3) for x, (_, end) in zip(points, found, strict=True)
            ],
            "arrayminus": [
                round(x - 100 * end[0], 3) for x, (_, end) in zip(points, found, strict=True)
            ],
            "thickness": 1.5,
            "width": 0,
            "color": GREY,
        },
        hovertext=list(hover),
        hovertemplate="%{hovertext}<extra></extra>",
        showlegend=False,
    )


def _told(effect: float, interval: tuple[float, float]) -> str:
    low, high = (f"{100 * end:+.1f}" for end in interval)
    return f"{100 * effect:+.1f} points, {low} to {high}"
