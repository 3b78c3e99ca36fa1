"""`agfer-bench calibrate`: a small run for real, and what is refused before any training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from agfer_bench.cli.app import app
from agfer_bench.errors import UserError
from agfer_bench.progress import Silent
from agfer_bench.records.files import load_run
from agfer_bench.run.studies.calibration import calibrate, modules_of
from agfer_bench.submissions.open import open_calibration
from tests.run.support import Runs, own

LEARNS: dict[str, Any] = {
    "epochs": 6,
    "learning_rate": 3e-3,
    "dropout": 0.0,
    "guidance": False,
    "curve_every": 6,
    "width": 0.05,
}
"""Settings with which the tiny networks tell all classes apart soon."""


def test_a_small_calibration(runs: Runs, count_jobs: list[str]) -> None:
    catalogue = own()
    settings = runs.settings(modules_of(2), catalogue=catalogue, seeds=2, **LEARNS)
    found, folder = calibrate(settings, catalogue, Silent())
    assert [one.label for one in found.networks] == ["base", "null", "null:k=2"]
    assert len(count_jobs) == 3 * 2 * 2
    assert folder.parent == settings.out
    assert open_calibration(folder) == found
    run = load_run(settings.out / found.run)
    assert [one.label for one in run.modules] == ["base", "null", "null:k=2"]
    assert all(one.speed is None for one in run.modules), "nothing is timed"
    hosts = {tuple(fold.host_weights_sha256 for fold in one.trainings) for one in run.modules}
    assert len(hosts) == 1, "all networks start from the same weights"
    ends = {fold.final_weights_sha256 for one in run.modules for fold in one.trainings}
    assert len(ends) == 12, "and rounding takes each elsewhere"
    assert not any(one.base_weights for one in found.networks[1:])

    again, same = calibrate(settings, catalogue, Silent())
    assert (again, same) == (found, folder)
    runs("base", seeds=2, timing="skip", **LEARNS)
    assert len(count_jobs) == 12, "nothing is trained twice, and base is shared with other runs"

    shown = CliRunner().invoke(app, ["report", str(folder)])
    assert shown.exit_code == 0
    assert "Verdicts on blocks that do nothing" in shown.stdout
    read = json.loads(CliRunner().invoke(app, ["report", str(folder), "--json"]).stdout)
    assert read["record"]["run"] == found.run


def test_one_training_of_each_fold_is_refused_before_any(runs: Runs, count_jobs: list[str]) -> None:
    catalogue = own()
    settings = runs.settings(modules_of(2), catalogue=catalogue)
    with pytest.raises(UserError, match="calibrate takes --seeds 2 or more"):
        calibrate(settings, catalogue, Silent())
    assert count_jobs == []
    assert not settings.out.exists()


@pytest.mark.parametrize("blocks", [-1, 0, 1, 1001])
def test_numbers_of_blocks_that_tell_nothing_are_refused(blocks: int) -> None:
    with pytest.raises(UserError, match=f"--blocks {blocks}: give a number from 2 to 1000"):
        modules_of(blocks)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--seeds", "1"], "calibrate takes --seeds 2 or more"),
        (["--blocks", "1"], "--blocks 1: give a number from 2"),
        (["--rope", "-1"], "--rope -1: give points from 0 to 100"),
        (["--rope", "nan"], "--rope nan: give points"),
    ],
)
def test_bad_input_on_the_command_line(words: list[str], message: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["calibrate", "--out", str(tmp_path / "out"), *words])
    assert isinstance(result.exception, UserError)
    assert message in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_folds_by_subject_without_subjects(blobs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "nobody"
    folder.mkdir()
    for place in blobs.iterdir():
        if place.is_dir():
            (folder / place.name).symlink_to(place)
    words = ["--data", f"image-folder={folder}", "--set", "crop=none", "--seeds", "2"]
    result = CliRunner().invoke(app, ["calibrate", "--out", str(tmp_path / "out"), *words])
    assert isinstance(result.exception, UserError)
    assert "subject" in str(result.exception)
    assert "--split image" in str(result.exception)
