"""The published numbers hang together as the paper's own arithmetic does."""

from __future__ import annotations

import statistics

import pytest
from pydantic import ValidationError

from agfer_bench.protocol import load_preset
from agfer_bench.report.paper.published import DataSet, Published, published

KNOWN = published()


def test_original_counts_do_not_add_up_to_the_printed_total() -> None:
    training = KNOWN.table_1.training
    assert sum(training.before.values()) == 10_256
    assert training.before_total == 10_379
    test = KNOWN.table_1.test
    assert sum(test.before.values()) == test.before_total == 2052


@pytest.mark.parametrize(
    ("data", "total"), [(KNOWN.table_1.training, 9299), (KNOWN.table_1.test, 1872)]
)
def test_counts_after_cropping(data: DataSet, total: int) -> None:
    assert sum(data.after.values()) == data.after_total == total
    lost = 100 * (data.before_total - data.after_total) / data.before_total
    assert lost == pytest.approx(data.loss, abs=0.005)
    shares = [100 * images / total for images in data.after.values()]
    assert statistics.mean(shares) == pytest.approx(data.share.mean, abs=0.005)
    assert data.share.sd is not None
    assert statistics.stdev(shares) == pytest.approx(data.share.sd, abs=0.006)


@pytest.mark.parametrize("module", ["agfer", "base", "se", "cbam"])
def test_overall_deviation_is_the_mean_of_three(module: str) -> None:
    groups = [values[module] for values in KNOWN.table_2.groups.values()]
    overall = KNOWN.table_2.overall[module]
    assert len(groups) == 3
    assert statistics.mean(one.mean for one in groups) == pytest.approx(overall.mean, abs=0.0051)
    assert overall.sd is not None
    deviations = [one.sd for one in groups if one.sd is not None]
    assert statistics.mean(deviations) == pytest.approx(overall.sd, abs=0.0051)


def test_numbers_that_stand_twice_agree() -> None:
    mean = KNOWN.figure_7.mean
    assert {name: mean[name] for name in ("agfer", "se", "cbam")} == KNOWN.table_4.strides["16"]
    assert KNOWN.table_3.rows[-1].accuracy == mean["agfer"].mean
    assert KNOWN.fitting.base_accuracy == mean["base"].mean
    assert KNOWN.fitting.epochs == load_preset("paper").epochs


def test_margins_on_faces_are_those_of_table_2() -> None:
    """The paper prints them as per cent; they are points of its overall means."""
    margins, overall = KNOWN.faces_margins, KNOWN.table_2.overall
    assert set(margins.over) == {"base", "se", "cbam"}
    for other, points in margins.over.items():
        assert overall["agfer"].mean - overall[other].mean == pytest.approx(points, abs=1e-9)
    mean = (margins.over["se"] + margins.over["cbam"]) / 2
    assert mean == pytest.approx(margins.over_attention, abs=0.0051)


def _less(reduction: int) -> int:
    """Parameters that CBAM's blocks have more than AGFER's, from equations 3 to 9, 7 classes."""
    total = 0
    for channels in (128, 256, 512):
        hidden = channels // reduction
        mlp = 2 * channels * hidden + hidden + channels
        # Two MLPs and a 7 x 7 convolution of two maps; one MLP, 3 x 3 to 8 maps and 3 x 3 to 1.
        total += (2 * mlp + 2 * 49 + 1) - (mlp + 9 * 8 + 8 + 9 * 8 + 1)
    return total


@pytest.mark.parametrize(
    ("reduction", "of", "printed"),
    [(2, 442_570_567, True), (3, 442_570_567, True), (4, 442_570_567, False),
     (4, KNOWN.efficiency.base_parameters, True), (8, KNOWN.efficiency.base_parameters, True),
     (2, KNOWN.efficiency.base_parameters, False), (16, KNOWN.efficiency.base_parameters, False)],
)  # fmt: skip
def test_which_reductions_fit_the_printed_share(reduction: int, of: int, printed: bool) -> None:
    """What the report and docs/protocol.md say of R."""
    share = 100 * _less(reduction) / of
    assert (round(share, 1) == KNOWN.cbam_over_agfer.parameters) is printed
    if of == KNOWN.efficiency.base_parameters and printed:
        assert share == pytest.approx({4: 0.125, 8: 0.063}[reduction], abs=5e-4)


def test_unknown_keys_are_errors() -> None:
    with pytest.raises(ValidationError, match="extra"):
        Published.model_validate({**KNOWN.model_dump(), "extra": 1})
