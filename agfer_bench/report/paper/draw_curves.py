"""Learning curves: all means in one axes, and each module with its band below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from agfer_bench.report.paper.style import (
    COLOURS,
    LINES,
    MARKERS,
    new_figure,
    percent_axis,
    pick,
    shorten,
)
from agfer_bench.report.paper.welch import Spread

_COLUMNS = 4
"""Small axes beside each other."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Validation accuracy of one module during training."""

    module: str
    """Its label."""
    epochs: tuple[int, ...]
    """Epochs trained at each point."""
    values: tuple[Spread, ...]
    """Accuracy in per cent over folds."""


def draw_curves(curves: Sequence[Curve], *, chance: float) -> Figure:
    """Draw the curves together, then each with its deviation."""
    drawn = [(number, curve) for number, curve in enumerate(curves) if curve.epochs]
    columns = min(_COLUMNS, len(drawn))
    rows = ceil(len(drawn) / columns)
    figure = new_figure(3.3 + 0.13 * len(drawn) + 1.9 * rows)
    heights = [3.3 + 0.13 * len(drawn), 1.9 * rows]
    parts: NDArray[np.object_] = figure.subfigures(2, 1, height_ratios=heights, squeeze=False)
    top, bottom = parts[:, 0]
    axes = top.subplots()
    for number, curve in drawn:
        _line(axes, number, curve)
    _finish(axes, chance)
    axes.set_ylabel("validation accuracy, %")
    axes.set_xlabel("epochs trained")
    top.legend(
        loc="outside lower center",
        ncols=2 if max(len(curve.module) for _, curve in drawn) > 24 else 4,
        frameon=False,
    )
    grid = bottom.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for small, (number, curve) in zip(grid.flat, drawn, strict=False):
        _with_band(small, number, curve)
        _finish(small, chance)
        small.set_title(shorten(curve.module, 22), fontsize=8.5)
    for small in grid.flat[len(drawn) :]:
        small.set_axis_off()
    bottom.supylabel("accuracy, % ± SD", fontsize=9.5)
    bottom.supxlabel("epochs trained", fontsize=9.5)
    return figure


def _line(axes: Axes, number: int, curve: Curve) -> None:
    axes.plot(
        curve.epochs,
        [value.mean for value in curve.values],
        color=pick(COLOURS, number),
        linestyle=pick(LINES, number),
        marker=pick(MARKERS, number),
        markersize=4.5,
        # Markers of different curves fall on different epochs.
        markevery=(number % 3, max(1, len(curve.epochs) // 8)),
        linewidth=1.6,
        label=shorten(curve.module, 40),
    )


def _with_band(axes: Axes, number: int, curve: Curve) -> None:
    means = np.array([value.mean for value in curve.values])
    deviations = np.array([value.sd or 0 for value in curve.values])
    axes.fill_between(
        curve.epochs,
        means - deviations,
        means + deviations,
        color=pick(COLOURS, number),
        alpha=0.3,
        linewidth=0,
    )
    axes.plot(curve.epochs, means, color="black", linewidth=1.1)


def _finish(axes: Axes, chance: float) -> None:
    percent_axis(axes, top=102)
    axes.axhline(chance, color="#555555", linestyle=":", linewidth=1)
    axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
