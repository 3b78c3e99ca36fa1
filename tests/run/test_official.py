"""The official split: one division, trainings as its replicates, nothing trained on twice."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from agfer_bench.comparison.contrasts import Question, contrasts
from agfer_bench.comparison.subgroups import subgroups
from agfer_bench.errors import UserError
from agfer_bench.leaderboard.grouping import pages_of
from agfer_bench.leaderboard.pages import draw
from agfer_bench.leaderboard.site import build_site
from agfer_bench.progress import Silent
from agfer_bench.records.files import load_run
from agfer_bench.records.run import RunRecord
from agfer_bench.report.calibration import calibration_of
from agfer_bench.report.calibration_table import to_markdown as calibration_markdown
from agfer_bench.report.notes import notes
from agfer_bench.report.rows import rows_of
from agfer_bench.report.table import to_markdown
from agfer_bench.report.verdicts import entrants_of, judge, notes_on
from agfer_bench.run.runner import run
from agfer_bench.run.studies.ablation import ablate, choose_axis
from agfer_bench.run.studies.learning_rate import tune_rates
from agfer_bench.run.studies.paper import run_study
from agfer_bench.submissions.audit import contradictions
from agfer_bench.submissions.model import Reading, Submission
from tests.run.support import Runs, own

OFFICIAL: dict[str, Any] = {"split": "official", "folds": 1, "guidance": False}


@pytest.fixture
def parted(runs: Runs, blobs: Path, tmp_path: Path) -> Runs:
    """Return runs on the blobs in folders of parts: four subjects to train, two to test."""
    folder = tmp_path / "parted"
    for path in sorted(blobs.glob("*/*.png")):
        part = "train" if int(path.stem[0]) < 4 else "test"
        place = folder / part / path.parent.name / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    return Runs(folder, runs.folder)


def test_trained_on_one_part_and_judged_on_the_other(parted: Runs) -> None:
    shutil.copy(parted.blobs / "test/anger/4_0.png", parted.blobs / "train/anger/copy.png")
    record, folder = parted("base,se,linear", seeds=2, **OFFICIAL)
    assert load_run(folder) == record
    assert contradictions(record) == []
    for module in record.modules:
        assert module.complete(record.protocol)
        for fold in module.trainings:
            assert (fold.fold, fold.train_images, fold.validation_images) == (0, 24, 12)
    judged = pd.read_parquet(folder / "predictions.parquet")
    assert {name.split("/")[0] for name in judged["image"]} == {"test"}
    assert record.data.excluded == {"in both parts": 1}
    assert sum(record.data.images_kept.values()) == 36
    text = "\n".join(notes(record))
    assert "Official split: trained on the train part, judged on the test part." in text
    assert (
        "1 images of the train part are also in the part that is judged, as equal or nearly equal "
        "pictures: they are not trained on; first train/anger/copy.png." in text
    )
    assert "(SD) over 2 trainings on the one division of the official split" in text
    assert "1 folds" not in to_markdown(record)
    rows = {row["module"]: row for row in rows_of(record)}
    found = [fold.accuracy for fold in record.modules[0].trainings]
    assert rows["base"]["accuracy_mean"] == pytest.approx(sum(found) / 2)
    assert rows["base"]["accuracy_sd"] == pytest.approx(abs(found[0] - found[1]) / 2**0.5)


def test_a_copy_moves_no_number(parted: Runs) -> None:
    """A training picture that is left out leaves the training as it is without it."""
    without, _ = parted("base", out="a", **OFFICIAL)
    shutil.copy(parted.blobs / "test/anger/4_0.png", parted.blobs / "train/anger/copy.png")
    with_copy, _ = parted("base", out="b", **OFFICIAL)
    one, other = (record.modules[0].folds[0] for record in (without, with_copy))
    assert one.final_weights_sha256 == other.final_weights_sha256
    assert one.confusion == other.confusion


def test_validation_is_judged_where_there_is_no_test(parted: Runs) -> None:
    (parted.blobs / "test").rename(parted.blobs / "val")
    record, _ = parted("base", **OFFICIAL)
    text = "\n".join(notes(record))
    assert "trained on the train part, judged on the validation part. The set has no test" in text
    (parted.blobs / "test" / "anger").mkdir(parents=True)
    (parted.blobs / "test" / "sadness").mkdir()
    for emotion in ("anger", "sadness"):
        path = parted.blobs / "val" / emotion / "5_1.png"
        path.rename(parted.blobs / "test" / emotion / path.name)
    record, _ = parted("base", out="b", **OFFICIAL)
    text = "\n".join(notes(record))
    assert "10 images of the validation part take no part in the official split." in text
    assert "The part that is judged has no validation image of happiness" in text
    assert record.modules[0].folds[0].validation_images == 2


def test_a_set_without_parts_is_one_line(runs: Runs) -> None:
    with pytest.raises(UserError, match="image-folder has no training and test part of its own"):
        runs("base", **OFFICIAL)


def test_a_part_alone_is_one_line(parted: Runs) -> None:
    shutil.rmtree(parted.blobs / "test")
    with pytest.raises(UserError, match="has a train part here, and it takes a train part and one"):
        parted("base", **OFFICIAL)


def test_a_class_that_is_never_trained_is_one_line(parted: Runs) -> None:
    shutil.rmtree(parted.blobs / "train" / "sadness")
    with pytest.raises(UserError, match="no image of the train part shows sadness"):
        parted("base", **OFFICIAL)


def test_the_second_set_is_tested_as_a_whole(parted: Runs, tmp_path: Path) -> None:
    second = tmp_path / "second"
    for path in sorted((parted.blobs / "test").rglob("*.png")):
        place = second / "train" / path.parent.name / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(path.read_bytes() + b"\0")  # other files, the same pictures
    record, _ = parted("base", test=second, **OFFICIAL)
    assert record.test is not None
    assert sum(record.test.images_kept.values()) == 12


def test_the_judged_part_stays_whole_beside_a_second_set(parted: Runs, tmp_path: Path) -> None:
    """Pictures of both sets are not trained on; the judged part trains nothing."""
    second = tmp_path / "second"
    for name in ("train/anger/0_0.png", "test/anger/4_0.png", "test/sadness/5_0.png"):
        place = second / name.split("/", 1)[1]
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(parted.blobs / name, place)
    record, _ = parted("base", test=second, **OFFICIAL)
    fold = record.modules[0].folds[0]
    assert (fold.train_images, fold.validation_images) == (23, 12)
    assert record.data.excluded == {"in --test": 1}
    assert sum(record.data.images_kept.values()) == 35
    assert contradictions(record) == []


def _of_seeds(record: RunRecord, accuracies: dict[str, list[int]]) -> RunRecord:
    """Return a record whose modules recognise so many of the four images of each class."""

    def matrix(right: int) -> tuple[tuple[int, ...], ...]:
        rows = [[4 - right if column != row else 0 for column in range(3)] for row in range(3)]
        for row in range(3):
            rows[row][row] = right
            rows[row][(row + 1) % 3] = 4 - right
            rows[row][(row + 2) % 3] = 0
        return tuple(map(tuple, rows))

    modules = []
    for module in record.modules:
        first, *others = (
            (fold[0].model_copy(update={"confusion": matrix(right)}),)
            for fold, right in zip(module.seeds, accuracies[module.label], strict=True)
        )
        modules.append(module.model_copy(update={"folds": first, "repeats": tuple(others)}))
    return record.model_copy(update={"modules": tuple(modules)})


def test_verdicts_are_over_trainings_alone(parted: Runs) -> None:
    record, _ = parted("base,se", epochs=1, seeds=4, **OFFICIAL)
    record = _of_seeds(record, {"base": [1, 2, 1, 2], "se": [3, 3, 4, 4]})
    (found,) = contrasts(entrants_of(record), Question())
    assert found.difference is not None
    # Paired differences 0.5, 0.25, 0.75, 0.5: mean 0.5, standard error sqrt(1/24 / 4).
    assert found.estimate == pytest.approx(0.5)
    assert found.difference.error == pytest.approx((1 / 24 / 4) ** 0.5)
    assert (found.difference.unit, found.difference.df) == ("trainings", 3)
    assert found.verdict == "ahead"
    assert found.population == "over new trainings, on these images of the official split"
    told = " ".join(notes_on(judge(entrants_of(record))))
    assert "Judged over 4 trainings on the one division of the official split" in told
    assert "nothing is said about other images or people" in told
    assert "folds" not in told
    assert "Where the uncertainty comes from" not in told
    by_class = subgroups(entrants_of(record), Question(), "class")
    assert {one.contrast.population for one in by_class.found} == {found.population}


def test_calibration_says_what_it_is_over(parted: Runs) -> None:
    modules = "base,null:k=1,null:k=2"
    record, _ = parted(modules, epochs=1, seeds=3, **OFFICIAL)
    accuracies = {"base": [1, 2, 3], "null": [2, 2, 3], "null:k=2": [1, 3, 3]}
    record = _of_seeds(record, accuracies)
    calibrated = calibration_of(record, "run")
    assert calibrated.unit == "trainings"
    text = calibration_markdown(calibrated)
    assert "3 trainings of the official split" in text
    assert "nothing is said about other images or people" in text
    assert "1 folds" not in text


def test_studies_over_folds_refuse_it(parted: Runs) -> None:
    settings = parted.settings("base,se", **OFFICIAL)
    with pytest.raises(UserError, match="paper repeats a study over folds"):
        run_study(settings, own(), Silent())
    with pytest.raises(UserError, match="an official split has none: choose them"):
        tune_rates((0.1, 0.2), settings, own(), Silent())
    with pytest.raises(UserError, match="ablate split compares folds"):
        ablate(choose_axis("split", None), settings, own(), Silent())


def test_it_goes_on_where_it_was(parted: Runs, count_jobs: list[str]) -> None:
    settings = parted.settings("base", epochs=1, **OFFICIAL)
    run(settings, own(), Silent())
    run(settings, own(), Silent())
    assert count_jobs == ["base"]


def test_a_page_of_the_leaderboard_says_what_it_is_over(parted: Runs) -> None:
    record, _ = parted("base,se", epochs=1, seeds=3, **OFFICIAL)
    record = _of_seeds(record, {"base": [1, 2, 1], "se": [3, 3, 4]})
    reading = Reading(accepted=(Submission(path="0/record.json", record=record),), rejected=())
    (page,) = pages_of(reading)
    drawn = draw(page, {"0/record.json": "records/0.json"})
    listing = drawn.listing
    assert "official split" in listing.title
    assert (listing.unit, listing.units) == ("trainings", 3)
    assert dict(listing.facts)["Folds"].startswith("one division, the data set's own")
    assert dict(listing.facts)["Terms of image-folder"].endswith("may not be published")
    words = json.dumps(asdict(listing))
    assert "1 folds" not in words
    assert "new people" not in words
    (effect,) = drawn.effects
    assert effect.difference is None
    assert "judged over trainings alone" in effect.why_not, "its error leaves out other images"
    site = parted.folder / "site"
    build_site(reading, (page,), site)
    told = "".join(path.read_text() for path in site.rglob("*") if path.suffix in (".html", ".md"))
    assert "over 3 trainings" in told
    assert "trainings and trainings" not in told
