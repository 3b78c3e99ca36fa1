"""A page's charts as figures of Plotly, which draws them in the browser.

Every text in them has gone through `text.for_chart`: Plotly reads tags in labels. Colours of text,
axes and ground are the browser's to choose (light or dark), in `assets/site.js`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from agfer_bench.comparison.entrants import unique
from agfer_bench.leaderboard.chart_style import COLOURS, DASHES, LINES, SHOWN, SYMBOLS, layout, pick
from agfer_bench.leaderboard.pareto import front
from agfer_bench.leaderboard.sanitize import for_chart
from agfer_bench.leaderboard.site_data import PageListing, SiteRow


@dataclass(frozen=True, kw_only=True)
class ChartChoice:
    """One of several things that a chart can show."""

    label: str
    """Name in the list of choices."""
    traces: tuple[Any, ...]
    """What is drawn."""
    layout: Any = None
    """What of the layout is another."""


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A chart of a page."""

    name: str
    """Id on the page."""
    title: str
    """Its title."""
    says: str
    """What it shows and how to read it, in words."""
    layout: Any
    """Axes and the like."""
    choices: tuple[ChartChoice, ...]
    """What it shows; the reader picks one where there are several."""
    choose: str = ""
    """What the reader picks: `Device`."""

    def figures(self) -> dict[str, Any]:
        """Return the chart as plain data for the browser."""
        return {
            "layout": self.layout.to_plotly_json(),
            "choices": [
                {
                    "data": [trace.to_plotly_json() for trace in one.traces],
                    "layout": one.layout.to_plotly_json() if one.layout else {},
                }
                for one in self.choices
            ],
        }


def against_latency(page: PageListing) -> Chart | None:
    """Accuracy against latency, for each device on its own."""
    choices = []
    for number, device in enumerate(page.devices):
        rows = [
            r for r in page.rows if r.device == number and None not in (r.latency_ms, r.accuracy)
        ]
        if rows:
            traces = _scatter(rows, [row.latency_ms or 0.0 for row in rows], "ms")
            choices.append(ChartChoice(label=device, traces=traces))
    if not choices:
        return None
    choices.sort(key=lambda one: -len(one.traces[0].x))
    return Chart(
        name="latency",
        title="Accuracy against latency",
        says="One image at a time, eager fp32. Times of two devices never stand in one picture. "
        "The line joins what no other module beats in both. Bars: 95 % interval.",
        layout=layout("Latency, ms", "Accuracy, %"),
        choices=tuple(choices),
        choose="Device",
    )


def against_parameters(page: PageListing) -> Chart | None:
    """Accuracy against the parameters of the whole network."""
    rows = [r for r in page.rows if r.compared and None not in (r.parameters, r.accuracy)]
    if not rows:
        return None
    traces = _scatter(rows, [float(row.parameters or 0) for row in rows], "parameters")
    return Chart(
        name="parameters",
        title="Accuracy against parameters",
        says="Learnable parameters of the whole network. The line joins what no other module beats "
        "in both. Bars: 95 % interval.",
        layout=layout("Parameters", "Accuracy, %"),
        choices=(ChartChoice(label="all", traces=traces),),
    )


def recalls(
    page: PageListing, classes: Sequence[str], values: Sequence[Sequence[float | None]]
) -> Chart | None:
    """Recall of each class, a bar for each module.

    Args:
        page: The page.
        classes: Names of the classes.
        values: For each compared row the recall of each class, 0..1.
    """
    rows = [row for row in page.rows if row.compared][:LINES]
    if not rows:
        return None
    names = unique([for_chart(name, 18) for name in classes])
    traces = tuple(
        go.Bar(
            x=names,
            y=[None if v is None else round(100 * v, 2) for v in own],
            name=for_chart(row.name),
            marker={"color": pick(COLOURS, number)},
            visible=True if number < SHOWN else "legendonly",
            hovertemplate="%{x}: %{y:.1f} %<extra>%{fullData.name}</extra>",
        )
        for number, (row, own) in enumerate(zip(rows, values, strict=False))
    )
    return Chart(
        name="recalls",
        title="Recall per class",
        says=f"Mean over folds and seeds. {_legend(page)}",
        layout=layout("", "Recall, %", y_range=[0, 100]).update(barmode="group"),
        choices=(ChartChoice(label="all", traces=traces),),
    )


def curves(page: PageListing, series: Sequence[tuple[str, str, Sequence[Any]]]) -> Chart | None:
    """Learning curves: a line for each module.

    Args:
        page: The page.
        series: What is drawn: its name, its unit, and for each compared row (epochs, values).
    """
    rows = [row for row in page.rows if row.compared][:LINES]
    choices = []
    for name, axis, lines in series:
        traces = tuple(
            go.Scatter(
                x=list(x),
                y=list(y),
                mode="lines" if len(x) > 1 else "markers",
                name=for_chart(row.name),
                line={"color": pick(COLOURS, number), "dash": pick(DASHES, number // len(COLOURS))},
                visible=True if number < SHOWN else "legendonly",
                hovertemplate="epoch %{x}: %{y:.3~g}<extra>%{fullData.name}</extra>",
            )
            for number, (row, (x, y)) in enumerate(zip(rows, lines, strict=False))
            if len(x)
        )
        if traces:
            own = go.Layout(yaxis={"title": {"text": axis}})
            choices.append(ChartChoice(label=name, traces=traces, layout=own))
    if not choices:
        return None
    return Chart(
        name="curves",
        title="Learning curves",
        says=f"Mean over folds and seeds after each epoch. {_legend(page)}",
        layout=layout("Epoch", choices[0].label),
        choices=tuple(choices),
        choose="Curve",
    )


def _legend(page: PageListing) -> str:
    count = sum(row.compared for row in page.rows)
    few = f" The {LINES} most accurate of {count} modules." if count > LINES else ""
    hidden = f" The first {SHOWN} are drawn; the others come with a click." if count > SHOWN else ""
    return f"A click on a name hides or shows it, a double click shows it alone.{few}{hidden}"


def _scatter(rows: Sequence[SiteRow], x: Sequence[float], unit: str) -> tuple[Any, ...]:
    """Points with their intervals, and the line that joins the front."""
    y = [round(100 * (row.accuracy or 0.0), 3) for row in rows]
    best = front(x, y)
    names = [for_chart(row.name) for row in rows]
    points = go.Scatter(
        x=list(x),
        y=y,
        mode="markers+text",
        text=[name if n in best else "" for n, name in enumerate(names)],
        textposition=["top left" if x[n] == max(x) else "top right" for n in range(len(x))],
        hovertext=names,
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [_reach(row, 1) for row in rows],
            "arrayminus": [_reach(row, 0) for row in rows],
            "thickness": 1,
            "width": 0,
            "color": "rgba(128,128,128,.45)",
        },
        marker={
            "size": 10,
            "color": [COLOURS[0] if n in best else COLOURS[1] for n in range(len(rows))],
            "symbol": [SYMBOLS[0] if n in best else SYMBOLS[1] for n in range(len(rows))],
        },
        hovertemplate=f"%{{hovertext}}<br>%{{y:.1f}} %, %{{x:,.5~g}} {unit}<extra></extra>",
        showlegend=False,
    )
    line = go.Scatter(
        x=[x[n] for n in best],
        y=[y[n] for n in best],
        mode="lines",
        line={"shape": "hv", "color": COLOURS[0], "width": 1.5, "dash": "dot"},
        hoverinfo="skip",
        showlegend=False,
    )
    return (points, line)


def _reach(row: SiteRow, end: int) -> float | None:
    """How far an interval reaches from the accuracy, in points."""
    if row.interval is None or row.accuracy is None:
        return None
    return round(max(0.0, 100 * abs(row.interval[end] - row.accuracy)), 3)
