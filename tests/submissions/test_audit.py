"""Honest records have no contradictions; each thing that cannot be true is found, and only that."""

from __future__ import annotations

import copy
import datetime
import json
from pathlib import Path

import pytest

from agfer_bench.records.files import load_run
from agfer_bench.records.run import RunRecord
from agfer_bench.records.speed import SpeedRun
from agfer_bench.submissions.audit import contradictions, contradictions_of_speed
from agfer_bench.submissions.open import open_record
from tests.leaderboard.generated import make_records
from tests.run.support import Runs
from tests.submissions.audit_cases import CASES, Content, put

PUBLISHED = Path(__file__).resolve().parents[2] / "results" / "published"
RECORDS = sorted(PUBLISHED.rglob("record.json"))


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> list[Content]:
    """One record of each kind: with a second set, with photographs, with two seeds."""
    paths = make_records(tmp_path_factory.mktemp("made"), runs=3, hostile=False)
    return [json.loads(path.read_text()) for path in paths]


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.parent.name)
def test_published_records_contradict_nothing(path: Path) -> None:
    record = open_record(path)
    if isinstance(record, SpeedRun):
        assert contradictions_of_speed(record) == []
    else:
        assert contradictions(load_run(path)) == []


def test_a_real_run_contradicts_nothing(blobs: Path, others: Path, tmp_path: Path) -> None:
    record, _ = Runs(blobs, tmp_path)("base,hog-knn", test=others, seeds=2)
    assert [module.kind for module in record.modules] == ["attention", "classifier"]
    assert record.modules[0].folds[0].recognised
    assert all(module.complete(record.protocol) for module in record.modules)
    assert contradictions(record) == []


@pytest.mark.parametrize("hostile", [False, True])
def test_generated_records_contradict_nothing(hostile: bool, tmp_path: Path) -> None:
    for path in make_records(tmp_path, runs=12, protocols=4, hostile=hostile):
        assert contradictions(load_run(path)) == []


def _said(content: Content) -> list[str]:
    return contradictions(RunRecord.model_validate(content))


@pytest.mark.parametrize("name", CASES)
def test_each_contradiction_is_found_and_only_it(name: str, contents: list[Content]) -> None:
    number, change, expected = CASES[name]
    content = copy.deepcopy(contents[number])
    before = copy.deepcopy(content["modules"][1]["folds"][0])
    known = {
        "job": content["modules"][2]["folds"][0]["job"],
        "images": before["validation_images"],
        "trained": before["train_images"],
        "read": sum(content["data"]["images_read"].values()),
        "kept": sum(content["data"]["images_kept"].values()),
    }
    change(content)
    assert _said(content) == [line.format(**known) for line in expected]


def test_one_fold_twice(contents: list[Content]) -> None:
    content = copy.deepcopy(contents[0])
    folds = content["modules"][1]["folds"]
    folds[1] = folds[0] | {"job": folds[1]["job"]}
    assert _said(content)[:2] == [
        "agfer:reduction=1: fold 0 stands there 2 times",
        "agfer:reduction=1: fold 1 is missing",
    ]


def test_too_many_seeds(contents: list[Content]) -> None:
    content = copy.deepcopy(contents[0])
    module = content["modules"][1]
    module["repeats"] = [[fold | {"job": f"{n:064x}"} for n, fold in enumerate(module["folds"])]]
    assert _said(content) == ["agfer:reduction=1: 2 seeds, not 1"]


def test_numbers_of_images_must_fit_in_every_fold(contents: list[Content]) -> None:
    content = copy.deepcopy(contents[0])
    for count in ("images_read", "images_kept"):
        content["data"][count]["anger"] += 1
    lines = _said(content)
    assert len(lines) == len(set(lines)) > 27
    folds = [line for line in lines if "images of anger, and" in line]
    rest = [line for line in lines if "validation images of all folds are not" in line]
    assert len(folds) == sum(len(module["folds"]) for module in content["modules"])
    assert len(folds) + len(rest) == len(lines)


def test_folds_that_judge_the_same_images(contents: list[Content]) -> None:
    """Each fold adds up, and yet not every image is judged once."""
    content = copy.deepcopy(contents[1])
    del content["modules"][1:]
    folds = content["modules"][0]["folds"]
    for fold in folds[1:]:
        fold |= {key: value for key, value in folds[0].items() if key not in ("fold", "job")}
    data = content["data"]
    data["subjects"] = len(folds[0]["recognised"])
    if _rows(folds[0]) * len(folds) == sum(data["images_kept"].values()):
        pytest.skip("the first fold happens to be of mean size")
    assert "base: the validation images of all folds are not the images kept" in _said(content)
    assert "base: two folds have the same validation images" in _said(content)


def _rows(fold: Content) -> int:
    return sum(map(sum, fold["confusion"]))


def test_subjects(contents: list[Content]) -> None:
    content = copy.deepcopy(contents[0])
    del content["modules"][1:]
    content["data"]["subjects"] = 40
    assert _said(content) == ["base: 36 subjects were judged, not 40"]
    content["data"]["subjects"] = 0
    assert "data: 0 subjects on" in _said(content)[0]
    content["data"]["subjects"] = None
    assert "base: subjects were recognised, and none is known" in _said(content)


def test_a_subject_in_two_folds(contents: list[Content]) -> None:
    content = copy.deepcopy(contents[0])
    del content["modules"][1:]
    folds = content["modules"][0]["folds"]
    subject = next(iter(folds[0]["recognised"]))
    folds[1]["recognised"] |= {subject: [0] * 7}
    assert _said(content) == ["base: a subject stands in two folds"]
    record = RunRecord.model_validate(content)
    images = record.protocol.model_copy(update={"split": "image"})
    record = record.model_copy(
        update={"protocol": images, "protocol_fingerprint": images.fingerprint}
    )
    assert contradictions(record) == []


def test_modules_judged_on_other_subjects(contents: list[Content]) -> None:
    content = copy.deepcopy(contents[0])
    found = content["modules"][1]["folds"][0]["recognised"]
    subject = next(number for number, counts in found.items() if sum(counts))
    other = next(number for number in found if number != subject)
    found[other] = [a + b for a, b in zip(found[other], found.pop(subject), strict=True)]
    assert _said(content) == [
        "agfer:reduction=1: 35 subjects were judged, not 36",
        "agfer:reduction=1: fold 0: the subjects of the fold differs from other modules'",
    ]


def test_the_second_sets_images(contents: list[Content]) -> None:
    content = copy.deepcopy(contents[0])
    del content["modules"][:]
    content["test"]["groups"]["young"] = 23
    assert _said(content)[0] == "test: the age groups do not add up to the images kept"
    content["test"]["groups"]["young"] = 24
    content["test"]["classes"][0] = "awe"
    assert "test: awe is no class of training" in _said(content)
    assert "test: the classes are not those of the images kept" in _said(content)
    content = copy.deepcopy(contents[0])
    content["test"]["images_kept"]["anger"] = 11
    assert any(
        "do not add up to the images kept of the second set" in one for one in _said(content)
    )


def test_a_failed_row_may_lack_folds_but_not_hold_wrong_ones(contents: list[Content]) -> None:
    content = copy.deepcopy(contents[0])
    content["modules"][1] |= {"error": "fold 2: it: raised", "size": None, "speed": None}
    content["modules"][1]["folds"] = content["modules"][1]["folds"][:1]
    assert _said(content) == []
    put("modules", 1, "folds", 0, "validation_images", value=1)(content)
    assert len(_said(content)) == 1


def test_clocks_may_be_a_day_apart(contents: list[Content]) -> None:
    record = RunRecord.model_validate(contents[0])
    finished = datetime.datetime.fromisoformat(record.finished)
    hour = datetime.timedelta(hours=1)
    assert contradictions(record, finished - 23 * hour) == []
    assert contradictions(record, finished - 25 * hour) == ["finished lies in the future"]


def test_contradictions_of_speed() -> None:
    path = PUBLISHED / "speed-paper-cpu" / "record.json"
    content = json.loads(path.read_text())
    put("rows", 1, "speed", "modes", "eager-fp32", "stream", 0, "rounds_ms", 0, 0, value=-1)(
        content
    )
    put("finished", value="3000-01-01T00:00:00+00:00")(content)
    label = content["rows"][1]["label"]
    content["rows"][2]["label"] = content["rows"][0]["label"]
    assert contradictions_of_speed(SpeedRun.model_validate(content)) == [
        "finished lies in the future",
        "base: the label stands there 2 times",
        f"{label}: a time or a rate that is 0 or next to it",
    ]
