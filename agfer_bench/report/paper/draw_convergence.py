"""Learning curves to the cap: means against epochs and operations, and each block beside base."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator
from numpy.typing import NDArray

from agfer_bench.report.paper.style import COLOURS, LINES, new_figure, percent_axis, pick, shorten

_COLUMNS = 3
"""Small axes beside each other."""


@dataclass(frozen=True, kw_only=True)
class Band:
    """A network's learning curve over its trainings."""

    label: str
    """Name of the network."""
    operations: float
    """Multiply-accumulates of an epoch."""
    mean_E: NDArray[np.float64]
    """(E,) mean accuracy in per cent."""
    sd_E: NDArray[np.float64]
    """(E,) sample standard deviation over trainings, in points."""
    plateau: float | None
    """Mean epoch of the plateaus; None where a training reached none."""


def draw_convergence(
    bands: Sequence[Band], *, chance: float, epochs: int, decides: float | None
) -> Figure:
    """Draw the curves: above all together, below each block with base.

    Args:
        bands: Base, then blocks.
        chance: Accuracy of an even guess, in per cent.
        epochs: Where networks are compared at equal epochs.
        decides: Accuracy in per cent whose operations decide what is faster; None for none.
    """
    base, *blocks = bands
    columns = min(_COLUMNS, len(blocks))
    rows = ceil(len(blocks) / columns)
    heights = [3.2 + 0.1 * len(bands), 2.3 * rows]
    figure = new_figure(sum(heights))
    parts: NDArray[np.object_] = figure.subfigures(2, 1, height_ratios=heights, squeeze=False)
    top, bottom = parts[:, 0]
    left, right = top.subplots(1, 2, sharey=True)
    for number, band in enumerate(bands):
        style = {"color": pick(COLOURS, number), "linestyle": pick(LINES, number)}
        epochs_E = np.arange(1, len(band.mean_E) + 1)
        left.plot(epochs_E, band.mean_E, **style, linewidth=1.5, label=shorten(band.label, 40))
        right.plot(epochs_E * band.operations, band.mean_E, **style, linewidth=1.5)
    for axes in (left, right):
        _finish(axes, chance, decides)
    left.axvline(epochs, color="#888888", linestyle="--", linewidth=0.8)
    left.set_xlabel("epochs")
    left.set_ylabel("validation accuracy, %")
    right.set_xlabel("multiply-accumulates of training")
    right.xaxis.set_major_formatter(EngFormatter(sep=" "))
    right.xaxis.set_major_locator(MaxNLocator(5))
    top.legend(loc="outside lower center", ncols=4, frameon=False)
    grid = bottom.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for small, (number, band) in zip(grid.flat, enumerate(blocks, start=1), strict=False):
        _with_band(small, 0, base)
        _with_band(small, number, band)
        _finish(small, chance, decides)
        small.set_title(f"{shorten(band.label, 24)} and base", fontsize=8.5)
    for small in grid.flat[len(blocks) :]:
        small.set_axis_off()
    bottom.supylabel("accuracy, % ± SD", fontsize=9.5)
    bottom.supxlabel("epochs", fontsize=9.5)
    return figure


def _with_band(axes: Axes, number: int, band: Band) -> None:
    epochs_E = np.arange(1, len(band.mean_E) + 1)
    colour = pick(COLOURS, number)
    low_E, high_E = band.mean_E - band.sd_E, band.mean_E + band.sd_E
    axes.fill_between(epochs_E, low_E, high_E, color=colour, alpha=0.25, linewidth=0)
    axes.plot(epochs_E, band.mean_E, color=colour, linestyle=pick(LINES, number), linewidth=1.2)
    if band.plateau is not None:
        height = np.interp(band.plateau, epochs_E, band.mean_E)
        axes.plot([band.plateau], [height], marker="o", color=colour, markeredgecolor="white",
                  markersize=6)  # fmt: skip


def _finish(axes: Axes, chance: float, decides: float | None) -> None:
    percent_axis(axes, top=102)
    axes.axhline(chance, color="#555555", linestyle=":", linewidth=1)
    if decides is not None:
        axes.axhline(decides, color="#888888", linestyle="--", linewidth=0.8)
    axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
