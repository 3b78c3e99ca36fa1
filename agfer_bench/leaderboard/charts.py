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
from agfer_bench.leaderboard.chart_style import (
    COLOURS,
    DASHES,
    GREY,
    LINES,
    NAMED,
    SHOWN,
    SYMBOLS,
    layout,
    pick,
)
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
        found = [(row, one.latency_ms) for row in page.rows if (one := row.on(number)) is not None]
        costs = [(row, ms) for row, ms in found if row.accuracy is not None and ms is not None]
        if costs:
            choices.append(ChartChoice(label=device, traces=_scatter(costs, "ms")))
    if not choices:
        return None
    return Chart(
        name="latency",
        title="Accuracy against latency",
        says="One image at a time, eager fp32. Times of two devices never stand in one picture. "
        f"{_of_points(page)}",
        layout=layout("Latency, ms", "Accuracy, %"),
        choices=tuple(choices),
        choose="Device",
    )


def against_parameters(page: PageListing) -> Chart | None:
    """Accuracy against the parameters of the whole network."""
    costs = [
        (row, float(row.parameters))
        for row in page.rows
        if row.parameters is not None and row.accuracy is not None
    ]
    if not costs:
        return None
    return Chart(
        name="parameters",
        title="Accuracy against parameters",
        says=f"Learnable parameters of the whole network. {_of_points(page)}",
        layout=layout("Parameters", "Accuracy, %"),
        choices=(ChartChoice(label="all", traces=_scatter(costs, "parameters")),),
    )


def recalls(
    rows: Sequence[SiteRow], classes: Sequence[str], values: Sequence[Sequence[float | None]]
) -> Chart | None:
    """Recall of each class, a bar for each module.

    Args:
        rows: The modules.
        classes: Names of the classes.
        values: For each of them the recall of each class, 0..1.
    """
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
        for number, (row, own) in enumerate(list(zip(rows, values, strict=True))[:LINES])
    )
    return Chart(
        name="recalls",
        title="Recall per class",
        says=f"Mean over folds and trainings. {_legend(len(rows))}",
        layout=layout("", "Recall, %", y_range=[0, 100]).update(barmode="group"),
        choices=(ChartChoice(label="all", traces=traces),),
    )


def curves(
    rows: Sequence[SiteRow], series: Sequence[tuple[str, str, Sequence[Any]]]
) -> Chart | None:
    """Learning curves: a line for each module.

    Args:
        rows: The modules.
        series: What is drawn: its name, its unit, and for each module (epochs, values).
    """
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
            for number, (row, (x, y)) in enumerate(list(zip(rows, lines, strict=True))[:LINES])
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
        says=f"Mean over folds and trainings after each epoch. {_legend(len(rows))}",
        layout=layout("Epoch", choices[0].label),
        choices=tuple(choices),
        choose="Curve",
    )


def _legend(count: int) -> str:
    few = f" The first {LINES} of {count} modules of the table." if count > LINES else ""
    hidden = f" {SHOWN} are drawn; the others come with a click." if count > SHOWN else ""
    return f"A click on a name hides or shows it, a double click shows it alone.{few}{hidden}"


def _of_points(page: PageListing) -> str:
    """Say what points, bars and line are."""
    if not page.judged:
        return "No module is judged: these accuracies do not tell blocks apart."
    return (
        "Bars: 95 % interval of the accuracy. Open and grey: not judged. The dotted line joins "
        "judged modules than which none has both more accuracy and less cost, by the points alone: "
        "it is no test. The differences tell which accuracies differ."
    )


def _scatter(costs: Sequence[tuple[SiteRow, float]], unit: str) -> tuple[Any, ...]:
    """Points with their intervals; those that are not judged apart."""
    judged = [one for one in costs if one[0].judged]
    apart = [one for one in costs if not one[0].judged]
    values = [cost for _, cost in costs]
    middle = (min(values) + max(values)) / 2
    traces = []
    for own, colour, symbol in ((judged, COLOURS[0], SYMBOLS[0]), (apart, GREY, SYMBOLS[1])):
        if own:
            named = len(own) <= NAMED and (own is judged or not judged)
            traces.append(
                _points(own, unit, middle=middle, named=named, colour=colour, symbol=symbol)
            )
    return (*traces, _front(judged)) if len(judged) > 1 else tuple(traces)


def _front(costs: Sequence[tuple[SiteRow, float]]) -> Any:
    x = [cost for _, cost in costs]
    y = [round(100 * (row.accuracy or 0.0), 3) for row, _ in costs]
    best = front(x, y)
    return go.Scatter(
        x=[x[n] for n in best],
        y=[y[n] for n in best],
        mode="lines",
        line={"shape": "hv", "color": COLOURS[0], "width": 1.5, "dash": "dot"},
        hoverinfo="skip",
        showlegend=False,
    )


def _points(
    costs: Sequence[tuple[SiteRow, float]],
    unit: str,
    *,
    middle: float,
    named: bool,
    colour: str,
    symbol: str,
) -> Any:
    rows = [row for row, _ in costs]
    names = [for_chart(row.name) for row in rows]
    return go.Scatter(
        x=[cost for _, cost in costs],
        y=[round(100 * (row.accuracy or 0.0), 3) for row in rows],
        mode="markers+text" if named else "markers",
        text=names,
        textposition=["top left" if cost > middle else "top right" for _, cost in costs],
        textfont={"size": 11},
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
        marker={"size": 10, "color": colour, "symbol": symbol},
        hovertemplate=f"%{{hovertext}}<br>%{{y:.1f}} %, %{{x:,.5~g}} {unit}<extra></extra>",
        showlegend=False,
    )


def _reach(row: SiteRow, end: int) -> float | None:
    """How far an interval reaches from the accuracy, in points."""
    if row.interval is None or row.accuracy is None:
        return None
    return round(max(0.0, 100 * abs(row.interval[end] - row.accuracy)), 3)
