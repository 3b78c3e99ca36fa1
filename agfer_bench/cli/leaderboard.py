"""`agfer-bench leaderboard`: a site from records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agfer_bench.cli.console import show, show_json, warn
from agfer_bench.cli.groups import JsonOption
from agfer_bench.errors import UserError

_MOST = 1000
"""Most calibrations that are read."""
_TOLD = 20
"""Rejected records that are named on the screen."""


def leaderboard(
    results: Annotated[Path, typer.Argument(help="Folder with records, at any depth.")],
    out: Annotated[Path, typer.Option(help="Where to put the site; a former one is replaced.")],
    as_json: JsonOption = False,
) -> None:
    """Build a static site from the records of runs: tables, charts, downloads.

    Records are checked first; one that is not valid is left out, and the site says why. The site
    opens from the file system and needs no network.
    """
    from dataclasses import asdict

    from agfer_bench.leaderboard.folder import check_target
    from agfer_bench.leaderboard.grouping import pages_of
    from agfer_bench.leaderboard.site import build_site
    from agfer_bench.submissions.read import read_folder

    source, target = results.resolve(), out.resolve()
    if target == source or target in source.parents:
        raise UserError(f"--out {out} holds the records themselves; name another folder")
    check_target(out)
    reading = read_folder(results)
    if not reading.accepted and not reading.rejected:
        warn(f"no record of a run lies below {results}: the site is empty")
    summary = build_site(reading, pages_of(reading), out, _calibrations(results))
    if as_json:
        show_json({"site": str(out / "index.html"), **asdict(summary)})
        return
    for one in summary.rejected[:_TOLD]:
        warn(f"{one.path} is not published: {one.reason}")
    if len(summary.rejected) > _TOLD:
        warn(f"{len(summary.rejected) - _TOLD} more are not published; the site lists them")
    show(
        f"{summary.records} records, {summary.rows} rows on {summary.pages} pages: "
        f"{out / 'index.html'}"
    )


def _calibrations(results: Path) -> dict[tuple[str, str], list[str]]:
    """Return what calibrations found, by protocol and images; one that is not valid is left out."""
    from agfer_bench.records.files import CALIBRATION
    from agfer_bench.report.calibration_table import notes_of
    from agfer_bench.submissions.open import open_calibration

    found = {}
    for path in sorted(results.rglob(CALIBRATION))[:_MOST]:
        try:
            record = open_calibration(path)
        except UserError as error:
            warn(f"{path} is not published: {error}")
            continue
        found[record.protocol.ground, record.data.fingerprint] = notes_of(record)
    return found
