"""Derived numbers against values computed by hand from `studies.usual`."""

from __future__ import annotations

from math import sqrt

import pandas as pd
import pytest
from scipy import stats

from agfer_bench.records.run import RunRecord
from agfer_bench.report.paper.ages import age_section
from agfer_bench.report.paper.build import build_document
from agfer_bench.report.paper.classes import class_section
from agfer_bench.report.paper.comparisons import method_section, stride_section
from agfer_bench.report.paper.confusions import confusion_section
from agfer_bench.report.paper.document import Plate, Section, Table
from agfer_bench.report.paper.efficiency import efficiency_section
from agfer_bench.report.paper.emotions import emotion_section
from agfer_bench.report.paper.fitting import fitting_section, overfit_section
from agfer_bench.report.paper.measured import Comparison, signed, spread
from agfer_bench.report.paper.published import Value, published
from agfer_bench.report.paper.welch import Spread, welch
from tests.report.studies import diagonal, fold, module, record, study, usual


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


def test_the_interval_is_that_of_welchs_test_on_the_values() -> None:
    """SciPy's test of the values themselves: an independent way to the same interval."""
    ours, theirs = [86.0, 88.5, 91.0], [88.4, 89.9, 89.0, 89.6, 90.3]
    printed = spread(theirs)
    assert printed is not None
    one = Comparison(
        measured=spread(ours), published=Value(mean=printed.mean, sd=printed.sd), folds=5
    )
    found, exact = one.interval, stats.ttest_ind(ours, theirs, equal_var=False)
    assert found is not None
    assert (found.low, found.high) == pytest.approx(exact.confidence_interval(0.95))
    assert found.p == pytest.approx(exact.pvalue)
    assert one.cells()[3] == f"{found.low:.2f} to {found.high:.2f}".replace("-", "−")
    assert one.data()["difference_low"] == found.low
    assert one.data()["published_n"] == 5


@pytest.mark.parametrize(
    ("measured", "sd", "folds"),
    [([58.0, 59.0], None, 5), ([58.0], 0.7, 5), ([58.0, 59.0], 0.7, None), ([58.0] * 2, 0.0, 5)],
)
def test_where_there_is_no_interval(
    measured: list[float], sd: float | None, folds: int | None
) -> None:
    one = Comparison(
        measured=spread(measured), published=Value(mean=58.32, sd=sd), folds=folds, marked=True
    )
    assert one.interval is None
    assert one.cells()[3] == "no interval"
    assert one.cells()[1].endswith("*")
    assert one.data()["difference_low"] is None


def test_nothing_stands_beside_what_is_not_there() -> None:
    assert Comparison(measured=None, published=None, folds=5).cells() == ("–",) * 4
    unknown = Comparison(measured=spread([1.0, 2.0]), published=None, folds=5, marked=True)
    assert unknown.cells() == ("1.50 ± 0.71", "–", "–", "–")
    assert signed(-0.001) == "0.00"


def test_margins_on_faces() -> None:
    """What the printed deviations can carry: shared/science.md has the two intervals."""
    result = table(age_section(study(usual())), "table-2-margins")
    se, cbam = (next(line for line in result.rows if line[0] == f"agfer less {n}") for n in
                ("se", "cbam"))  # fmt: skip
    assert cbam[1:4] == ("1.19", "−4.93 to 7.31", "0.63")
    assert se[1:4] == ("6.02", "−2.64 to 14.68", "0.13")
    # No se in this run; cbam is right everywhere but in the old of class neutral (1/2 there).
    assert se[4:] == ("–", "–")
    row_ = row(result.data, pair="agfer less cbam")
    assert (row_["mean"], row_["n"]) == (pytest.approx(70 - 75), 2)
    assert row_["difference"] == pytest.approx(-5 - 1.19)
    both = result.rows[-1]
    assert both[0] == "agfer less mean of se and cbam"
    assert both[1:4] == ("3.60", "no interval", "–")
    assert any("over se and cbam hold 0" in note for note in result.notes)


def test_the_mean_margin_is_taken_fold_by_fold() -> None:
    first = usual()
    base = first.modules[0].model_copy(update={"label": "se"})
    one = first.model_copy(update={"modules": (*first.modules, base)})
    data = table(age_section(study(one)), "table-2-margins").data
    mean = row(data, pair="agfer less mean of se and cbam")
    # agfer 70 in both folds; se 50 and cbam 75 in both.
    assert (mean["mean"], mean["sd"]) == (pytest.approx(7.5), pytest.approx(0))


def _seeded() -> RunRecord:
    """Build a run of two seeds: accuracies of agfer 0.8, 0.9 with the first, 0.6, 0.9 then."""
    again = [fold(0, diagonal(6, 6, 6)), fold(1, diagonal(9, 9, 9))]
    first = [fold(0, diagonal(8, 8, 8)), fold(1, diagonal(9, 9, 9))]
    agfer = module("agfer", first, repeats=(tuple(again),))
    failed = module("cbam", first, repeats=(tuple(again[:1]),))
    one = record([agfer, failed])
    protocol = one.protocol.with_settings({"seeds": 2})
    return one.model_copy(update={"protocol": protocol})


def test_seeds_are_averaged_within_folds() -> None:
    data = table(emotion_section(study(_seeded())), "figure-7-table").data
    mean = row(data, module="agfer", emotion="mean")
    # Folds: (80 + 60) / 2 and 90. Two values, not four.
    assert (mean["mean"], mean["n"]) == (pytest.approx(80), 2)
    assert mean["sd"] == pytest.approx(sqrt(200))
    lacking = row(data, module="cbam", emotion="mean")
    assert lacking["n"] == 0, "a training is missing"
    assert pd.isna(lacking["mean"])
    figure_8 = confusion_section(study(_seeded())).items[0]
    assert isinstance(figure_8, Plate)
    assert "2 folds and 2 seeds, so that each image counts 2 times" in figure_8.caption
    assert figure_8.data is not None
    assert row(figure_8.data, true="anger", predicted="anger")["images"] == 8 + 9 + 6 + 9
    assert any("2 seeds" in note for note in build_document(study(_seeded())).notes)


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
    # Folds 70 and 70, printed 46.50 ± 1.39 over five: only the printed deviation counts.
    half = stats.t.ppf(0.975, 4) * 1.39 / sqrt(5)
    assert cells[5] == f"{23.5 - half:.2f} to {23.5 + half:.2f}"
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
    # Folds 80 and 90, printed 89.19 ± 0.75 over five: Welch's degrees of freedom are near 1.
    exact = welch(Spread(mean=85, sd=sqrt(50), n=2), Spread(mean=89.19, sd=0.75, n=5))
    assert exact is not None
    assert mean["difference_low"] == pytest.approx(exact.low)
    assert exact.high - exact.low > 2 * 12 * sqrt(25)
    neutral = row(data, module="agfer", emotion="neutral")
    assert neutral["published_mean"] == 58.32
    assert pd.isna(neutral["difference_low"])


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
