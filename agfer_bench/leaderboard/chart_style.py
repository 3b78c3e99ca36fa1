"""How the site's charts look, as far as that is not the browser's to choose.

Colours: Okabe & Ito, Color Universal Design (2008), jfly.uni-koeln.de/color, but for black and
yellow, which are not seen on a dark or a light ground.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeVar

import plotly.graph_objects as go

COLOURS: Final = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
GREY: Final = "#8C8C8C"
"""Of what is not judged."""
SYMBOLS: Final = ("circle", "circle-open")
DASHES: Final = ("solid", "dash", "dot", "dashdot", "longdash")
SHOWN: Final = 6
"""Modules that a chart shows before the reader asks for more."""
LINES: Final = 12
"""Modules that a chart with a line or a bar for each has at most."""
NAMED: Final = 12
"""Points up to which each has its name beside it."""
SEQUENTIAL: Final = "Blues"
DIVERGING: Final = [[0, "#D55E00"], [0.5, "#F4F4F4"], [1, "#0072B2"]]

ItemT = TypeVar("ItemT")


def layout(x: str, y: str, *, y_range: Sequence[float] | None = None, height: int = 420) -> Any:
    """Return a layout with titles on its axes."""
    return go.Layout(
        template=go.layout.Template(),
        height=height,
        margin={"l": 56, "r": 16, "t": 24, "b": 52},
        hovermode="closest",
        legend={"orientation": "h", "y": -0.28, "yanchor": "top", "x": 0},
        xaxis={"title": {"text": x}, "automargin": True, "zeroline": False},
        yaxis={
            "title": {"text": y},
            "automargin": True,
            "zeroline": False,
            "range": list(y_range) if y_range else None,
        },
    )


def pick(choices: Sequence[ItemT], number: int) -> ItemT:
    """Take one of some choices, over and over."""
    return choices[number % len(choices)]
