"""A forest plot: blocks' differences from base in each subgroup, with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agfer_bench.comparison.subgroups import Subgroup, Subgroups
from agfer_bench.errors import UserError
from agfer_bench.report.numbers import signed
from agfer_bench.report.subgroups import KINDS, interval_of, ranked

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = {"ahead": "#0072B2", "behind": "#D55E00"}
"""Of differences that are shown (Okabe and Ito); all others are grey."""
_GREY = "#707070"
_FEW = 20
"""Most subgroups that have rows of full height."""
_LABELLED = 120
"""Most subgroups whose names are legible below each other."""
_ROW, _SMALL_ROW = 0.26, 0.12
"""Height of a row in inches: of a few, and of many."""
_TALLEST = 14.0
"""Most inches for all rows."""
_WIDTH, _ACROSS = 5.6, 3
"""Width of a block's part in inches, and how many stand side by side."""


def forest(found: Subgroups, blocks: Sequence[str]) -> Figure:
    """Draw blocks' differences, each block in a part of its own.

    Subjects are drawn by size of their difference, other subgroups in order.

    Args:
        found: The subgroups.
        blocks: Labels of the blocks, one or more.
    """
    from matplotlib.figure import Figure

    count = len(found.of(blocks[0]))
    height = min(_TALLEST, (_ROW if count <= _FEW else _SMALL_ROW) * count) + 1.4
    across = min(_ACROSS, len(blocks))
    down = math.ceil(len(blocks) / across)
    figure = Figure(figsize=(max(7.5, _WIDTH * across), height * down), layout="constrained")
    parts = figure.subplots(down, across, squeeze=False).ravel()
    ends = [_ends(found.of(block), found) for block in blocks]
    for axes, block in zip(parts, blocks, strict=False):
        _draw(axes, found, block)
        axes.set_xlim(min(low for low, _ in ends), max(high for _, high in ends))
    for axes in parts[len(blocks) :]:
        axes.axis("off")
    return figure


def caption(found: Subgroups) -> str:
    """Say what a forest plot shows."""
    kind, several = KINDS[found.by]
    text = (
        f"Difference from base in each {kind}, in points. Blue: shown to be ahead; orange: shown "
        f"to be behind, corrected for all blocks and {several} together (Holm); grey: not shown. "
        "The diamond is the difference on all images, which is corrected with them."
    )
    if found.by == "subject":
        text += (
            " A line is a 95 % interval over trainings, of each subject alone: about one in twenty "
            "leaves out 0 even where nothing differs."
        )
    return text


def write(found: Subgroups, path: Path, *, drawn_faces: bool) -> None:
    """Write the forest plots of all blocks as one picture: SVG, PNG or PDF by the name's ending.

    Args:
        found: The subgroups.
        path: The file.
        drawn_faces: Whether they are of drawn faces, which the picture then says.

    Raises:
        UserError: The ending is none of these, or the file cannot be written.
    """
    check_picture(path)
    figure = forest(found, [one.first for one in found.whole])
    if drawn_faces:
        figure.suptitle(
            "Drawn (synthetic) faces: tells nothing about people.", fontsize=9, color="#9c2a00"
        )
    try:
        figure.savefig(path, dpi=150)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from None


def check_picture(path: Path) -> None:
    """Refuse a file's name that is not that of a picture.

    Raises:
        UserError: It ends neither in .svg nor in .png nor in .pdf.
    """
    if path.suffix.lower() not in (".svg", ".png", ".pdf"):
        raise UserError(f"--diagram {path}: name a file that ends in .svg, .png or .pdf")


def _draw(axes: Axes, found: Subgroups, block: str) -> None:
    rows = found.of(block)
    if found.by == "subject":
        rows = ranked(rows)
    kind, several = KINDS[found.by]
    small = len(rows) > _FEW
    for place, one in enumerate(rows):
        _draw_row(axes, place, one, found, small=small)
    _draw_whole(axes, found, block, len(rows))
    if len(rows) <= _LABELLED:
        axes.set_yticks(range(len(rows)), [one.name for one in rows], fontsize=5.5 if small else 9)
        axes.set_ylabel(kind)
    else:
        axes.set_yticks([])
        axes.set_ylabel(f"{len(rows)} {several}, by size of the difference")
    axes.set_ylim(len(rows) + 0.02 * len(rows) + 1.2, -0.8)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.tick_params(axis="x", labelsize=9)
    axes.set_xlabel(f"{block} less base, points", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", color="#e0e0e0", linewidth=0.6)
    axes.set_axisbelow(True)
    verdicts = [one.contrast.verdict for one in rows]
    axes.set_title(
        f"{block}: of {len(rows)} {several}, {verdicts.count('ahead')} shown ahead, "
        f"{verdicts.count('behind')} behind",
        fontsize=10,
        loc="left",
    )


def _draw_row(axes: Axes, place: int, one: Subgroup, found: Subgroups, *, small: bool) -> None:
    colour = _COLOURS.get(one.contrast.verdict, _GREY)
    interval = interval_of(one, found.by)
    if interval is not None:
        ends = [100 * end for end in interval]
        axes.plot(ends, [place, place], color=colour, linewidth=0.8 if small else 1.4)
    marker = "o" if one.contrast.difference is not None else "x"
    middle = 100 * one.contrast.estimate
    axes.plot(middle, place, marker, color=colour, markersize=3 if small else 5)


def _draw_whole(axes: Axes, found: Subgroups, block: str, place: int) -> None:
    whole = next(one for one in found.whole if one.first == block)
    middle = 100 * whole.estimate
    below = place + 0.01 * place
    axes.axhline(place - 0.5, color="#b0b0b0", linewidth=0.6)
    axes.axvline(middle, color="black", linewidth=0.7, linestyle=":")
    axes.plot(middle, below, "D", color="black", markersize=5)
    text = f"all: {signed(whole.estimate)}"
    if whole.interval is not None:
        axes.plot([100 * end for end in whole.interval], [below, below], "black", linewidth=2)
        text += f" [{signed(whole.interval[0])} to {signed(whole.interval[1])}]"
    axes.annotate(
        text,
        (middle, below),
        (0, -5),
        textcoords="offset points",
        ha="center",
        va="top",
        fontsize=8,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
    )


def _ends(rows: Sequence[Subgroup], found: Subgroups) -> tuple[float, float]:
    """Return the ends of the axis: intervals are cut at 100 points, points are not."""
    ends = [100 * end for one in rows for end in interval_of(one, found.by) or ()]
    points = [100 * one.contrast.estimate for one in rows]
    points = [0.0, *(value for value in points if not math.isnan(value))]
    low = min(*points, max(-100.0, min(ends, default=0.0)))
    high = max(*points, min(100.0, max(ends, default=0.0)))
    margin = 0.04 * (high - low) + 0.5
    return low - margin, high + margin
