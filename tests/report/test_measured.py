"""Derived numbers against values computed by hand from `studies.usual`."""

from __future__ import annotations

from math import sqrt

import pandas as pd
import pytest

from agfer_bench.report.paper.ages import age_section
from agfer_bench.report.paper.classes import class_section
from agfer_bench.report.paper.comparisons import method_section, stride_section
from agfer_bench.report.paper.confusions import confusion_section
from agfer_bench.report.paper.document import Section, Table
from agfer_bench.report.paper.efficiency import efficiency_section
from agfer_bench.report.paper.emotions import emotion_section
from agfer_bench.report.paper.fitting import fitting_section, overfit_section
from agfer_bench.report.paper.measured import Comparison, Spread, signed, spread
from agfer_bench.report.paper.published import Value, published
from tests.report.studies import record, study, usual


def table(section: Section, name: str) -> Table:
    return next(item for item in section.items if isinstance(item, Table) and item.name == name)


def row(frame: pd.DataFrame, **where: str | float) -> pd.Series:
    for column, value in where.items():
        frame = frame[frame[column] == value]
    assert len(frame) == 1
    return frame.iloc[0]


def test_spread() -> None:
    both = spread([0.5, 0.7], 100)
    assert both is not None
    assert (both.mean, both.n) == (60, 2)
    assert both.sd == pytest.approx(sqrt(200))
    assert spread([0.5]) == Spread(mean=0.5, sd=None, n=1)
    assert spread([float("nan")]) is None
    assert Spread(mean=-0.5, sd=0.25, n=2).text() == "−0.50 ± 0.25"


@pytest.mark.parametrize(
    ("measured", "sd", "within"),
    [(89.19, 0.75, True), (89.94, 0.75, True), (89.95, 0.75, False), (88.43, 0.75, False)],
)
def test_within_the_published_deviation(measured: float, sd: float, within: bool) -> None:
    one = Comparison(measured=spread([measured]), published=Value(mean=89.19, sd=sd))
    assert one.within is within
    assert one.cells()[3] == ("yes" if within else "no")


def test_nothing_lies_within_a_deviation_that_is_not_there() -> None:
    one = Comparison(measured=spread([58.0]), published=Value(mean=58.32))
    assert one.cells() == ("58.00", "58.32", "−0.32", "–")
    assert Comparison(measured=None, published=None).cells() == ("–",) * 4
    assert signed(-0.001) == "0.00"


def test_age_groups() -> None:
    result = table(age_section(study(usual())), "table-2")
    # agfer, young: fold 0 (0.8 + 0.6) / 2, fold 1 (0.9 + 0.9) / 2; old: 0.7 and 0.5.
    young = row(result.data, module="agfer", age_group="young")
    assert young["mean"] == pytest.approx(80)
    assert young["sd"] == pytest.approx(sqrt(200))
    assert young["published_mean"] == published().table_2.groups["young"]["agfer"].mean
    old = row(result.data, module="agfer", age_group="old")
    assert old["mean"] == pytest.approx(60)
    # Overall: fold 0 (0.7 + 0.7) / 2, fold 1 (0.9 + 0.5) / 2: the same, though both groups vary.
    overall = row(result.data, module="agfer", age_group="mean")
    assert (overall["mean"], overall["sd"]) == (pytest.approx(70), pytest.approx(0))
    cells = next(line for line in result.rows if line[:2] == ("agfer", "Mean"))
    assert cells[3].endswith("*")
    assert cells[5] == "not comparable"
    assert any("average" in note for note in result.notes)


def test_predictions_of_a_class_that_is_not_there() -> None:
    result = table(age_section(study(usual())), "table-2-absent-classes")
    # agfer says surprise 1 + 4 times in fold 0 and 1 + 1 + 5 times in fold 1, of 80 images.
    agfer = row(result.data, module="agfer", **{"class": "surprise"})
    assert (agfer["predicted"], agfer["images"]) == (12, 80)
    assert agfer["share_percent"] == 15
    assert row(result.data, module="base")["predicted"] == 0


def test_confusions_are_summed_over_folds_and_groups() -> None:
    figure_8, figure_9 = confusion_section(study(usual())).items
    assert figure_8.data is not None
    assert figure_9.data is not None
    cell = row(figure_8.data, module="agfer", true="anger", predicted="anger")
    assert (cell["images"], cell["row_percent"]) == (17, 85)
    cell = row(figure_9.data, module="agfer", true="anger", predicted="neutral")
    assert (cell["images"], cell["row_percent"]) == (1 + 6 + 0 + 5, 30)
    absent = row(figure_9.data, module="agfer", true="surprise", predicted="anger")
    assert absent["images"] == 0
    assert pd.isna(absent["row_percent"])


def test_emotions() -> None:
    data = table(emotion_section(study(usual())), "figure-7-table").data
    mean = row(data, module="agfer", emotion="mean")
    assert mean["mean"] == pytest.approx(85)
    assert mean["difference"] == pytest.approx(85 - 89.19)
    assert mean["within_published_sd"] is False
    neutral = row(data, module="agfer", emotion="neutral")
    assert neutral["published_mean"] == 58.32
    assert neutral["within_published_sd"] is None


def test_class_counts() -> None:
    section = class_section(study(usual()))
    training = table(section, "table-1-training")
    assert training.rows[0] == ("anger", "12", "1,790", "–", "10", "1,315", "−1,305", "16.67")
    assert training.rows[-1][0] == "all"
    assert any("10,256" in note for note in training.notes)
    losses = table(section, "table-1-losses")
    assert losses.rows[1][:5] == ("drawn-oulu", "lost in all", "6", "16.67", "10.41")
    # Three equal classes: each has a third, without deviation.
    assert losses.rows[2][3] == "33.33 ± 0.00"


def test_overfit() -> None:
    data = table(overfit_section(study(usual())), "over-fit").data
    # agfer: gaps 0.9 - 0.8 and 0; cbam: 1.0 - 0.9 in both folds.
    assert row(data, module="agfer")["gap_points"] == pytest.approx(5)
    assert not row(data, module="cbam")["within_limit"]
    assert row(data, module="base")["within_limit"]


def test_fitting_speed() -> None:
    rows = table(fitting_section(study(usual())), "fitting-speed").rows
    found = {line[:2]: line[2:] for line in rows}
    # base reaches 50 % in epochs 3 and 2, each of 2 s; 70 % in one fold only.
    assert found["50 %", "base"] == ("2.5 ± 0.7", "5.0 ± 1.4", "2 of 2 folds")
    assert found["70 %", "base"] == ("3.0", "6.0", "1 of 2 folds")
    # agfer: fold 0 epoch 2 after 4 s; fold 1, whose first epoch was not judged, epoch 2 after 8 s.
    assert found["50 %", "agfer"] == ("2.0 ± 0.0", "6.0 ± 2.8", "2 of 2 folds")
    assert found["90 %", "base"] == ("–", "–", "0 of 2 folds")
    assert found["90 %", "cbam"][0] == "1.0 ± 0.0"


def test_thresholds_that_nobody_reaches_are_left_out() -> None:
    base = usual().modules[0]
    rows = table(fitting_section(study(record([base], test=usual().test))), "fitting-speed").rows
    assert {line[0] for line in rows} == {"30 %", "50 %", "70 %"}


def test_strides_are_paired() -> None:
    first = usual()
    base = first.modules[0]
    swapped = base.model_copy(update={"folds": tuple(reversed(base.folds))})
    second = usual(stride=32)
    second = second.model_copy(update={"modules": (swapped, *second.modules[1:])})
    data = table(stride_section(study(first, second)), "table-4").data
    # The same folds in another order: paired by their images, nothing differs.
    change = row(data, module="base", stride="16 less 32")
    assert (change["mean"], change["sd"]) == (pytest.approx(0), pytest.approx(0))
    assert row(data, module="cbam", stride="32")["published_mean"] == 86.84


def test_cbam_less_agfer() -> None:
    data = table(efficiency_section(study(usual())), "cbam-over-agfer").data
    accuracy = row(data, quantity="accuracy, points")
    # Fold by fold: 90 - 80 and 90 - 90.
    assert accuracy["mean"] == pytest.approx(5)
    assert accuracy["sd"] == pytest.approx(sqrt(50))
    assert row(data, quantity="parameters, %")["mean"] == pytest.approx(0.5)
    assert row(data, quantity="layers")["published_mean"] == 12


def test_times() -> None:
    rows = table(efficiency_section(study(usual())), "efficiency-times").rows
    agfer = next(line for line in rows if line[0] == "agfer")
    # Median of 10, 20, 20, 30 ms; epochs of 2 s and of 4 s, three of each; 2 MB in fold 1.
    assert agfer[1:5] == ("50.0", "30", "+20.0", "20.00")
    assert agfer[5] == "0.15 ± 0.07"
    assert agfer[8] == "2.0 MB"


def test_other_approaches() -> None:
    result = table(method_section(study(usual())), "table-3")
    assert len(result.rows) == len(published().table_3.rows) + 1
    assert result.rows[-1] == ("agfer, this study", "85.00 ± 7.07", "measured")
    assert "not comparable" in result.notes[0]
