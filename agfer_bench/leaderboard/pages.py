"""Pages of records to what a page says and draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agfer_bench.comparison.comparable import caveats
from agfer_bench.leaderboard import charts, matrices, pooled
from agfer_bench.leaderboard.charts import Chart
from agfer_bench.leaderboard.comparing import compare
from agfer_bench.leaderboard.describing import changes_of, facts_of, preset_of, sources_of, title_of
from agfer_bench.leaderboard.model import Page, PageEntry
from agfer_bench.leaderboard.naming import names_of
from agfer_bench.leaderboard.rows import devices_of, row_of
from agfer_bench.leaderboard.sanitize import clean, slug
from agfer_bench.leaderboard.site_data import PageListing

MOST_ROWS = 300
"""Rows of a page: a page must stay light enough for a phone. The others are counted."""


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A page, ready to be written."""

    listing: PageListing
    """What it says."""
    charts: tuple[Chart, ...]
    """What it draws."""
    left_out: int
    """Rows beyond `MOST_ROWS`."""


def draw(page: Page, files: Mapping[str, str]) -> Drawn:
    """Prepare a page.

    Args:
        page: Entries on one ground.
        files: The files of records below the site, by the records' paths.
    """
    entries = page.entries[:MOST_ROWS]
    names = names_of(entries)
    compared = compare(entries, names)
    numbers, devices = devices_of(entries)
    record = entries[0].submission.record
    chosen = [entries[n] for n in compared.entries]
    rows = tuple(
        row_of(
            entry,
            name=names[n],
            best=n == compared.best,
            compared=n in compared.entries,
            device=numbers[n],
            files=files,
        )
        for n, entry in enumerate(entries)
    )
    listing = PageListing(
        key=page.ground.key,
        file=f"pages/{_name(page)}.html",
        title=title_of(record),
        changes=changes_of(record.protocol),
        drawn=record.drawn,
        chance=1 / len(record.data.classes),
        facts=facts_of(record),
        settings=_settings(record.protocol.model_dump(mode="json")),
        protocol=page.ground.protocol,
        data=clean(page.ground.data, 80),
        devices=devices,
        records=len(page.paths),
        rows=rows,
        best=None if compared.best is None else names[compared.best],
        method=compared.method,
        differences=compared.differences,
        caveats=tuple(map(clean, caveats([one.submission.record for one in chosen]))),
        sources=sources_of(entries, files),
    )
    return Drawn(
        listing=listing,
        charts=_charts(listing, chosen, [clean(name, 60) for name in record.data.classes]),
        left_out=len(page.entries) - len(entries),
    )


def _name(page: Page) -> str:
    """Name a page's file: words for people, the ground's hash for certainty."""
    record = page.entries[0].submission.record
    return f"{preset_of(record.protocol)}-{slug(record.data.name)}-{page.ground.key[:12]}"


def _settings(settings: Mapping[str, object]) -> dict[str, object]:
    return {k: clean(v) if isinstance(v, str) else v for k, v in settings.items()}


def _charts(
    page: PageListing, chosen: Sequence[PageEntry], classes: list[str]
) -> tuple[Chart, ...]:
    modules = [entry.module for entry in chosen]
    series = (
        ("Validation accuracy", "Accuracy, %", [pooled.accuracy_curve(m) for m in modules]),
        ("Training loss", "Loss", [pooled.loss_curve(m) for m in modules]),
    )
    recalls = [pooled.recalls_of(module, len(classes)) for module in modules]
    found = (
        charts.against_latency(page),
        charts.against_parameters(page),
        charts.recalls(page, classes, recalls),
        matrices.confusions(page, classes, [pooled.confusion_of(m) for m in modules]),
        charts.curves(page, series),
        matrices.significance(page),
    )
    return tuple(chart for chart in found if chart is not None)
