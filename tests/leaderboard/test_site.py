"""The site as files: what is written where, what is refused, how long it takes."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from agfer_bench.errors import UserError
from agfer_bench.leaderboard.grouping import pages_of
from agfer_bench.leaderboard.model import Page
from agfer_bench.leaderboard.pages import Calibrations, Drawn, draw
from agfer_bench.leaderboard.site import build_site
from agfer_bench.records.files import load_run
from agfer_bench.submissions.read import read_folder
from tests.leaderboard.generated import make_records

MOST_SECONDS = 60.0
PUBLISHED = Path(__file__).resolve().parents[2] / "results" / "published"


def _build(records: Path, out: Path) -> None:
    reading = read_folder(records)
    build_site(reading, pages_of(reading), out)


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("records")
    make_records(folder, runs=12, modules=5, protocols=2)
    return folder


def test_the_same_records_give_the_same_bytes(records: Path, tmp_path: Path) -> None:
    def content(folder: Path) -> dict[str, bytes]:
        files = [path for path in folder.rglob("*") if path.is_file()]
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}

    _build(records, tmp_path / "one")
    _build(records, tmp_path / "two")
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_every_record_can_be_taken_home_and_read(records: Path, tmp_path: Path) -> None:
    _build(records, tmp_path / "site")
    copies = sorted((tmp_path / "site" / "records").glob("*.json"))
    originals = [one.record for one in read_folder(records).accepted]
    found = [load_run(path) for path in copies]
    assert len(copies) == len(originals) == 12
    assert all(one in originals for one in found)


def test_names_of_files_are_ours(records: Path, tmp_path: Path) -> None:
    _build(records, tmp_path / "site")
    for path in (tmp_path / "site").rglob("*"):
        assert re.fullmatch(r"[a-z0-9.-]+", path.name), path.name


def test_tables_as_data(records: Path, tmp_path: Path) -> None:
    _build(records, tmp_path / "site")
    text = (tmp_path / "site" / "leaderboard.md").read_text(encoding="utf-8")
    assert "<" not in text, "texts of records hold no HTML any more"
    content = json.loads((tmp_path / "site" / "leaderboard.json").read_text(encoding="utf-8"))
    assert len(content["pages"]) == 2


def test_a_site_replaces_a_site_and_nothing_else(records: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    _build(records, site)
    (site / "mine.html").write_text("mine")
    before = {path.name for path in site.iterdir()}
    _build(records, site)
    assert (site / "mine.html").read_text() == "mine"
    assert {path.name for path in site.iterdir()} == before
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.tex").write_text("mine")
    with pytest.raises(UserError) as error:
        _build(records, home)
    assert "\n" not in str(error.value)
    assert [path.name for path in home.iterdir()] == ["thesis.tex"]


def test_rejected_records_are_named_and_the_others_published(records: Path, tmp_path: Path) -> None:
    folder = tmp_path / "records"
    good = sorted(path for path in records.rglob("record.json"))[:2]
    for number, path in enumerate(good):
        (folder / f"good{number}").mkdir(parents=True)
        (folder / f"good{number}" / "record.json").write_bytes(path.read_bytes())
    (folder / "broken").mkdir()
    (folder / "broken" / "record.json").write_text('{"schema_version": 5, "modules": NaN}')
    _build(folder, tmp_path / "site")
    index = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert "broken/record.json" in index
    assert len(list((tmp_path / "site" / "records").glob("*.json"))) == 2


def test_a_page_that_cannot_be_drawn_takes_no_other_with_it(
    records: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(page: Page, files: Mapping[str, str], calibrations: Calibrations) -> Drawn:
        if page.ground == pages[0].ground:
            raise ZeroDivisionError("\x1b[2J")
        return draw(page, files, calibrations)

    reading = read_folder(records)
    pages = pages_of(reading)
    monkeypatch.setattr("agfer_bench.leaderboard.site.draw", refuse)
    summary = build_site(reading, pages, tmp_path / "site")
    assert summary.pages == len(pages) - 1
    assert summary.records + len(summary.rejected) == len(reading.accepted)
    assert {one.path for one in summary.rejected} == set(pages[0].paths)
    assert "its page cannot be drawn: ZeroDivisionError" in summary.rejected[0].reason
    assert "its page cannot be drawn" in (tmp_path / "site" / "index.html").read_text()


def test_the_published_records_make_a_site(tmp_path: Path) -> None:
    _build(PUBLISHED, tmp_path / "site")
    files = (tmp_path / "site" / "pages").glob("*.html")
    pages = [file.read_text(encoding="utf-8") for file in files]
    drawn = ["drawn (synthetic) faces" in page for page in pages]
    assert any(drawn)
    assert not all(drawn), "some are of photographs"
    assert any("agfer-bench run" in page for page in pages)


@pytest.mark.slow
def test_a_thousand_records_within_a_minute(tmp_path: Path) -> None:
    """The issue's bar names the time."""
    make_records(tmp_path / "records", runs=1000, modules=10, protocols=3)
    began = time.perf_counter()
    _build(tmp_path / "records", tmp_path / "site")
    assert time.perf_counter() - began < MOST_SECONDS
    assert len(list((tmp_path / "site" / "records").glob("*.json"))) == 1000
