"""Ablations: shared folds, paired differences, nothing trained twice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from agfer_bench.errors import UserError
from agfer_bench.progress import Silent
from agfer_bench.report.ablation_table import Ablation, notes_of, rows_of, to_markdown
from agfer_bench.run.runner import run
from agfer_bench.run.studies.ablation import AXES, ablate, choose_axis, write
from tests.run.support import HEAD, Runs, own
from tests.run.test_runner import Make

pytestmark = pytest.mark.slow


def _ablate(runs: Runs, axis: str, modules: str = "base,se", *, seeds: int = 1) -> Ablation:
    return ablate(AXES[axis], runs.settings(modules, seeds=seeds), own(), Silent())


def test_guidance_is_compared_fold_by_fold(runs: Runs, count_jobs: list[str]) -> None:
    ablation = _ablate(runs, "guidance")
    assert len(count_jobs) == 2 * 2 * 2, "modules, folds, values"
    assert ablation.shares_folds
    rows = rows_of(ablation)
    assert [(row["module"], row["guidance"]) for row in rows] == [
        ("base", "off"),
        ("base", "on"),
        ("se", "off"),
        ("se", "on"),
    ]
    off, on = ablation.cells[2].module, ablation.cells[3].module
    by_hand = np.subtract(on.accuracies, off.accuracies)
    assert rows[3]["difference_folds_mean"] == pytest.approx(by_hand.mean())
    assert rows[3]["difference_folds_sd"] == pytest.approx(by_hand.std(ddof=1))
    assert rows[3]["subjects"] is None, "of one training nothing is said"
    assert rows[2]["difference_folds_mean"] is None, "the reference has no difference"
    _ablate(runs, "guidance")
    assert len(count_jobs) == 8, "what is done is not done again"


def test_the_values_are_read_as_the_protocol_reads_them(runs: Runs) -> None:
    ablation = ablate(choose_axis("stride", None), runs.settings("base"), own(), Silent())
    assert [record.protocol.stride for record, _ in ablation.runs] == [32, 16]
    assert rows_of(ablation)[1]["hz"] is not None, "stride moves speed, so it is timed"
    with pytest.raises(UserError, match="stride"):
        ablate(choose_axis("stride", "16,17"), runs.settings("base"), own(), Silent())


def test_places_are_those_of_the_host(runs: Runs) -> None:
    ablation = ablate(choose_axis("place", None), runs.settings("base,se"), own(), Silent())
    assert ablation.axis.values == ("stage", "conv", "relu")
    assert [record.protocol.slots for record, _ in ablation.runs] == [(2, 3, 4), (), ()]
    blocks = [cell.module.size.block_parameters for cell in ablation.cells if cell.module.size]
    assert blocks[3] < blocks[4] == blocks[5], "three stages, and thirteen convolutions"
    with pytest.raises(UserError, match="place=pre is for residual hosts"):
        ablate(choose_axis("place", "stage,pre"), runs.settings("se"), own(), Silent())


def test_splits_share_no_folds_and_are_compared_over_people_and_trainings(runs: Runs) -> None:
    once = _ablate(runs, "split", "base")
    assert not once.shares_folds
    row = rows_of(once)[1]
    assert (row["difference_folds_mean"], row["difference"]) == (None, None)
    assert any("Each fold was trained once" in line for line in notes_of(once))
    # Not a network, which after two epochs predicts a single class and is not judged.
    twice = _ablate(runs, "split", "hog-svm", seeds=2)
    row = rows_of(twice)[1]
    means = [np.mean(cell.module.accuracies) for cell in twice.cells]
    assert row["difference"] == pytest.approx(means[1] - means[0])
    assert any("no fold has a partner" in line for line in notes_of(twice))


def test_reduction_is_an_option_of_the_blocks(runs: Runs, count_jobs: list[str]) -> None:
    axis = replace(AXES["reduction"], values=("16", "4"))
    ablation = ablate(axis, runs.settings("base,se,cbam:shared_mlp=true"), own(), Silent())
    assert sorted(set(count_jobs)) == [
        "base",
        "cbam:reduction=4:shared_mlp=true",
        "cbam:shared_mlp=true",
        "se",
        "se:reduction=4",
    ]
    rows = rows_of(ablation)
    assert [row["module"] for row in rows] == ["base"] + ["se"] * 2 + ["cbam:shared_mlp=true"] * 2
    assert rows[2]["block_parameters"] > rows[1]["block_parameters"]
    with pytest.raises(UserError, match="none of the modules"):
        ablate(axis, runs.settings("base"), own(), Silent())
    with pytest.raises(UserError, match="sets reduction already"):
        ablate(axis, runs.settings("se:reduction=4"), own(), Silent())


def test_a_block_that_fails_leaves_the_rest(runs: Runs, plugin: Make) -> None:
    source = HEAD.format(forward="return x", build="raise OSError('busy')", name="bad")
    catalogue = own(plugin("bad-block", source))
    settings = runs.settings("base,bad", catalogue=catalogue)
    ablation = ablate(AXES["init"], settings, catalogue, Silent())
    rows = rows_of(ablation)
    assert rows[0]["accuracy_mean"] is not None
    assert rows[2]["accuracy_mean"] is None
    assert "bad-block: bad: build failed" in to_markdown(ablation)
    assert ablation.shares_folds, "a row without folds says nothing of the others"
    assert rows[1]["difference_folds_mean"] is not None


def test_tables_and_data_are_written(runs: Runs, tmp_path: Path) -> None:
    ablation = _ablate(runs, "init", "base")
    folder = write(ablation, tmp_path)
    assert write(ablation, tmp_path) == folder
    table = pd.read_csv(folder / "table.csv")
    assert table["init"].tolist() == ["glorot", "he"]
    assert json.loads((folder / "ablation.json").read_text())["axis"] == "init"
    text = (folder / "table.md").read_text()
    assert "initialisation" not in text.splitlines()[0], "the table itself tells"


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("gidance", None, "did you mean 'guidance'"),
        ("stride", "16", "needs two values"),
        ("stride", "16, 16,", "needs two values"),
    ],
)
def test_what_cannot_be_compared_is_refused(name: str, values: str | None, message: str) -> None:
    with pytest.raises(UserError, match=message):
        choose_axis(name, values)


def test_two_words_for_one_value_are_refused(runs: Runs) -> None:
    axis = choose_axis("guidance", "on,yes")
    with pytest.raises(UserError, match="two of them mean the same"):
        ablate(axis, runs.settings("base"), own(), Silent())


def test_what_collapsed_has_no_interval(runs: Runs) -> None:
    ablation = ablate(
        AXES["init"], runs.settings("base", epochs=1, learning_rate=1e-9), own(), Silent()
    )
    text = to_markdown(ablation)
    assert "predicts a single class" in text
    assert "Chance: 33.3 %" in text


def test_times_outlive_a_module_that_fails(runs: Runs, plugin: Make) -> None:
    source = HEAD.format(forward="return x", build="raise OSError('busy')", name="bad")
    catalogue = own(plugin("bad-block", source))
    first, folder = runs("base,bad", catalogue=catalogue, timing="keep")
    assert first.modules[0].speed is not None
    text = (folder / "record.json").read_bytes()
    for timing in ("keep", "skip"):
        again, _ = runs("base,bad", catalogue=catalogue, timing=timing)
        assert again == first
        assert (folder / "record.json").read_bytes() == text


def test_a_lost_file_of_predictions_is_written_again(runs: Runs) -> None:
    first, folder = runs("base", timing="keep")
    path = folder / "predictions.parquet"
    whole = path.read_bytes()
    for damage in (path.unlink, lambda: path.write_bytes(b"junk")):
        damage()
        again, _ = runs("base", timing="keep")
        assert path.read_bytes() == whole
        assert again.modules[0].folds == first.modules[0].folds


def test_fresh_does_each_job_once(runs: Runs, count_jobs: list[str]) -> None:
    settings = runs.settings("base", timing="keep", fresh=True)
    run(settings, own(), Silent())
    run(replace(settings, timing="skip"), own(), Silent())
    assert len(count_jobs) == 2
    run(runs.settings("base", fresh=True), own(), Silent())
    assert len(count_jobs) == 4


def test_a_kept_run_is_not_timed_again(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    first, folder = runs("base,se", timing="keep")
    text = (folder / "record.json").read_bytes()
    monkeypatch.setattr(
        "agfer_bench.run.costs.measure_speed", lambda *_, **__: pytest.fail("timed again")
    )
    again, _ = runs("base,se", timing="keep")
    assert again == first
    assert (folder / "record.json").read_bytes() == text
    skipped, _ = runs("base,se", timing="skip")
    assert skipped == first, "times that are there are kept"
    without, _ = runs("base", timing="skip")
    assert without.modules[0].speed is None
    assert without.modules[0].size is not None
