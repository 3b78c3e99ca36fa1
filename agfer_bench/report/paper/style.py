"""How figures look: colours and patterns that survive colour blindness and black-and-white print.

Colours: Okabe & Ito, Color Universal Design (2008), jfly.uni-koeln.de/color; black stands last.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from agfer_bench.report.paper.document import printable

COLOURS: Final = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#F0E442",
    "#000000",
)
HATCHES: Final = ("", "///", "...", "xxx", "---", "\\\\\\", "ooo", "+++")
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "*")
LINES: Final[tuple[Any, ...]] = (
    "-",
    "--",
    "-.",
    ":",
    (0, (5, 1)),
    (0, (3, 1, 1, 1, 1, 1)),
    (0, (1, 1)),
    (0, (8, 2)),
)

WIDTH: Final = 8.0
"""Width of a figure in inches."""
PNG_DPI: Final = 150

_SETTINGS: Final[Any] = {
    # All fonts here are drawn about as wide as the first, with which the layout is made.
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "Helvetica"],
    "font.size": 9.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "agfer-bench",  # ids of parts do not change from run to run
    "text.parse_math": False,  # labels are what users typed: a dollar sign is no formula
    "axes.spines.top": False,
    "axes.spines.right": False,
    "hatch.linewidth": 0.6,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


def settings() -> Any:
    """Return a context in which figures are drawn and saved."""
    defaults: Any = mpl.rcParamsDefault
    return mpl.rc_context({**defaults, "backend": "agg", **_SETTINGS})


def to_bytes(figure: Figure, kind: str) -> bytes:
    """Write a figure as `svg` or `png`, the same bytes whenever."""
    buffer = io.BytesIO()
    metadata = {"Date": None} if kind == "svg" else None
    figure.savefig(buffer, format=kind, dpi=PNG_DPI, metadata=metadata)
    return buffer.getvalue()


def add_notice(figure: Figure, notice: str) -> None:
    """Write a line above everything else in a figure."""
    points = 9
    inches = 0.3
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + inches)
    layout = figure.get_layout_engine()
    if layout is not None:
        layout.set(rect=(0, 0, 1, height / (height + inches)))  # type: ignore[call-arg]
    figure.text(
        0.5,
        1 - inches / 2 / (height + inches),
        notice,
        ha="center",
        va="center",
        fontsize=points,
        fontweight="bold",
        color="#9c2a00",
    )


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """Start a figure of a size in inches whose parts make room for each other."""
    return Figure(figsize=(width, height), layout="constrained")


def shorten(label: str, width: int) -> str:
    """Break a long label at its colons and wherever it must; at most three lines."""
    text = printable(label).replace(":", ":\N{ZERO WIDTH SPACE}")
    parts = textwrap.wrap(text.replace("\N{ZERO WIDTH SPACE}", " "), width, max_lines=3)
    return "\n".join(parts).replace(": ", ":")


def percent_axis(axes: Axes, top: float = 105) -> None:
    """Set up a vertical axis of per cent."""
    axes.set_ylim(0, top)
    axes.set_yticks(range(0, 101, 20))
    axes.grid(axis="y", color="#d0d0d0", linewidth=0.6)
    axes.set_axisbelow(True)


def pick(choices: Sequence[Any], number: int) -> Any:
    """Take one of some choices, over and over."""
    return choices[number % len(choices)]
