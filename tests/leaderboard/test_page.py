"""What a page says, in HTML, Markdown and JSON: only what was tested, and what is missing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from agfer_bench.leaderboard.charts import Chart
from agfer_bench.leaderboard.grouping import pages_of
from agfer_bench.leaderboard.pages import Calibrations, Drawn, draw
from agfer_bench.leaderboard.site import build_site
from agfer_bench.records.run import RunRecord
from agfer_bench.submissions.model import Reading, Submission
from tests.leaderboard.generated import DEVICES, make_run

SKILLS = {"base": 0.5, "good": 0.62, "same": 0.5, "hog": 0.75}


def _reading(*records: RunRecord) -> Reading:
    submissions = [Submission(path=f"{n}/record.json", record=r) for n, r in enumerate(records)]
    return Reading(accepted=tuple(submissions), rejected=())


def _draw(*records: RunRecord, calibrations: Calibrations | None = None) -> Drawn:
    (page,) = pages_of(_reading(*records))
    files = {path: f"records/{path[0]}.json" for path in page.paths}
    return draw(page, files, calibrations)


def _site(folder: Path, *records: RunRecord, calibrations: Calibrations | None = None) -> Path:
    reading = _reading(*records)
    build_site(reading, pages_of(reading), folder / "site", calibrations)
    return folder / "site"


def _html(site: Path) -> str:
    (page,) = (site / "pages").glob("*.html")
    return page.read_text(encoding="utf-8")


def _rows(table: str) -> list[list[str]]:
    """Return the cells of the body's rows, as text."""
    rows = re.findall(r"<tr.*?</tr>", table[table.index("<tbody") :], re.DOTALL)
    cells = [re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL) for row in rows]
    return [[" ".join(re.sub("<[^>]+>", " ", one).split()) for one in row] for row in cells]


@pytest.fixture(scope="module")
def run() -> RunRecord:
    return make_run(SKILLS)


@pytest.fixture(scope="module")
def once() -> RunRecord:
    return make_run(SKILLS | {"new": 0.9}, seeds=1, draw=1, hours=5, device=1)


def test_rows_that_are_not_judged_stand_apart(
    run: RunRecord, once: RunRecord, tmp_path: Path
) -> None:
    site = _site(tmp_path, run, once)
    rows = _rows(_html(site))
    names = [row[0] for row in rows]
    assert names[:2] == ["hog classifier", "good"]
    assert sorted(names[2:4]) == ["base", "same"]
    assert names[4:] == ["Not judged: trained once on each fold", "new"]
    assert rows[-1][2:5] == ["–", "–", "–"], "neither interval, verdict nor rank"
    assert all(" to " in row[2] for row in rows[:4])
    markdown = (site / "leaderboard.md").read_text(encoding="utf-8")
    table, apart = markdown.split("### Not judged")
    assert "`new`" not in table
    assert "`trained once on each fold`" in apart


def test_one_kind_of_interval_told_at_the_head(run: RunRecord, tmp_path: Path) -> None:
    html = _html(_site(tmp_path, run))
    assert html.count("over 60 subjects and trainings</span>") == 1
    assert "over 5 folds" not in html
    few = _html(_site(tmp_path, make_run(SKILLS, subjects=5)))
    assert few.count("over 5 folds and trainings</span>") == 1


def test_one_training_is_never_best(once: RunRecord, tmp_path: Path) -> None:
    site = _site(tmp_path, once)
    html, index = _html(site), (site / "index.html").read_text(encoding="utf-8")
    listing = json.loads((site / "leaderboard.json").read_text(encoding="utf-8"))["pages"][0]
    markdown = (site / "leaderboard.md").read_text(encoding="utf-8")
    for text in (html, index, markdown):
        assert not re.search(r"<strong|\*\*|class=\"[^\"]*(best|ahead)|\bbest\b", text, re.I)
    assert not re.search(r"data-column=\"(low|against|rank|tier)\"", html)
    assert "95 % interval" not in markdown
    for row in listing["rows"]:
        assert not row["judged"]
        assert [row[name] for name in ("interval", "against_base", "rank", "tier")] == [None] * 4
    assert listing["differences"] == []
    assert "not judged" in _rows(index)[0][-1]
    names = [chart.name for chart in _draw(once).charts]
    assert names == ["latency", "parameters", "recalls", "confusions", "curves"]


def test_the_index_tells_how_many_are_judged_and_who_is_ahead(
    run: RunRecord, once: RunRecord, tmp_path: Path
) -> None:
    index = (_site(tmp_path, run, once) / "index.html").read_text(encoding="utf-8")
    (row,) = _rows(index)
    assert row[2:] == ["5", "4", "2", "good"]


def test_times_are_told_for_each_device(run: RunRecord, once: RunRecord) -> None:
    page = _draw(run, once).listing
    assert [name.split(",")[0] for name in page.devices] == [DEVICES[1][1], DEVICES[0][1]]
    rows = {row.name: row for row in page.rows}
    assert [one.device for one in rows["good"].times] == [0, 1]
    assert [one.device for one in rows["new"].times] == [0]
    newest, older = rows["good"].times
    speeds = [record.modules[1].speed for record in (once, run)]
    assert [newest.latency_ms, older.latency_ms] == [
        pytest.approx(speed.median_ms, abs=1e-6) for speed in speeds if speed
    ]
    assert newest.record == rows["good"].record == "records/1.json"
    assert rows["good"].others == ("records/0.json",)
    assert (rows["good"].trainings, rows["new"].trainings) == (4, 1)


def test_the_page_has_a_place_for_its_own_calibration(run: RunRecord, tmp_path: Path) -> None:
    line = "12 blocks that do nothing: none ahead <b>"
    ours = (run.protocol.ground, run.data.fingerprint)
    assert _draw(run).listing.calibration == ()
    assert _draw(run, calibrations={("x", ours[1]): [line]}).listing.calibration == ()
    site = _site(tmp_path, run, calibrations={ours: [line]})
    assert "12 blocks that do nothing: none ahead &lt;b&gt;" in _html(site)
    assert "12 blocks that do nothing" in (site / "leaderboard.md").read_text(encoding="utf-8")


def test_facts_of_a_page_tell_nothing_that_its_records_differ_in(
    run: RunRecord, once: RunRecord
) -> None:
    page = _draw(run, once).listing
    assert "seeds" not in page.settings
    assert "seed" not in dict(page.facts)["Training"]
    assert "seeds" not in page.changes


def _chart(drawn: Drawn, name: str) -> Chart:
    return next(chart for chart in drawn.charts if chart.name == name)


def _traces(chart: Chart) -> list[dict[str, Any]]:
    return [trace.to_plotly_json() for trace in chart.choices[0].traces]


def test_the_chart_against_base_draws_the_adjusted_intervals(run: RunRecord) -> None:
    drawn = _draw(run)
    page = drawn.listing
    found = {}
    for trace in _traces(_chart(drawn, "base")):
        reach = zip(trace["error_x"]["arrayminus"], trace["error_x"]["array"], strict=True)
        for name, x, (low, high) in zip(trace["y"], trace["x"], reach, strict=True):
            found[name] = (trace["name"], x - low, x + high)
    assert set(found) == {"good", "same"}
    for row in page.rows:
        if row.against_base and row.against_base.interval:
            verdict, low, high = found[row.name]
            assert verdict == row.against_base.verdict
            ends = [100 * end for end in row.against_base.interval]
            assert [low, high] == pytest.approx(ends, abs=0.01)


def test_only_judged_points_have_bars_names_and_a_line(run: RunRecord, once: RunRecord) -> None:
    drawn = _draw(run, once)
    judged, apart, line = _traces(_chart(drawn, "parameters"))
    assert judged["text"] == ["good", *judged["text"][1:]]
    assert all(judged["error_y"]["array"])
    assert apart["text"] == ["new"]
    assert apart["mode"] == "markers"
    assert apart["error_y"]["array"] == [None]
    assert set(line["y"]) <= set(judged["y"])


def test_the_matrix_of_pairs_marks_verdicts(run: RunRecord) -> None:
    (trace,) = _traces(_chart(_draw(run), "pairs"))
    place = {name: number for number, name in enumerate(trace["x"])}
    assert trace["text"][place["good"]][place["base"]].endswith("*")
    assert trace["text"][place["base"]][place["good"]].endswith("*")
    assert not trace["text"][place["base"]][place["same"]].endswith("*")


def test_tiers_are_told_where_there_are_several(run: RunRecord, tmp_path: Path) -> None:
    assert _draw(run).listing.tiers == 3
    html = _html(_site(tmp_path, run))
    assert html.count('class="edge"') == 2
    few = make_run({"base": 0.5, "same": 0.5})
    assert _draw(few).listing.tiers == 1
    html = _html(_site(tmp_path / "few", few))
    assert 'class="edge"' not in html
    assert 'data-column="tier"' not in html
