"""Pages of records to a folder that a browser opens: no server, no network.

The same records give the same bytes, so that a difference of two sites is one of their records.
"""

from __future__ import annotations

import gc
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

import plotly.offline

from agfer_bench.errors import describe
from agfer_bench.files import writing
from agfer_bench.leaderboard.across import across
from agfer_bench.leaderboard.claims import FILE as CLAIMS
from agfer_bench.leaderboard.claims import claims_html
from agfer_bench.leaderboard.folder import check_target, replacing_site
from agfer_bench.leaderboard.html import across_html, environment, index_html, page_html
from agfer_bench.leaderboard.markdown import to_markdown
from agfer_bench.leaderboard.model import Page
from agfer_bench.leaderboard.pages import Calibrations, draw
from agfer_bench.leaderboard.sanitize import clean
from agfer_bench.leaderboard.setting_effects import SettingEffect
from agfer_bench.leaderboard.site_data import Listing, Refusal
from agfer_bench.records.run import RunRecord
from agfer_bench.submissions.model import Reading

_ASSETS = ("site.css", "site.js", "theme.js")


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What a site holds."""

    pages: int
    """Pages beside the index."""
    records: int
    """Records that are published."""
    rows: int
    """Rows of all pages."""
    rejected: tuple[Refusal, ...]
    """Files that are not published, with the reasons."""


def build_site(
    reading: Reading,
    pages: Sequence[Page],
    out: Path,
    calibrations: Calibrations | None = None,
) -> Summary:
    """Build a site, whole or not at all.

    Args:
        reading: The records.
        pages: Those that were accepted, grouped.
        out: The site's folder; a former site there is replaced, and nothing else in it.
        calibrations: What is known of how often blocks that do nothing get a verdict.

    Raises:
        UserError: The folder is something else, or cannot be written.
    """
    check_target(out)
    with writing(out), replacing_site(out.resolve()) as folder, _records_set_aside():
        written = _write_records(reading, folder)
        return _write_pages(reading, pages, written, calibrations or {}, folder)


def _write_records(reading: Reading, folder: Path) -> dict[str, str]:
    """Write a copy of every record, from what was validated; return their files by path."""
    (folder / "records").mkdir()
    return {one.path: _write_record(one.record, folder) for one in reading.accepted}


def _write_record(record: RunRecord, folder: Path) -> str:
    content = record.model_dump_json().encode() + b"\n"
    name = f"records/{hashlib.sha256(content).hexdigest()[:16]}.json"
    (folder / name).write_bytes(content)
    return name


def _write_pages(
    reading: Reading,
    pages: Sequence[Page],
    written: dict[str, str],
    calibrations: Calibrations,
    folder: Path,
) -> Summary:
    templates = environment()
    (folder / "pages").mkdir()
    listings = []
    effects: list[SettingEffect] = []
    refusals = [Refusal(path=clean(one.path), reason=clean(one.reason)) for one in reading.rejected]
    for page in pages:
        try:
            drawn = draw(page, written, calibrations)
            html = page_html(templates, drawn)
        except Exception as error:  # whatever a stranger's numbers do, the other pages stand
            reason = clean(f"its page cannot be drawn: {describe(error)}")
            refusals += [Refusal(path=clean(path), reason=reason) for path in page.paths]
            continue
        _write(folder / drawn.listing.file, html)
        listings.append(drawn.listing)
        effects += drawn.effects
    listing = Listing(pages=tuple(listings), across=across(effects), rejected=tuple(refusals))
    _write(folder / "index.html", index_html(templates, listing))
    _write(folder / CLAIMS, claims_html(templates))
    _write(folder / "across.html", across_html(templates, listing.across))
    _write(folder / "leaderboard.md", to_markdown(listing))
    _write(folder / "leaderboard.json", to_json(listing))
    _write_assets(folder)
    return Summary(
        pages=len(listings),
        records=sum(one.records for one in listings),
        rows=sum(len(one.rows) for one in listings),
        rejected=listing.rejected,
    )


def to_json(listing: Listing) -> str:
    """Write the leaderboard as JSON; the layout is that of `listing`."""
    return json.dumps(asdict(listing), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _write_assets(folder: Path) -> None:
    (folder / "assets").mkdir()
    for name in _ASSETS:
        text = (files("agfer_bench.leaderboard") / "assets" / name).read_text(encoding="utf-8")
        _write(folder / "assets" / name, text)
    _write(folder / "assets" / "plotly.min.js", plotly.offline.get_plotlyjs())
    _write(folder / ".nojekyll", "")


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", errors="replace", newline="\n")


@contextmanager
def _records_set_aside() -> Iterator[None]:
    """Keep the collector of garbage from looking through all records again and again.

    statsmodels calls it for each correction of p values: seconds, with a thousand records read.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
