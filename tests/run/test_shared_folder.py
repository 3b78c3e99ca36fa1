"""Processes that share an output folder: each job is done once, by one of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from agfer_bench.records.run import RunRecord
from tests.run.support import without_times
from tests.run.test_survival import drafts, forks, survive

pytestmark = pytest.mark.slow


@forks
def test_grids_that_overlap_do_each_job_once(blobs: Path, tmp_path: Path) -> None:
    grids = ["base,se,cbam", "base,se,cbam", "base,cbam,agfer"]
    found = survive("together", blobs, tmp_path, "shared", *grids)
    log = [line.split() for line in (tmp_path / "shared.log").read_text().splitlines()]
    trained = [words[1] for words in log if words[0] == "trained"]
    assert len(trained) == len(set(trained)) == 4 * 2, "four modules, two folds"
    out = tmp_path / "shared"
    assert {path.name for path in (out / "jobs").iterdir()} == set(trained)
    assert drafts(out) == []
    assert len(list(out.glob("quick-*"))) == 2, "equal commands have one folder"
    files = [tmp_path / f"shared-{child}.json" for child in found["children"]]
    records = [RunRecord.model_validate_json(file.read_text()) for file in files]
    one, other, third = map(without_times, records)
    assert one == other
    assert one["modules"][0]["folds"] == third["modules"][0]["folds"]
    assert one["modules"][2]["folds"] == third["modules"][1]["folds"]
