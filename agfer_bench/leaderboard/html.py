"""Listings to pages of HTML.

All texts are strangers'. Templates escape everything (autoescape); data for the charts stand in a
block that browsers do not run, with the characters written otherwise that could end it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from agfer_bench.comparison.meta_analysis import FEWEST_SETTINGS
from agfer_bench.leaderboard.across_wording import EXPLAINED
from agfer_bench.leaderboard.charts import Chart
from agfer_bench.leaderboard.columns import columns_of
from agfer_bench.leaderboard.forest import forest
from agfer_bench.leaderboard.pages import Drawn
from agfer_bench.leaderboard.sanitize import LABEL, link_of, shorten
from agfer_bench.leaderboard.site_data import Across, BlockAcross, Listing, SiteRow
from agfer_bench.leaderboard.wording import ONCE
from agfer_bench.report.notes import DRAWN_NOTICE
from agfer_bench.report.numbers import count, number, percent, quantity, signed

_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_REJECTED = 500
"""Rejected records that the index lists."""
_BLOCKS = 100
"""Blocks that the page of several settings lists for each kind of faces."""


def environment() -> Environment:
    """Return the templates with their filters."""
    made = Environment(
        loader=PackageLoader("agfer_bench.leaderboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "count": count,
        "number": number,
        "percent": percent,
        "points": signed,
        "quantity": quantity,
        "range": _range,
        "record_id": lambda file: file.rpartition("/")[2].partition(".")[0],
        "short": shorten,
        "times": _times,
    }
    made.globals |= {"link_of": link_of, "label_length": LABEL, "once": ONCE}
    return made


def page_html(templates: Environment, drawn: Drawn) -> str:
    """Write a page."""
    return templates.get_template("page.html").render(
        page=drawn.listing,
        columns=columns_of(drawn.listing),
        charts=drawn.charts,
        left_out=drawn.left_out,
        data=data_block(drawn.charts),
        notice=DRAWN_NOTICE if drawn.listing.drawn else None,
        root="../",
    )


def index_html(templates: Environment, listing: Listing) -> str:
    """Write the page that lists all others."""
    return templates.get_template("index.html").render(
        listing=listing,
        rejected=listing.rejected[:_REJECTED],
        unlisted=max(0, len(listing.rejected) - _REJECTED),
        notice=DRAWN_NOTICE
        if all(page.drawn for page in listing.pages) and listing.pages
        else None,
        root="",
    )


def across_html(templates: Environment, across: Across) -> str:
    """Write the page of blocks over several settings."""
    kinds = [_kind(across, drawn) for drawn in (False, True)]
    charts = [kind.chart for kind in kinds if kind.chart is not None]
    return templates.get_template("across.html").render(
        across=across,
        kinds=[kind for kind in kinds if kind.judged or kind.others],
        explained=EXPLAINED,
        fewest=FEWEST_SETTINGS,
        data=data_block(charts),
        notice=None,
        root="",
    )


def data_block(charts: Sequence[Chart]) -> str:
    """Write the charts as JSON that cannot end the block it stands in."""
    content = {chart.name: _finite(chart.figures()) for chart in charts}
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    for character, escape in _UNSAFE.items():
        text = text.replace(character, escape)
    return text


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """What the page of several settings shows of one kind of faces."""

    name: str
    title: str
    notice: str | None
    judged: Sequence[BlockAcross]
    others: Sequence[BlockAcross]
    unlisted: int
    """Judged blocks beyond `_BLOCKS`."""
    chart: Chart | None


def _kind(across: Across, drawn: bool) -> _Kind:
    name, title = ("drawn", "Drawn faces") if drawn else ("photographs", "Photographs")
    blocks = [one for one in across.blocks if one.drawn is drawn]
    judged = [one for one in blocks if one.pooled is not None]
    return _Kind(
        name=name,
        title=title,
        notice=DRAWN_NOTICE if drawn else None,
        judged=judged[:_BLOCKS],
        others=[one for one in blocks if one.pooled is None][:_BLOCKS],
        unlisted=max(0, len(judged) - _BLOCKS),
        chart=forest(f"forest-{name}", title.lower(), judged),
    )


def _range(ends: tuple[int, int]) -> str:
    """Write a range of whole numbers.

    >>> _range((2, 2)), _range((1, 4))
    ('2', '1 to 4')
    """
    return str(ends[0]) if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def _times(row: SiteRow, devices: int) -> str:
    """Write a row's times as JSON: for each device latency, Hz and seconds, or null."""
    found = [row.on(number) for number in range(devices)]
    return json.dumps(
        [one and [one.latency_ms, one.hz, one.train_seconds] for one in found],
        separators=(",", ":"),
    )


def _finite(value: Any) -> Any:
    """Return JSON-able content; numbers that are not finite become null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
