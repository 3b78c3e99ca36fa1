"""The cross-database test: a second set judges every network and chooses nothing."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from agfer_bench.errors import UserError
from agfer_bench.faces.data import load_data
from agfer_bench.progress import Silent
from agfer_bench.records.files import load_run
from agfer_bench.records.run import RunRecord
from agfer_bench.report.notes import notes
from agfer_bench.report.rows import rows_of
from agfer_bench.report.table import to_markdown
from agfer_bench.run.runner import folds_of
from tests.run.support import Runs, without_times


def test_every_network_judges_the_whole_second_set(runs: Runs, others: Path) -> None:
    record, folder = runs("base,se", test=others)
    assert load_run(folder) == record
    assert record.test is not None
    assert record.data.classes == ("anger", "happiness", "sadness")
    assert record.test.classes == ("anger", "happiness")
    assert record.test.groups == {"young": 6, "old": 4}, "by age, images of fear left out"
    predictions = pd.read_parquet(folder / "predictions.parquet")
    tested = predictions[predictions["set"] == "test"]
    assert len(tested) == 2 * 2 * 10, "modules, folds, images"
    assert set(tested["true"]) == {"anger", "happiness"}
    for module in record.modules:
        for fold in module.folds:
            mine = tested.query(f"module == '{module.label}' and fold == {fold.fold}")
            by_hand = []
            for age in ("young", "old"):
                rows = mine[mine["group"] == age]
                shares = [(part["predicted"] == name).mean() for name, part in rows.groupby("true")]
                assert len(shares) == 2
                by_hand.append(np.mean(shares))
                assert fold.test_accuracies[age] == pytest.approx(np.mean(shares))
            assert fold.test_accuracy == pytest.approx(np.mean(by_hand))


def test_the_table_shows_it(runs: Runs, others: Path) -> None:
    record, _ = runs("base", test=others, epochs=1)
    text = to_markdown(record)
    assert "Cross-database test on image-folder" in text
    assert "Called sadness %" in text
    remarks = "\n".join(notes(record))
    assert "5 images of fear are not tested" in remarks
    assert "No image shows sadness" in remarks
    row = rows_of(record)[0]
    assert {"test_age_young_mean", "test_age_old_sd", "test_absent_share"} <= set(row)


def test_the_second_set_moves_no_other_number(runs: Runs, others: Path) -> None:
    def without_test(record: RunRecord) -> object:
        content = without_times(record)
        del content["test"]
        for module in content["modules"]:
            for fold in module["folds"]:
                del fold["test_confusions"], fold["test_recognised"], fold["job"]
        return content

    alone, _ = runs("base,cbam", out="a")
    tested, _ = runs("base,cbam", out="b", test=others)
    assert without_test(alone) == without_test(tested)


def test_a_set_without_age_groups_is_one_group(runs: Runs, others: Path, tmp_path: Path) -> None:
    folder = tmp_path / "ageless"
    shutil.copytree(others, folder)
    path = folder / "metadata.csv"
    lines = [line.rsplit(",", 1)[0] for line in path.read_text().splitlines()]
    path.write_text("\n".join(lines) + "\n")
    record, _ = runs("base", test=folder, epochs=1)
    fold = record.modules[0].folds[0]
    assert set(fold.test_accuracies) == {"all"}
    assert fold.test_accuracy == fold.test_accuracies["all"]
    assert record.test is not None
    assert record.test.groups == {}
    assert "Called sadness %" in to_markdown(record)


def test_images_of_both_sets_are_left_out_of_training(
    runs: Runs, others: Path, tmp_path: Path
) -> None:
    """Of four shared images one is of a class that is not tested: it may be trained on."""
    folder = tmp_path / "leaky"
    shutil.copytree(others, folder)
    rows = []
    for number in range(4):
        shutil.copy(runs.blobs / "anger" / f"{number}_1.png", folder / f"copy{number}.png")
        rows.append(f"copy{number}.png,{'contempt' if number == 2 else 'anger'},u{number},old\n")
    with (folder / "metadata.csv").open("a") as file:
        file.writelines(rows)
    record, out = runs("base", test=folder, epochs=1)
    alone, _ = runs("base", epochs=1, out="alone")
    assert record.test is not None
    assert record.test.images_kept["anger"] == 5 + 3, "the test stays whole"
    assert record.data.images_kept == alone.data.images_kept | {"anger": 12 - 3}
    assert record.data.excluded == {"in --test": 3}
    assert record.data.notes[-1] == (
        "3 images are also in --test, byte by byte, and are left out of --data: anger/0_1.png "
        "(there copy0.png), anger/1_1.png (there copy1.png), anger/3_1.png (there copy3.png)."
    )
    judged = pd.read_parquet(out / "predictions.parquet").query("set == 'validation'")
    shared = {f"anger/{number}_1.png" for number in (0, 1, 3)}
    assert len(judged) == 36 - 3
    assert not shared & set(judged["image"])
    assert "anger/2_1.png" in set(judged["image"])


def test_images_of_both_sets_are_in_no_fold(runs: Runs, others: Path, tmp_path: Path) -> None:
    data = load_data(runs.settings("base").source, runs.settings("base").protocol, Silent())
    folds = folds_of(replace(data, left_out=np.array([3, 17])), runs.settings("base").protocol)
    for fold in folds:
        both = np.sort(np.concatenate([fold.train, fold.validation]))
        np.testing.assert_array_equal(both, np.delete(np.arange(36), [3, 17]))
    assert not set(folds[0].validation) & set(folds[1].validation)


def test_training_data_that_are_all_tested_on_are_refused(runs: Runs, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(runs.blobs, folder)
    with pytest.raises(UserError, match="all 36 images of --data image-folder are also in --test"):
        runs("base", test=folder)


def test_subjects_of_both_sets_are_noted(runs: Runs, others: Path, tmp_path: Path) -> None:
    folder = tmp_path / "same"
    shutil.copytree(others, folder)
    path = folder / "metadata.csv"
    path.write_text(path.read_text().replace(",t", ",s"))
    record, _ = runs("base", test=folder, epochs=1)
    assert any("5 subjects are named in --data as well" in line for line in notes(record))


def test_a_set_that_shares_no_class_is_refused(runs: Runs, others: Path, tmp_path: Path) -> None:
    folder = tmp_path / "foreign"
    shutil.copytree(others, folder)
    path = folder / "metadata.csv"
    kept = [line for line in path.read_text().splitlines() if ",a" in line or ",fear," in line]
    path.write_text("\n".join(line for line in kept if "anger" not in line) + "\n")
    with pytest.raises(UserError, match="shows fear, and --data image-folder none of these"):
        runs("base", test=folder)


def test_the_learning_curve_moves_no_other_number(runs: Runs) -> None:
    with_curve, _ = runs("base,cbam", out="a", epochs=3, curve_every=2)
    without, _ = runs("base,cbam", out="b", epochs=3, curve_every=0)
    for one, other in zip(with_curve.modules, without.modules, strict=True):
        for a, b in zip(one.folds, other.folds, strict=True):
            assert a.confusion == b.confusion
            assert [e.loss for e in a.history] == [e.loss for e in b.history]
            curve = [epoch.validation_accuracy for epoch in a.history]
            assert curve[0] is None
            assert curve[1] is not None
            assert curve[2] == pytest.approx(a.accuracy), "the last epoch is always a point"
            assert {epoch.validation_accuracy for epoch in b.history} == {None}


def test_a_record_whose_groups_disagree_is_refused(runs: Runs, others: Path) -> None:
    record, _ = runs("base", test=others, epochs=1)
    content = record.model_dump(mode="json")
    content["modules"][0]["folds"][0]["test_confusions"].pop("old")
    with pytest.raises(ValueError, match="age groups differ"):
        RunRecord.model_validate(content)


def test_a_set_of_other_colours_is_noted(runs: Runs, others: Path, tmp_path: Path) -> None:
    folder = tmp_path / "grey"
    shutil.copytree(others, folder)
    for path in folder.rglob("*.png"):
        pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert pixels is not None
        assert cv2.imwrite(str(path), pixels)

    def told(**settings: Any) -> list[str]:
        record, _ = runs("base", test=folder, epochs=1, **settings)
        return [line for line in notes(record) if "in colour" in line]

    (line,) = told()
    assert "0% of these images are in colour, and 100% of --data's" in line
    assert told(colour="grey") == []
