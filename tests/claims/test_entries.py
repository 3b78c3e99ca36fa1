"""The shipped claims against a second transcription of the paper, and what they can carry.

Transcribed table by table, as the paper prints them: Arabian et al. (2023), Appl. Sci. 13, 10179.
"""

from __future__ import annotations

import re
import statistics

import pytest

from agfer_bench.claims.judge import JudgedClaim, RowPair, judge
from agfer_bench.claims.model import Row
from agfer_bench.claims.read import names, shipped
from agfer_bench.report.claim_table import notes_of
from agfer_bench.report.paper.published import published

TABLE_2 = """
AGFER Base SEFER CBAMFER
young   49.60 ± 0.95  17.35 ± 0.45  43.95 ± 8.89  48.81 ± 3.36
middle  48.50 ± 1.30  18.07 ± 0.43  41.80 ± 7.57  46.57 ± 4.71
old     41.40 ± 1.92  20.17 ± 0.50  35.70 ± 4.66  40.56 ± 6.92
overall 46.50 ± 1.39  18.53 ± 0.46  40.48 ± 7.04  45.31 ± 5.00
"""
TABLE_4 = """
AGFER SEFER CBAMFER
stride_32 86.81 ± 0.64  86.00 ± 0.74  86.84 ± 1.69
stride_16 89.19 ± 0.75  88.73 ± 0.91  89.77 ± 0.70
"""
FIGURE_7 = """
AGFER SEFER CBAMFER Base
neutral       58.32         57.95         58.53
all_emotions  89.19 ± 0.75  88.73 ± 0.91  89.77 ± 0.70  19.76 ± 2.49
"""
TABLE_3 = [81.46, 84.17, 84.59, 84.72, 86.23, 87.71, 88.98, 89.19]


def _printed(table: str) -> dict[tuple[str, str], tuple[float, float | None]]:
    head, *lines = table.strip().splitlines()
    found = {}
    for line in lines:
        group, rest = line.split(maxsplit=1)
        cells = re.findall(r"([\d.]+)(?: ± ([\d.]+))?", rest)
        for name, (mean, sd) in zip(head.split(), cells, strict=False):
            found[group.replace("_", " "), name] = (float(mean), float(sd) if sd else None)
    return found


def _judged(name: str, rope: float = 0.01) -> JudgedClaim:
    return judge(name, shipped(name), rope)


def _pair(judged: JudgedClaim, group: str, first: str, second: str) -> RowPair:
    return next(
        pair
        for pair in judged.pairs
        if (pair.group, pair.first, pair.second) == (group, first, second)
    )


def _p(judged: JudgedClaim, group: str, first: str, second: str) -> float:
    difference = _pair(judged, group, first, second).difference
    assert difference is not None
    return difference.p


@pytest.mark.parametrize(
    ("name", "table", "cells"),
    [("table-2", TABLE_2, 16), ("table-4", TABLE_4, 6), ("figure-7", FIGURE_7, 7)],
)
def test_entries_are_as_printed(name: str, table: str, cells: int) -> None:
    printed = _printed(table)
    rows = shipped(f"agfer-{name}").rows
    assert len(printed) == len(rows) == cells
    assert {(row.group, row.name): (row.mean, row.plus_minus) for row in rows} == printed


def test_table_3_is_as_printed() -> None:
    assert [row.mean for row in shipped("agfer-table-3").rows] == TABLE_3


@pytest.mark.parametrize("name", names())
def test_each_entry_says_where_it_stands(name: str) -> None:
    claim = shipped(name)
    assert published().doi in claim.source
    assert re.match(r"(Table|Figure) \d", claim.place)
    if claim.design.n is not None:
        assert claim.design.n == published().folds


def test_modules_go_by_the_labels_of_this_project() -> None:
    labels = {"AGFER": "agfer", "SEFER": "se", "CBAMFER": "cbam", "Base": "base"}
    rows: list[Row] = [row for name in names() for row in shipped(name).rows if row.module]
    assert len(rows) == 30
    assert all(row.module == labels.get(row.name, "agfer") for row in rows), (
        "the last row of table 3 is AGFER as well"
    )


def test_the_remark_on_speed_names_the_papers_epochs() -> None:
    fitting = published().fitting
    (remark,) = [one for one in shipped("agfer-figure-7").remarks if "epochs" in one]
    assert f"{fitting.epochs} epochs" in remark
    assert f"after {fitting.base_long_epochs}" in remark


@pytest.mark.parametrize("name", ["agfer-figure-7", "agfer-table-2", "agfer-table-4"])
def test_what_the_paper_does_not_state_is_said(name: str) -> None:
    """How often a segment was trained, what the printed ± is, and which rows shared segments."""
    design = shipped(name).design
    assert design.seeds is None
    assert not design.plus_minus_stated
    notes = notes_of(_judged(name))
    assert any("not the source's word" in line for line in notes.test)
    assert any("How often each fold was trained is not stated" in line for line in notes.design)
    assert any("Once is the likely reading" in line for line in notes.remarks)
    assert any("does not say that all models" in line for line in notes.remarks)


def test_naive_to_the_second_data_set_is_no_choice_beforehand() -> None:
    """Not trained on it: that is all which section 3.2 says."""
    assert shipped("agfer-table-2").design.validation_set is None


def test_table_4_does_not_tell_agfer_from_se_or_cbam() -> None:
    """The two p values that are known of it: 0.41 and 0.24."""
    judged = _judged("agfer-table-4")
    assert round(_p(judged, "stride 16", "AGFER", "SEFER"), 2) == 0.41
    assert round(_p(judged, "stride 16", "AGFER", "CBAMFER"), 2) == 0.24
    within = [pair for pair in judged.pairs if (pair.group or "").startswith("stride")]
    assert len(within) == 6
    assert {pair.finding for pair in within} == {"not distinguishable"}


def test_table_4_across_strides() -> None:
    judged = _judged("agfer-table-4")
    p = [_p(judged, name, "stride 16", "stride 32") for name in ("AGFER", "CBAMFER")]
    assert [round(value, 3) for value in p] == [0.001, 0.014]


def test_the_overall_of_table_2_carries_no_test() -> None:
    """Its means and its ± are the averages of the three above it: no deviation over networks."""
    claim, judged = shipped("agfer-table-2"), _judged("agfer-table-2")
    overall = [pair for pair in judged.pairs if pair.group == "overall"]
    assert len(overall) == 6
    assert {pair.finding for pair in overall} == {"carries no test"}
    assert all(pair.difference is None and pair.interval is None for pair in overall)
    for name in ("AGFER", "Base", "SEFER", "CBAMFER"):
        rows = {row.group: row for row in claim.rows if row.name == name}
        groups = [rows[group] for group in ("young", "middle", "old")]
        of_groups = [row.plus_minus or 0 for row in groups]
        assert statistics.mean(of_groups) == pytest.approx(rows["overall"].plus_minus, abs=0.0051)
        means = [row.mean for row in groups]
        assert statistics.mean(means) == pytest.approx(rows["overall"].mean, abs=0.0051)


def test_within_the_old_group_one_pair_would_pass_alone() -> None:
    pair = _pair(_judged("agfer-table-2"), "old", "AGFER", "SEFER")
    assert pair.difference is not None
    assert round(pair.difference.p, 4) == 0.0497
    assert pair.finding == "not distinguishable", "after the correction for 18 pairs"
    assert pair.pairs == 18


def test_table_3_carries_no_test() -> None:
    assert {pair.finding for pair in _judged("agfer-table-3").pairs} == {"carries no test"}


def test_figure_7_tells_base_from_the_others_and_not_the_others_apart() -> None:
    found = {
        (pair.first, pair.second): pair.finding
        for pair in _judged("agfer-figure-7").pairs
        if pair.group == "all emotions"
    }
    assert {pair for pair, finding in found.items() if finding == "ahead"} == {
        ("AGFER", "Base"),
        ("SEFER", "Base"),
        ("CBAMFER", "Base"),
    }
    assert set(found.values()) == {"ahead", "not distinguishable"}
