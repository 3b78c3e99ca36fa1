"""A leaderboard as Markdown, say for a comment on a pull request."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from agfer_bench.leaderboard.across_wording import EXPLAINED
from agfer_bench.leaderboard.sanitize import TEXT, for_markdown
from agfer_bench.leaderboard.site_data import Across, BlockAcross, Listing, PageListing, SiteRow
from agfer_bench.leaderboard.wording import ONCE
from agfer_bench.report.notes import DRAWN_NOTICE
from agfer_bench.report.numbers import count, number, percent, quantity, signed
from agfer_bench.report.table import markdown_table

MOST_ROWS = 50
"""Rows of a page's table; the site has more."""
_REJECTED = 100
_NOTE = 2000


def to_markdown(listing: Listing) -> str:
    """Write all pages; texts of records stand as code, in which nothing is read."""
    parts = ["# Leaderboard"]
    if not listing.pages:
        parts.append("There is no record to show yet.")
    for page in listing.pages:
        parts += _page(page)
    parts += _across(listing.across)
    if listing.rejected:
        parts.append("## Records that are not published")
        lines = [
            f"- {for_markdown(one.path, TEXT)}: {for_markdown(one.reason, TEXT)}"
            for one in listing.rejected[:_REJECTED]
        ]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _across(across: Across) -> list[str]:
    """Write what blocks add to base over several settings."""
    parts = ["## Across settings"]
    if across.missing:
        parts.append(for_markdown(across.missing, _NOTE))
    for drawn, title in ((False, "Photographs"), (True, "Drawn faces")):
        judged = [one for one in across.blocks if one.drawn is drawn and one.pooled is not None]
        if not judged:
            continue
        parts.append(f"### {title}, across settings")
        if drawn:
            parts.append(DRAWN_NOTICE)
        table = pd.DataFrame([_of_block(one) for one in judged[:MOST_ROWS]])
        parts.append(markdown_table(table))
        if len(judged) > MOST_ROWS:
            parts.append(f"{len(judged) - MOST_ROWS} more blocks on the site.")
        lines = [
            f"- {for_markdown(line, _NOTE)}"
            for one in judged[:MOST_ROWS]
            if one.pooled is not None
            for line in (one.pooled.sentence, *one.pooled.warnings)
        ]
        parts.append("\n".join(lines))
    if not across.missing:
        parts.append(" ".join(EXPLAINED))
    return parts


def _of_block(block: BlockAcross) -> dict[str, str]:
    one = block.pooled
    assert one is not None, "only these are shown"
    return {
        "Block": for_markdown(block.name),
        "Settings": str(len(block.settings)),
        "Against base": f"{one.verdict}: {signed(one.effect)} ({_interval(one.interval, signed)})",
        "In a new setting": _interval(one.prediction, signed),
        "Tau": f"{percent(one.tau)} ({_interval(one.tau_interval, percent)})",
        "I² %": f"{100 * one.i2:.0f}",
        "Left out": str(sum(number for _, number in block.left_out)),
    }


def _page(page: PageListing) -> list[str]:
    parts = [f"## {for_markdown(page.title, 200)}"]
    if page.drawn:
        parts.append(DRAWN_NOTICE)
    if page.changes:
        parts.append(f"Settings changed: {for_markdown(page.changes, TEXT)}")
    rows = page.rows[:MOST_ROWS]
    judged, apart = ([row for row in rows if row.judged is side] for side in (True, False))
    if judged:
        parts.append(markdown_table(pd.DataFrame([_cells(row, page) for row in judged])))
    if apart:
        parts.append("### Not judged")
        parts.append(markdown_table(pd.DataFrame([_cells(row, page) for row in apart])))
    if len(page.rows) > MOST_ROWS:
        parts.append(f"{len(page.rows) - MOST_ROWS} more rows on the site.")
    parts.append(_means(page))
    lines = [*page.notes, *page.controls, *page.calibration, *page.caveats]
    parts.append("\n".join(f"- {for_markdown(line, _NOTE)}" for line in lines))
    return parts


def _means(page: PageListing) -> str:
    text = (
        "±: sample standard deviation over folds (of an official split: over trainings), not an "
        "interval."
    )
    if page.unit is not None:
        text += f" Intervals: 95 %, over {page.units} {page.unit}"
        text += "." if page.unit == "trainings" else " and trainings."
    if page.lacks_trainings:
        text += f" {ONCE}"
    if page.devices:
        text += f" Times: on {for_markdown(page.devices[0], 60)}."
    return f"{text} Chance {100 * page.chance:.1f} %."


def _cells(row: SiteRow, page: PageListing) -> dict[str, str]:
    cells = {"Module": for_markdown(row.name)}
    if not row.judged:
        cells["Why"] = for_markdown(row.error or row.why_not or "", TEXT)
    cells["Accuracy % ± SD"] = percent(row.accuracy, row.accuracy_sd)
    if row.judged:
        cells["95 % interval"] = _interval(row.interval, percent)
        if page.base is not None:
            cells["Against base"] = _against(row, page)
        if page.tiers > 1:
            cells["Tier"] = count(row.tier)
        cells["Rank"] = "–" if row.rank is None else " to ".join(map(str, sorted(set(row.rank))))
    if page.crossed:
        cells["Cross-database %"] = percent(row.cross, row.cross_sd)
    times = row.on(0)
    hz = times.hz if times else None
    return cells | {
        "Latency ms": number(times.latency_ms if times else None, 2),
        "Hz": number(hz, 0 if (hz or 0) >= 100 else 1),
        "Params": count(row.parameters),
        "Block params": count(row.block_parameters),
        "MACs": quantity(row.macs),
        "Train s": number(times.train_seconds if times else None, 1),
        "Trainings": str(row.trainings),
        "Version": for_markdown(f"{row.distribution} {row.version}", 40),
    }


def _against(row: SiteRow, page: PageListing) -> str:
    one = row.against_base
    if one is None:
        return "base" if row.name == page.base else "–"
    interval = "" if one.interval is None else f" ({_interval(one.interval, signed)})"
    return f"{one.verdict}: {signed(one.difference)}{interval}"


def _interval(ends: tuple[float, float] | None, write: Callable[[float], str]) -> str:
    return "–" if ends is None else " to ".join(map(write, ends))
