"""Pages of records to what a page says and draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agfer_bench.comparison.comparable import caveats
from agfer_bench.leaderboard import charts, differences, matrices, pooled
from agfer_bench.leaderboard.charts import Chart
from agfer_bench.leaderboard.comparing import MOST, Compared, compare
from agfer_bench.leaderboard.describing import changes_of, facts_of, preset_of, sources_of, title_of
from agfer_bench.leaderboard.model import Page
from agfer_bench.leaderboard.naming import names_of
from agfer_bench.leaderboard.replicates import all_of
from agfer_bench.leaderboard.rows import devices_of, difference_of, row_of
from agfer_bench.leaderboard.sanitize import TEXT, clean, slug
from agfer_bench.leaderboard.setting_effects import SettingEffect, effects_of
from agfer_bench.leaderboard.site_data import PageListing, SiteRow
from agfer_bench.leaderboard.wording import notes_of
from agfer_bench.records.run import ModuleRecord
from agfer_bench.report import controls

Calibrations = Mapping[tuple[str, str], Sequence[str]]
"""What calibrations found, in sentences: by the protocol's `ground` and the fingerprint of the
images."""

MOST_ROWS = 300
"""Rows of a page: a page must stay light enough for a phone. The others are counted."""
_NOTE = 2000
"""Characters of a note: it may name many modules."""


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A page, ready to be written."""

    listing: PageListing
    """What it says."""
    charts: tuple[Chart, ...]
    """What it draws."""
    left_out: int
    """Rows beyond `MOST_ROWS`."""
    effects: tuple[SettingEffect, ...]
    """What it says of each block, to be put together with other pages."""


def draw(page: Page, files: Mapping[str, str], calibrations: Calibrations | None = None) -> Drawn:
    """Prepare a page.

    Args:
        page: Modules on one ground.
        files: The files of records below the site, by the records' paths.
        calibrations: Those that are known, of any page.
    """
    names = names_of(page.entries)
    compared = compare(page.entries, names)
    shown = compared.standings[:MOST_ROWS]
    entries = [page.entries[one.number] for one in shown]
    devices = devices_of(entries)
    record = entries[0].submission.record
    rows = tuple(
        row_of(entry, one, name=names[one.number], devices=devices, files=files)
        for entry, one in zip(entries, shown, strict=True)
    )
    found = calibrations or {}
    listing = PageListing(
        key=page.ground.key,
        file=f"pages/{_name(page)}.html",
        title=title_of(record),
        changes=changes_of(record.protocol),
        drawn=record.drawn,
        chance=1 / len(record.data.classes),
        facts=facts_of(record),
        settings=_settings(record.protocol.model_dump(mode="json", exclude={"seeds"})),
        protocol=page.ground.protocol,
        data=clean(page.ground.data, 80),
        devices=devices.names,
        records=len(page.paths),
        rows=rows,
        unit=compared.unit,
        units=compared.units,
        base=compared.base.label if compared.base else None,
        notes=tuple(clean(line, _NOTE) for line in notes_of(compared, record)),
        calibration=tuple(
            clean(line, TEXT) for line in found.get((page.ground.protocol, page.ground.data), ())
        ),
        controls=tuple(clean(line, _NOTE) for line in controls.notes(compared.worths)),
        differences=tuple(map(difference_of, compared.pairs)),
        caveats=tuple(map(clean, _caveats(page, compared))),
        sources=sources_of(entries, files),
    )
    classes = [clean(name, 60) for name in record.data.classes]
    return Drawn(
        listing=listing,
        charts=_charts(listing, _charted(rows, compared), classes),
        left_out=len(page.entries) - len(entries),
        effects=effects_of(page, listing, compared),
    )


def _caveats(page: Page, compared: Compared) -> list[str]:
    """Say what the records behind what is judged do not share."""
    judged = [page.entries[one.number] for one in compared.judged]
    records = {one.submission.path: one.record for entry in judged for one in entry.whole}
    return caveats(list(records.values()))


def _charted(rows: Sequence[SiteRow], compared: Compared) -> list[tuple[SiteRow, ModuleRecord]]:
    """Return what charts of single modules show: whole ones, in the order of the table."""
    both = zip(rows, compared.standings, strict=False)
    whole = [(row, all_of(one.entrant)) for row, one in both if one.entrant is not None]
    return whole[:MOST]


def _name(page: Page) -> str:
    """Name a page's file: words for people, the ground's hash for certainty."""
    record = page.entries[0].submission.record
    return f"{preset_of(record.protocol)}-{slug(record.data.name)}-{page.ground.key[:12]}"


def _settings(settings: Mapping[str, object]) -> dict[str, object]:
    return {k: clean(v) if isinstance(v, str) else v for k, v in settings.items()}


def _charts(
    page: PageListing, charted: Sequence[tuple[SiteRow, ModuleRecord]], classes: list[str]
) -> tuple[Chart, ...]:
    rows, modules = [row for row, _ in charted], [module for _, module in charted]
    series = (
        ("Validation accuracy", "Accuracy, %", [pooled.accuracy_curve(m) for m in modules]),
        ("Training loss", "Loss", [pooled.loss_curve(m) for m in modules]),
    )
    recalls = [pooled.recalls_of(module, len(classes)) for module in modules]
    confusions = [pooled.confusion_of(module) for module in modules]
    found = (
        differences.against_base(page),
        charts.against_latency(page),
        charts.against_parameters(page),
        charts.recalls(rows, classes, recalls),
        matrices.confusions(rows, classes, confusions),
        charts.curves(rows, series),
        differences.pairs(page),
    )
    return tuple(chart for chart in found if chart is not None)
