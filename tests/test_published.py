"""What the project publishes follows from the records that it publishes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from agfer_bench.comparison.comparable import ground_of
from agfer_bench.records.files import load_run
from agfer_bench.report import calibration_table
from agfer_bench.report.ablation_table import Ablation, Cell, rows_of, to_markdown
from agfer_bench.report.numbers import percent
from agfer_bench.report.rows import rows_of as rows_of_run
from agfer_bench.run.studies.ablation import AXES
from agfer_bench.submissions.open import open_calibration

PUBLISHED = Path(__file__).resolve().parents[1] / "results" / "published"


def _ablation(name: str = "ablation-split-quick-cpu") -> tuple[Ablation, Path]:
    folder = PUBLISHED / name
    content = json.loads((folder / "ablation.json").read_text())
    axis, names = AXES[content["axis"]], content["runs"]
    runs = [(load_run(folder / name), name) for name in names]
    cells = []
    for number, module in enumerate(runs[0][0].modules):
        for value, (record, _) in zip(axis.values, runs, strict=True):
            found = record.modules[number]
            cells.append(Cell(name=module.label, value=value, module=found, record=record))
    return Ablation(axis=axis, runs=tuple(runs), cells=tuple(cells), notes=()), folder


@pytest.mark.parametrize(
    "name",
    ["ablation-split-quick-cpu", "ablation-split-muxspace-cpu", "ablation-guidance-muxspace-cpu"],
)
def test_the_table_of_an_ablation_is_that_of_its_records(name: str) -> None:
    ablation, folder = _ablation(name)
    assert to_markdown(ablation) == (folder / "table.md").read_text(encoding="utf-8")


def test_image_folds_of_news_photographs_show_no_ablation() -> None:
    """The twin: nobody is there in many frames, and no difference must be claimed."""
    ablation, _ = _ablation("ablation-split-muxspace-cpu")
    (row,) = [row for row in rows_of(ablation) if row["split"] == "image"]
    assert row["difference_low"] < 0 < row["difference_high"]
    assert not row["drawn_faces"]


def test_what_the_study_says_of_grey_is_in_its_records() -> None:
    colour, grey = (
        load_run(PUBLISHED / name) for name in ("muxspace-quick-cpu", "muxspace-grey-quick-cpu")
    )
    assert grey.protocol == colour.protocol.with_settings({"colour": "grey"})
    for before, after in zip(colour.modules, grey.modules, strict=True):
        assert before.label == after.label
        tested = [
            float(np.mean([fold.test_accuracy or 0 for fold in one.trainings]))
            for one in (before, after)
        ]
        if before.kind == "attention":
            assert tested[0] < 0.21
            assert 0.4 < tested[1] < 0.61
        else:
            assert min(tested) > 0.66, "what sees grey values alone is as good as before"


def test_accuracies_under_detectors_are_those_of_their_records() -> None:
    text = (PUBLISHED.parents[1] / "docs" / "detectors.md").read_text(encoding="utf-8")
    for name, label in (("london", "London, two classes"), ("muxspace", "muxspace, five classes")):
        for number, detector in enumerate(("cascades", "yunet")):
            record = load_run(PUBLISHED / "detectors-cpu" / f"{name}-{detector}")
            cells = [f"| {'' if number else label} | {detector} "]
            cells.append(f"| {sum(record.data.images_kept.values()):,} ")
            for row in rows_of_run(record):
                cells.append(f"| {percent(row['accuracy_mean'], row['accuracy_sd'])} ")
            assert "".join(cells).replace("|  |", "| |") in text


def test_image_folds_stand_above_subject_folds() -> None:
    ablation, _ = _ablation()
    rows = [row for row in rows_of(ablation) if row["split"] == "image"]
    assert len(rows) == 4
    assert all(row["drawn_faces"] for row in rows)
    judged = {row["module"]: row for row in rows if row["difference"] is not None}
    assert list(judged) == ["base", "agfer", "se"]
    assert all(row["difference_low"] > 0 for row in judged.values())
    subject = ablation.runs[0][0]
    stuck = {one.label for one in subject.modules if one.single_class_folds}
    assert stuck == {"cbam"}, "it is not judged, since a training of it predicts a single class"


def test_nothing_that_does_nothing_is_called_ahead_by_the_default_run() -> None:
    folder = PUBLISHED / "calibration-quick-cpu"
    calibration = open_calibration(folder)
    table = (folder / "table.md").read_text(encoding="utf-8")
    assert calibration_table.to_markdown(calibration) == table
    default = load_run(PUBLISHED / "quick-cpu")
    assert calibration.ground == ground_of(default).key, "of the same settings, images and folds"
    assert len(calibration.networks) == 13
    assert calibration.family.ahead == 0
    assert calibration.single.ahead + calibration.single.behind <= 2
    assert calibration.single.not_judged == 0
