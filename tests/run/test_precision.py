"""bf16 beside fp32 on drawn faces: other roundings, the same accuracy."""

from __future__ import annotations

import statistics
from dataclasses import replace
from pathlib import Path

import pytest

from agfer_bench.faces.data import DataSource
from agfer_bench.faces.mask import default_mask
from agfer_bench.plugin.options import parse_choice
from agfer_bench.progress import Silent
from agfer_bench.protocol import load_preset
from agfer_bench.run.runner import run
from tests.run.support import Runs, own

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("drawn")


def test_accuracies_agree_within_a_standard_deviation(runs: Runs, cache: Path) -> None:
    catalogue = own()
    drawn = catalogue.choose_dataset(parse_choice("synthetic:subjects=30"))
    source = DataSource(
        chosen=drawn, folder=None, readers=catalogue.datasets, cascades=None, cache=cache, workers=2
    )
    protocol = load_preset("quick").with_settings({"epochs": 24, "curve_every": 0, "seeds": 1})
    settings = replace(
        runs.settings("base", timing="skip"),
        source=source,
        mask=default_mask(protocol.image_size),
    )
    found = {}
    for precision in ("fp32", "bf16"):
        one = replace(settings, protocol=protocol.with_settings({"precision": precision}))
        found[precision], _ = run(one, catalogue, Silent())
    for fp32, bf16 in zip(found["fp32"].modules, found["bf16"].modules, strict=True):
        means = [statistics.mean(module.accuracies) for module in (fp32, bf16)]
        spread = statistics.stdev(fp32.accuracies)
        assert means[0] > 2 / 7, f"{fp32.label} learns: chance is 1/7"
        assert abs(means[0] - means[1]) <= spread, fp32.label
        assert fp32.folds[0].history != bf16.folds[0].history
