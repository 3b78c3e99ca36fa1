"""Classifiers of their own as rows: numbers, reuse, side by side, and strangers that fail."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from skimage.color import rgb2gray
from skimage.feature import hog
from sklearn.metrics import confusion_matrix
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC
from sklearn.utils.class_weight import compute_sample_weight

from agfer_bench.errors import UserError
from agfer_bench.plugin.finder import load_catalogue
from agfer_bench.progress import Silent
from agfer_bench.records.files import load_run
from agfer_bench.records.run import RunRecord
from agfer_bench.report.notes import notes
from agfer_bench.report.rows import rows_of
from agfer_bench.report.table import to_markdown
from agfer_bench.run.runner import run
from agfer_bench.run.store.store import PREDICTIONS
from agfer_bench.run.studies.ablation import AXES, ablate
from agfer_bench.seeds import derive_seed
from tests.run.support import Runs, own, without_times

Make = Callable[[str, str], EntryPoint]

STRANGER = """
import numpy as np
from agfer_bench import ClassifierSpec, UserError, hookimpl

class Brightest:
    def __init__(self, seed):
        self.seed = seed
    def fit(self, pixels, labels, weights):
        self.classes = labels.max() + 1
        {fit}
    def predict(self, pixels):
        answer = np.zeros((len(pixels), self.classes))
        answer[:, int(pixels[0].sum()) % self.classes] = 1
        {predict}

KEPT = Brightest(0)

def build(seed, *, power: int = 1):
    {build}

@hookimpl
def face_classifiers():
    return [ClassifierSpec(name="{name}", build=build, source="arXiv:1", summary="A stranger's")]
"""


def _stranger(name: str = "mine", **parts: str) -> str:
    usual = {"fit": "pass", "predict": "return answer", "build": "return Brightest(seed)"}
    return STRANGER.format(name=name, **usual | parts)


def _features(folder: Path, names: pd.Series[str]) -> Any:
    """Read the blobs and describe them, without the harness."""
    found = []
    for name in names:
        photograph = cv2.imread(str(folder / name))
        assert photograph is not None
        image = cv2.cvtColor(photograph, cv2.COLOR_BGR2RGB)
        small = cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA)
        grey = rgb2gray(small)
        found.append(hog(grey, pixels_per_cell=(4, 4), cells_per_block=(2, 2)))
    return np.array(found, dtype=np.float32)


def test_a_fold_is_what_scikit_learn_alone_gives(runs: Runs) -> None:
    record, folder = runs("hog-svm,hog-knn")
    assert load_run(folder) == record
    predictions = pd.read_parquet(folder / PREDICTIONS)
    table = pd.read_csv(runs.blobs / "metadata.csv").set_index("file_name")
    for label in ("hog-svm", "hog-knn"):
        module = next(one for one in record.modules if one.label == label)
        assert module.error is None
        for fold in module.folds:
            mine = predictions.query(f"module == '{label}' and fold == {fold.fold}")
            others = table.index.difference(list(mine["image"]))
            rest = table.loc[sorted(others)].reset_index()
            X, y = _features(runs.blobs, rest["file_name"]), rest["emotion"]
            asked = _features(runs.blobs, mine["image"])
            if label == "hog-svm":
                seed = derive_seed(0, "classifier", fold.fold)
                reference = LinearSVC(C=0.1, dual="auto", max_iter=10_000, random_state=seed)
                reference.fit(X, y, sample_weight=compute_sample_weight("balanced", y))
            else:
                reference = KNeighborsClassifier(9).fit(X, y)
                shares = mine[[f"p_{name}" for name in reference.classes_]]
                np.testing.assert_allclose(shares, reference.predict_proba(asked), atol=1e-6)
            assert mine["predicted"].tolist() == reference.predict(asked).tolist()
            matrix = confusion_matrix(mine["true"], reference.predict(asked))
            assert fold.confusion == tuple(map(tuple, matrix.tolist()))
            matrix = confusion_matrix(y, reference.predict(X))
            assert fold.train_confusion == tuple(map(tuple, matrix.tolist()))


def test_rows_share_folds_and_are_left_out_of_size_and_speed(runs: Runs, others: Path) -> None:
    record, _ = runs("base,hog-knn,hog-svm", test=others, epochs=1)
    base, knn, svm = record.modules
    assert (base.kind, knn.kind, svm.kind) == ("attention", "classifier", "classifier")
    assert base.speed is not None
    for module in (knn, svm):
        assert (module.size, module.speed, module.memory_format) == (None, None, None)
        for fold, network in zip(module.folds, base.folds, strict=True):
            assert fold.split_sha256 == network.split_sha256
            assert fold.class_weights == network.class_weights
            assert fold.fit_seconds is not None
            assert fold.training_seconds == fold.fit_seconds > 0
            assert (fold.history, fold.peak_memory_bytes, fold.host_weights_sha256) == (
                (),
                None,
                None,
            )
            assert fold.test_confusions is not None
            assert network.test_confusions is not None
            for group, matrix in network.test_confusions.items():
                sums = [sum(row) for row in matrix]
                assert [sum(row) for row in fold.test_confusions[group]] == sums
    text = to_markdown(record)
    (line,) = [
        line for line in text.splitlines() if line.startswith("| hog-svm") and "100" in line
    ][:1]
    assert line.count("–") == 10
    assert (
        "hog-knn, hog-svm: classifiers of their own, without the host: neither their size nor "
        "their speed is measured beside networks'" in text
    )
    alone = record.model_copy(update={"modules": (base, svm)})
    assert any(note.startswith("hog-svm: a classifier of its own") for note in notes(alone))
    assert not any(
        "of its own" in note for note in notes(record.model_copy(update={"modules": (base,)}))
    )


def test_what_is_done_is_not_done_again(runs: Runs, count_jobs: list[str]) -> None:
    first, folder = runs("base,hog-svm", epochs=1)
    assert count_jobs == ["base", "hog-svm"] * 2
    again, same = runs("base,hog-svm", epochs=1, timing="keep")
    assert len(count_jobs) == 4
    assert (again, same) == (first, folder), "nothing is missing that timing would have to measure"
    runs("base,hog-svm", epochs=2, timing="skip")
    assert count_jobs[4:] == ["base"] * 2, "epochs are a network's"
    runs("hog-svm", class_weights=False)
    runs("hog-svm", seed=1)
    runs("hog-svm:C=1.0")
    assert count_jobs[6:] == ["hog-svm"] * 4 + ["hog-svm:C=1.0"] * 2


def test_another_library_is_another_job(
    runs: Runs, count_jobs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs("hog-knn")
    monkeypatch.setattr("agfer_bench.run.store.address.version", lambda name: "99")
    runs("hog-knn")
    assert count_jobs == ["hog-knn"] * 4


@pytest.mark.slow
def test_side_by_side_is_one_by_one(runs: Runs) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        found = []
        for jobs in (1, 2):
            settings = runs.settings(
                "hog-svm,base,hog-knn", epochs=1, jobs=jobs, out=str(jobs), timing="skip"
            )
            found.append(run(settings, load_catalogue(), Silent()))
    finally:
        torch.set_num_threads(threads)
    (one, alone), (two, beside) = found
    assert [module.error for module in two.modules] == [None] * 3
    assert without_times(one) == without_times(two)
    first, second = (pd.read_parquet(folder / PREDICTIONS) for folder in (alone, beside))
    pd.testing.assert_frame_equal(first, second)


FAULTS = {
    "raises in build": ({"build": "raise OSError('no licence')"}, "build failed: OSError: no lic"),
    "no classifier": ({"build": "return 3"}, "build returned int, which has no fit()"),
    "the same again": ({"build": "return KEPT"}, "it must make a new one"),
    "raises in fit": ({"fit": "raise KeyError('x')"}, "fold 1: bad-plugin: KeyError: 'x'"),
    "refuses in fit": ({"fit": "raise UserError('too few')"}, "fold 1: bad-plugin: too few"),
    "exits in predict": ({"predict": "raise SystemExit(1)"}, "SystemExit"),
    "no array": ({"predict": "return 'anger'"}, "predict returned str, not an array of numbers"),
    "text": ({"predict": "return answer.astype(str)"}, "not an array of numbers"),
    "NaN": ({"predict": "return answer * np.nan"}, "numbers that are not finite"),
    "wrong shape": (
        {"predict": "return answer[:, :-1]"},
        "returned the shape (18, 2), not (18, 3)",
    ),
    "classes": ({"predict": "return answer.argmax(axis=1)"}, "the shape (18,), not (18, 3)"),
    "scores": ({"predict": "return answer - 1"}, "rows that are no probabilities"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_that_fails_is_a_row_that_says_why(runs: Runs, plugin: Make, fault: str) -> None:
    parts, message = FAULTS[fault]
    catalogue = own(plugin("bad-plugin", _stranger("bad", **parts)))
    record, folder = runs("hog-knn,bad", catalogue=catalogue)
    knn, bad = record.modules
    assert knn.error is None
    assert bad.error is not None
    assert "bad-plugin" in bad.error
    assert message in bad.error
    assert f"bad failed: {bad.error}" in "\n".join(notes(record))
    assert rows_of(record)[1]["accuracy_mean"] is None
    assert "Traceback" in (folder / "errors.log").read_text()
    assert load_run(folder) == record


def test_a_strangers_classifier_is_a_row_with_its_options(runs: Runs, plugin: Make) -> None:
    fit = "self.told = (pixels.shape, labels.shape, weights); pixels[:] = 0; labels[:] = 0"
    catalogue = own(plugin("my-classifier", _stranger(fit=fit)))
    record, _ = runs("mine,mine:power=2,hog-svm", catalogue=catalogue)
    mine, powered, svm = record.modules
    assert [one.label for one in record.modules] == ["mine", "mine:power=2", "hog-svm"]
    assert (mine.error, powered.error, powered.options) == (None, None, {"power": 2})
    assert (mine.distribution, mine.version) == ("my-classifier", "1.2.3")
    assert svm.accuracies == runs("hog-svm", out="alone")[0].modules[0].accuracies
    assert _people(mine.folds[0].confusion) == _people(svm.folds[0].confusion)


def _people(confusion: Any) -> list[int]:
    return [sum(row) for row in confusion]


def test_an_option_out_of_range_ends_the_run_before_any_work(
    runs: Runs, count_jobs: list[str]
) -> None:
    with pytest.raises(UserError, match="hog-svm:C must be above 0"):
        runs("base,hog-svm:C=-1")
    assert count_jobs == []
    assert not (runs.folder / "cache").exists()


def test_ablations_leave_out_what_they_cannot_change(runs: Runs) -> None:
    settings = runs.settings("base,hog-svm", epochs=1)
    found = ablate(AXES["guidance"], settings, own(), Silent())
    assert {cell.name for cell in found.cells} == {"base"}
    assert found.notes == ("hog-svm is a classifier of its own, without guidance: left out.",)
    found = ablate(AXES["split"], settings, own(), Silent())
    assert {cell.name for cell in found.cells} == {"base", "hog-svm"}
    assert all(cell.module.error is None for cell in found.cells)
    images = [sum(f.validation_images for f in cell.module.folds) for cell in found.cells]
    assert images == [36] * len(found.cells)
    with pytest.raises(UserError, match="guidance is a setting of networks"):
        ablate(AXES["guidance"], runs.settings("hog-svm"), own(), Silent())


def test_a_record_of_a_classifier_tells_its_seconds(runs: Runs) -> None:
    record, _ = runs("hog-knn")
    content = record.model_dump(mode="json")
    content["modules"][0]["folds"][0]["fit_seconds"] = None
    with pytest.raises(ValueError, match="does not tell its fit's seconds"):
        RunRecord.model_validate(content)
