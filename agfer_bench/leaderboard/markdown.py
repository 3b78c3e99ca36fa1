"""A leaderboard as Markdown, say for a comment on a pull request."""

from __future__ import annotations

import pandas as pd

from agfer_bench.leaderboard.sanitize import TEXT, for_markdown
from agfer_bench.leaderboard.site_data import Listing, PageListing, SiteRow
from agfer_bench.report.notes import DRAWN_NOTICE
from agfer_bench.report.numbers import count, number, percent, quantity
from agfer_bench.report.table import markdown_table

MOST_ROWS = 50
"""Rows of a page's table; the site has more."""
_REJECTED = 100


def to_markdown(listing: Listing) -> str:
    """Write all pages; texts of records stand as code, in which nothing is read."""
    parts = ["# Leaderboard"]
    if not listing.pages:
        parts.append("There is no record to show yet.")
    for page in listing.pages:
        parts += _page(page)
    if listing.rejected:
        parts.append("## Records that are not published")
        lines = [
            f"- {for_markdown(one.path, TEXT)}: {for_markdown(one.reason, TEXT)}"
            for one in listing.rejected[:_REJECTED]
        ]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _page(page: PageListing) -> list[str]:
    parts = [f"## {for_markdown(page.title, 200)}"]
    if page.drawn:
        parts.append(DRAWN_NOTICE)
    if page.changes:
        parts.append(f"Settings changed: {for_markdown(page.changes, TEXT)}")
    frame = pd.DataFrame([_cells(row, page) for row in page.rows[:MOST_ROWS]])
    parts.append(markdown_table(frame))
    if len(page.rows) > MOST_ROWS:
        parts.append(f"{len(page.rows) - MOST_ROWS} more rows on the site.")
    best = "Bold: distinguishably ahead of all that it was compared with."
    if page.best is None:
        best = "None is bold: no module is distinguishably ahead of all that it was compared with."
    parts.append(
        "±: sample standard deviation over folds, not an interval. Times compare within one device "
        f"alone. Chance {100 * page.chance:.1f} %. {best} {page.method}"
    )
    parts += [for_markdown(line, TEXT) for line in page.caveats]
    return parts


def _cells(row: SiteRow, page: PageListing) -> dict[str, str]:
    accuracy = percent(row.accuracy, row.accuracy_sd)
    interval = "–" if row.interval is None else " to ".join(map(percent, row.interval))
    return {
        "Module": for_markdown(row.name),
        "Accuracy % ± SD": f"**{accuracy}**" if row.best else accuracy,
        "95 % interval": interval,
        "Cross-database %": percent(row.cross, row.cross_sd),
        "Latency ms": number(row.latency_ms, 2),
        "Hz": number(row.hz, 0 if (row.hz or 0) >= 100 else 1),
        "Device": for_markdown(page.devices[row.device], 40),
        "Params": count(row.parameters),
        "Block params": count(row.block_parameters),
        "MACs": quantity(row.macs),
        "Train s": number(row.train_seconds, 1),
        "Version": for_markdown(f"{row.distribution} {row.version}", 40),
    }
