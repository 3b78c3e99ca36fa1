"""Figures 8 and 9: one confusion matrix."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from agfer_bench.report.paper.document import printable
from agfer_bench.report.paper.style import new_figure, shorten


def draw_confusion(total: NDArray[np.int64], classes: tuple[str, ...], label: str) -> Figure:
    """Draw counts, and per cent of each row; zeros stay blank."""
    images = total.sum(axis=1, keepdims=True)
    shares = 100 * total / np.maximum(images, 1)
    side = max(3.6, 1.5 + 0.62 * len(classes))
    figure = new_figure(side, side + 0.3)
    axes = figure.subplots()
    shown = np.ma.masked_where(total == 0, shares)
    axes.imshow(shown, cmap="Blues", vmin=0, vmax=125, aspect="equal")
    for i, j in np.argwhere(total).tolist():
        colour = "white" if shares[i, j] > 75 else "black"
        axes.text(
            j, i - 0.14, f"{total[i, j]:,}", ha="center", va="center", color=colour, fontsize=9
        )
        percent = "<1 %" if shares[i, j] < 1 else f"{shares[i, j]:.0f} %"
        axes.text(j, i + 0.22, percent, ha="center", va="center", color=colour, fontsize=7.5)
    for i in np.flatnonzero(images[:, 0] == 0).tolist():
        middle = (len(classes) - 1) / 2
        axes.text(middle, i, "no images", ha="center", va="center", style="italic", fontsize=8)
    _frame(figure, tuple(map(printable, classes)), label)
    return figure


def _frame(figure: Figure, classes: tuple[str, ...], label: str) -> None:
    axes = figure.axes[0]
    places = range(len(classes))
    axes.set_xticks(places, classes, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(places, classes)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(shorten(label, 40), fontsize=11, fontweight="bold")
    axes.set_xticks(np.arange(-0.5, len(classes)), minor=True)
    axes.set_yticks(np.arange(-0.5, len(classes)), minor=True)
    axes.grid(which="minor", color="#c4c4c4", linewidth=0.8)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
