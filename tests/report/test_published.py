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


def test_unknown_keys_are_errors() -> None:
    with pytest.raises(ValidationError, match="extra"):
        Published.model_validate({**KNOWN.model_dump(), "extra": 1})
