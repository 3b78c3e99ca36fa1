"""Figure 7: grouped bars with deviations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from agfer_bench.report.paper.document import printable
from agfer_bench.report.paper.measured import Comparison
from agfer_bench.report.paper.style import (
    COLOURS,
    HATCHES,
    new_figure,
    percent_axis,
    pick,
    shorten,
)

_MOST_BARS = 40
"""Bars that one row of the figure holds legibly."""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One bar."""

    module: str
    """Label of the module: tells its colour and pattern."""
    group: str
    """Under which word it stands."""
    value: Comparison
    """Its height in per cent, and the published one."""


def draw_bars(bars: Sequence[Bar], *, chance: float) -> Figure:
    """Draw bars group by group, in as many rows as legible."""
    modules = list(dict.fromkeys(bar.module for bar in bars))
    groups = list(dict.fromkeys(bar.group for bar in bars))
    rows = ceil(len(groups) * len(modules) / _MOST_BARS)
    per_row = ceil(len(groups) / rows)
    figure = new_figure(2.9 * rows + 0.3 * ceil(len(modules) / 2))
    all_axes = figure.subplots(rows, 1, squeeze=False)[:, 0]
    for row, axes in enumerate(all_axes):
        shown = groups[row * per_row : (row + 1) * per_row]
        _draw_row(axes, [bar for bar in bars if bar.group in shown], modules, shown)
        axes.axhline(chance, color="#555555", linestyle=":", linewidth=1, label="chance")
        axes.set_xlim(-0.5, per_row - 0.5)
    handles: dict[str, Artist] = {}
    for axes in all_axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(
        list(handles.values()),
        list(handles),
        loc="outside lower center",
        ncols=2 if max(map(len, modules)) > 24 else 3,
        frameon=False,
    )
    return figure


def _draw_row(
    axes: Axes, bars: Sequence[Bar], modules: Sequence[str], groups: Sequence[str]
) -> None:
    present = [m for m in modules if any(bar.module == m and bar.value.measured for bar in bars)]
    width = 0.84 / max(1, len(present))
    for place, module in enumerate(present):
        number = modules.index(module)
        own = [bar for bar in bars if bar.module == module and bar.value.measured is not None]
        places = [groups.index(bar.group) + (place - (len(present) - 1) / 2) * width for bar in own]
        spreads = [bar.value.measured for bar in own if bar.value.measured is not None]
        axes.bar(
            places,
            [one.mean for one in spreads],
            width,
            yerr=[one.sd or 0 for one in spreads] if spreads else None,
            label=shorten(module, 40),
            color=pick(COLOURS, number),
            hatch=pick(HATCHES, number),
            edgecolor="white" if pick(COLOURS, number) == "#000000" else "black",
            linewidth=0.6,
            error_kw={"elinewidth": 0.9, "capsize": 2, "ecolor": "#333333"},
        )
        for middle, bar in zip(places, own, strict=True):
            if bar.value.published is not None:
                axes.errorbar(
                    middle,
                    bar.value.published.mean,
                    yerr=bar.value.published.sd,
                    fmt="D",
                    markersize=5,
                    markerfacecolor="white",
                    markeredgecolor="black",
                    ecolor="black",
                    elinewidth=0.9,
                    capsize=2,
                    label="published",
                    zorder=5,
                )
    percent_axis(axes)
    axes.set_ylabel("recall, %")
    axes.set_xticks(range(len(groups)), [printable(group) for group in groups])
    axes.tick_params(axis="x", length=0)
