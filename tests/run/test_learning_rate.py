"""Every module at its own best learning rate, chosen where its fold is not judged."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import EntryPoint

import numpy as np
import pytest

from agfer_bench.errors import UserError
from agfer_bench.faces.data import load_data
from agfer_bench.faces.folds import inner_folds
from agfer_bench.progress import Silent
from agfer_bench.protocol import load_preset
from agfer_bench.report.learning_rates import notes_of, rows_of, to_json, to_markdown
from agfer_bench.run.runner import folds_of
from agfer_bench.run.studies.learning_rate import rates_of, tune_rates, write
from tests.run.support import HEAD, Runs, own

RATES = (1e-6, 0.003)


def test_inner_folds_divide_training_images_alone(runs: Runs) -> None:
    settings = runs.settings()
    data = load_data(settings.source, settings.protocol, Silent())
    for fold in folds_of(data, settings.protocol):
        found = inner_folds(
            fold,
            data.labels,
            data.subjects,
            split="subject",
            folds=2,
            seed=1,
            classes=data.record.classes,
        )
        judged = np.sort(np.concatenate([one.validation for one in found]))
        assert judged.tolist() == fold.train.tolist()
        for one in found:
            assert not set(one.train) & set(one.validation)
            assert not set(one.train) & set(fold.validation)
            people = [{data.subjects[i] for i in part} for part in (one.train, one.validation)]
            assert not people[0] & people[1]


def test_each_gets_its_best_rate(runs: Runs, count_jobs: list[str]) -> None:
    settings = runs.settings("base,se", seeds=2, epochs=8)
    found = tune_rates(RATES, settings, own(), Silent())
    assert len(count_jobs) == 2 * 2 * 2 * 2 + 2 * 2 * 2, "inner folds once, folds with two seeds"
    for one in found.choices:
        assert set(one.accuracies) == set(RATES)
        assert one.rate == max(RATES, key=lambda rate: (one.accuracies[rate], -rate))
    assert {one.rate for one in found.choices} == {0.003}, "the other learns nothing"
    base = found.record.modules[0]
    assert base.complete(found.record.protocol)
    # They are the trainings of a plain run with that rate, and are not trained again.
    count_jobs.clear()
    plain, _ = runs("base,se", seeds=2, epochs=8, learning_rate=0.003, timing="skip")
    assert count_jobs == []
    assert plain.modules[0].trainings == base.trainings
    (contrast,) = found.judged.contrasts
    assert (contrast.first, contrast.second) == ("se", "base")
    assert contrast.difference is not None

    said = " ".join(notes_of(found))
    assert "base: the highest rate was chosen in 2 of 2 folds" in said
    assert rows_of(found)[0]["rates"] == [0.003, 0.003]
    assert "Rates by fold" in to_markdown(found)
    assert json.loads(json.dumps(to_json(found)))["differences"]
    folder = write(found, settings.out)
    content = json.loads((folder / "ablation.json").read_text())
    assert content["choices"][0]["rate"] == 0.003
    assert write(found, settings.out) == folder


def test_a_block_that_fails_is_a_row(runs: Runs, plugin: Callable[[str, str], EntryPoint]) -> None:
    source = HEAD.format(
        name="broken",
        forward="raise RuntimeError('no') if self.training else None; return x",
        build="return Block()",
    ).replace("raise RuntimeError('no') if self.training else None; return x", "return self.go(x)")
    source = source.replace(
        "class Block(nn.Module):",
        "class Block(nn.Module):\n    def go(self, x):\n        if self.training:\n"
        "            raise RuntimeError('no')\n        return x\n",
    )
    catalogue = own(plugin("broken", source))
    settings = runs.settings("base,broken", catalogue=catalogue)
    found = tune_rates(RATES, settings, catalogue, Silent())
    assert found.record.modules[0].error is None
    assert found.record.modules[1].error == "fold 1: broken: no learning rate works"
    assert [one.rate for one in found.choices if one.module == "broken"] == [None, None]
    assert "broken: fold 1" in notes_of(found)[-1]


def test_rates() -> None:
    protocol = load_preset("quick").with_settings({"learning_rate": 0.004})
    assert rates_of(protocol, None) == (0.001, 0.002, 0.004, 0.008, 0.016)
    assert rates_of(protocol, "0.01, 0.002,0.01") == (0.002, 0.01)
    for wrong in ("0.1", "0.1,0", "-1,2", "fast,slow", "0.1,inf", "0.1,nan"):
        with pytest.raises(UserError, match=r"--values .*: (give two|learning rates are numbers)"):
            rates_of(protocol, wrong)


def test_classifiers_are_refused(runs: Runs) -> None:
    with pytest.raises(UserError, match="hog-knn: a classifier of its own has no learning rate"):
        tune_rates(RATES, runs.settings("base,hog-knn"), own(), Silent())
