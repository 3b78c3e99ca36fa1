"""`agfer-bench converge`: a small run for real, and what is refused before any training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from agfer_bench.cli.app import app
from agfer_bench.errors import UserError
from agfer_bench.progress import Silent
from agfer_bench.protocol import load_preset
from agfer_bench.records.files import load_run
from agfer_bench.run.studies.convergence import Asked, converge, long_protocol, read_accuracies
from agfer_bench.training.loop import rate_factor
from tests.run.support import Runs, own

LEARNS: dict[str, Any] = {
    "epochs": 8,
    "learning_rate": 3e-3,
    "dropout": 0.0,
    "guidance": False,
    "width": 0.05,
    "warmup": 0.5,
}
"""Settings with which the tiny networks tell all classes apart soon."""


def test_a_small_comparison(runs: Runs, others: Path, count_jobs: list[str]) -> None:
    catalogue = own()
    settings = runs.settings("base,se", catalogue=catalogue, test=others, seeds=2, **LEARNS)
    settings = replace(settings, threads=1)  # more only wait for each other on networks so small
    found, name = converge(settings, catalogue, Silent(), Asked(cap=24))
    assert (found.epochs, found.cap) == (8, 24)
    assert len(count_jobs) == 2 * 2 * 2
    run = load_run(settings.out / name)
    assert run == found.record
    assert all(module.speed is None for module in run.modules), "nothing is timed"
    assert run.test is None, "nor tested on a second set"
    assert (run.protocol.schedule, run.protocol.curve_every) == ("constant", 1)
    assert run.protocol.warmup * 24 == pytest.approx(4, abs=0.01), (
        "the warm-up has as many epochs as before"
    )
    for module in run.modules:
        for fold in module.trainings:
            assert len(fold.history) == 24
            assert all(epoch.validation_accuracy is not None for epoch in fold.history)
    curve = found.networks[1].curves[1][0]
    assert curve.accuracy_E[-1] == run.modules[1].folds[1].accuracy
    again, _ = converge(settings, catalogue, Silent(), Asked(cap=24, to=(0.8,)))
    assert len(count_jobs) == 8, "nothing is trained again for other accuracies"
    assert again.accuracies == (0.8,)


def test_the_long_protocol_is_the_ordinary_one_until_its_warm_up_ends() -> None:
    usual = load_preset("quick")
    long = long_protocol(usual)
    assert long.epochs == 3 * usual.epochs
    steps = 12 * usual.epochs
    rising = round(usual.warmup * steps)
    for step in range(rising):
        assert rate_factor(step, steps=3 * steps, protocol=long) == pytest.approx(
            rate_factor(step, steps=steps, protocol=usual)
        )
    assert rate_factor(3 * steps - 1, steps=3 * steps, protocol=long) == 1
    changed = {"epochs", "schedule", "warmup", "curve_every"}
    assert long.model_dump(exclude=changed) == usual.model_dump(exclude=changed)
    assert long_protocol(usual.with_settings({"epochs": 2})).epochs == 20, "a plateau can be seen"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--cap", "27"], "--cap 27 is below the 28 epochs of the protocol"),
        (["--epochs", "5", "--cap", "10"], "--cap 10: a plateau takes at least 20 epochs"),
        (["--modules", "se,hog-svm"], "hog-svm has no epochs, and so no learning curve"),
        (["--modules", "hog-svm,linear"], "hog-svm, linear have no epochs"),
        (["--modules", "base"], "name a block with --modules"),
        (["--to", "60;70"], "--to 60;70: give accuracies in per cent, as in --to 60,70,80"),
        (["--to", "120"], "--to 120: give accuracies between 0 and 100 per cent"),
        (["--to", "nan"], "--to nan: give accuracies between 0 and 100"),
    ],
)
def test_bad_input_is_refused_before_any_training(
    words: list[str], message: str, tmp_path: Path
) -> None:
    result = CliRunner().invoke(app, ["converge", "--out", str(tmp_path / "out"), *words])
    assert isinstance(result.exception, UserError)
    assert message in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_accuracies_are_read_as_per_cent() -> None:
    assert read_accuracies("60, 72.5") == (0.6, 0.725)
    assert read_accuracies(None) == ()


def test_the_command_says_what_one_training_cannot(runs: Runs, blobs: Path, tmp_path: Path) -> None:
    words = ["converge", "--modules", "se", "--data", f"image-folder={blobs}", "--seeds", "1"]
    for setting in ("crop=none", "image_size=32", "folds=2", "batch_size=8", "width=0.05"):
        words += ["--set", setting]
    words += ["--epochs", "2", "--cap", "20", "--jobs", "1", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, [*words, "--cache", str(tmp_path / "cache")])
    assert result.exit_code == 0, result.output
    text = " ".join(result.stdout.split())
    assert "se: not judged, since base was trained once on each fold" in text
    (folder,) = (tmp_path / "out").glob("convergence-*")
    assert (folder / "figures" / "convergence.svg").is_file()
