"""Figures 5 and 6: pictures of crops and of how they come about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from agfer_bench.report.paper.document import printable
from agfer_bench.report.paper.study import Box, Example
from agfer_bench.report.paper.style import new_figure

_BOXES: dict[str, tuple[str, Any]] = {
    "face": ("#E69F00", "-"),
    "eye": ("#56B4E9", ":"),
    "pair": ("#009E73", "--"),
    "mouth": ("#CC79A7", "-."),
    "crop": ("#F0E442", "-"),
}
"""Colour and line of each box."""
_PARTS = ("eye", "pair", "mouth")


def draw_stages(examples: Sequence[Example]) -> Figure:
    """Draw photograph, boxes and crop, a row for each example."""
    detected = any("face" in example.boxes for example in examples)
    names = ("face", "eye, pair, mouth") if detected else ("crop box",)
    titles = ("photograph", *names, "crop")
    figure = new_figure(2.15 * len(examples) + 0.6)
    grid = figure.subplots(len(examples), len(titles), squeeze=False)
    for row, example in zip(grid, examples, strict=True):
        stages = [("face",), _PARTS] if detected else [("crop",)]
        row[0].imshow(example.photograph)
        for axes, boxes in zip(row[1:-1], stages, strict=True):
            axes.imshow(example.photograph)
            for name in boxes:
                if name in example.boxes:
                    _outline(axes, example.boxes[name], name)
        row[-1].imshow(example.crop)
        _name(row[0], example)
    _finish(grid, titles)
    if detected:
        handles = [
            Line2D([], [], color=colour, linestyle=line, linewidth=2, label=name)
            for name, (colour, line) in _BOXES.items()
            if name != "crop"
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False)
    return figure


def draw_fusion(examples: Sequence[Example], mask: NDArray[np.bool_], alpha: float) -> Figure:
    """Draw crop, mask and fused input, a row for each example."""
    figure = new_figure(2.15 * len(examples) + 0.4, 6.6)
    grid = figure.subplots(len(examples), 3, squeeze=False)
    for row, example in zip(grid, examples, strict=True):
        row[0].imshow(example.crop)
        row[1].imshow(mask, cmap="gray", vmin=0, vmax=1)
        row[2].imshow(example.fused)
        _name(row[0], example)
    _finish(grid, ("crop", f"mask: white {1 + alpha:g}, black {alpha:g}", "fused"))
    return figure


def _outline(axes: Axes, box: Box, name: str) -> None:
    colour, line = _BOXES[name]
    # A dark line below keeps the outline visible on bright skin.
    for shade, width, style in (("black", 2.4, "-"), (colour, 1.5, line)):
        axes.add_patch(
            Rectangle(
                (box[0] - 0.5, box[1] - 0.5),
                box[2],
                box[3],
                fill=False,
                edgecolor=shade,
                linewidth=width,
                linestyle=style,
            )
        )


def _name(axes: Axes, example: Example) -> None:
    name = printable(example.data)
    axes.set_ylabel(f"{name if len(name) < 24 else name[:22] + '…'}\n{printable(example.emotion)}")


def _finish(grid: NDArray[Any], titles: Sequence[str]) -> None:
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title, fontsize=10)
    for axes in grid.flat:
        axes.set_xticks([])
        axes.set_anchor("N")
        axes.set_yticks([])
        axes.spines[["top", "right"]].set_visible(True)
