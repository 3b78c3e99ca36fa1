"""The section on the paper's claims: the published verdicts beside those on what was measured."""

from __future__ import annotations

import pandas as pd
import pytest

from agfer_bench.comparison.contrasts import Question, of_pairs
from agfer_bench.records.run import ModuleRecord
from agfer_bench.report.paper.claims import claim_section
from agfer_bench.report.paper.document import Section, Table
from agfer_bench.report.verdicts import entrants_of
from tests.report.studies import diagonal, fold, module, record, study, usual


def _table(section: Section, name: str) -> Table:
    return next(item for item in section.items if isinstance(item, Table) and item.name == name)


def _row(frame: pd.DataFrame, group: str, first: str, second: str) -> pd.Series:
    found = frame[(frame.group == group) & (frame["first"] == first) & (frame.second == second)]
    assert len(found) == 1
    return found.iloc[0]


def test_published_and_measured_stand_side_by_side() -> None:
    section = claim_section(study(usual(), usual(stride=32)))
    table = _table(section, "claim-table-4")
    one = _row(table.data, "stride 32", "AGFER", "CBAMFER")
    assert one.published_difference == pytest.approx(86.81 - 86.84)
    assert one.measured_difference == pytest.approx(-5)  # agfer 85, cbam 90 % in both folds
    assert one.measured_verdict == "not judged"
    assert any("agfer was trained once on each fold" in note for note in table.notes)
    assert {len(row) for row in table.rows} == {len(table.columns)}
    assert len(table.rows) == len(table.data) == 9


def test_modules_that_were_not_run_have_a_dash() -> None:
    table = _table(claim_section(study(usual())), "claim-figure-7")
    cells = next(row for row in table.rows if row[1] == "AGFER less SEFER")
    assert cells[3] == cells[-2] == cells[-1] == "–"
    assert cells[2] == "not distinguishable"
    assert cells[6] == "0.41"


def test_the_overall_of_table_2_beside_the_second_data_set() -> None:
    section = claim_section(study(usual()))
    one = _row(_table(section, "claim-table-2").data, "overall", "AGFER", "Base")
    assert one.published_verdict == "carries no test"
    assert pd.isna(one.published_low)
    # agfer: young 70 and 90, old 70 and 50 %; base: young 50, old 50 %.
    assert one.measured_difference == pytest.approx(20)
    assert any("rough bounds" in text for text in section.text)
    without = claim_section(study(usual(with_test=False)))
    assert not any("margins above" in text for text in without.text)
    assert _table(without, "claim-table-2").data.measured_verdict.isna().all()


def test_measured_verdicts_are_those_of_compare() -> None:
    """Three trainings of each fold; the pairs of the paper are one family."""

    def trained(label: str, right: int, *scatter: int) -> ModuleRecord:
        sets = [
            tuple(
                fold(n, diagonal(right + n + more, right, right, of=40)).model_copy(
                    update={"job": f"{label}{n}{s}"}
                )
                for n in range(2)
            )
            for s, more in enumerate(scatter)
        ]
        return module(label, sets[0], repeats=tuple(sets[1:]))

    modules = [
        trained("base", 10, 0, 1, 2),
        trained("agfer", 30, 0, 2, 1),
        trained("se", 31, 2, 0, 0),
    ]
    made = record(modules)
    made = made.model_copy(update={"protocol": made.protocol.model_copy(update={"seeds": 3})})
    data = _table(claim_section(study(made)), "claim-figure-7").data
    known = {one.label: one for one in entrants_of(made)}
    pairs = [("agfer", "se"), ("agfer", "base"), ("se", "base")]
    expected = of_pairs([(known[a], known[b]) for a, b in pairs], Question())
    names = {"agfer": "AGFER", "se": "SEFER", "base": "Base"}
    for contrast in expected:
        one = _row(data, "all emotions", names[contrast.first], names[contrast.second])
        assert one.measured_verdict == contrast.verdict
        assert one.measured_difference == pytest.approx(100 * contrast.estimate)
        assert contrast.interval is not None
        assert one.measured_low == pytest.approx(100 * contrast.interval[0])
    assert "ahead" in set(data.measured_verdict)
