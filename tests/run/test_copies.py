"""Copies in a run: kept on one side, kept, or dropped; and a record says which."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from agfer_bench.faces.data import FaceData, load_data
from agfer_bench.progress import Silent
from agfer_bench.records.files import load_run
from agfer_bench.run.runner import folds_of
from agfer_bench.submissions.audit import contradictions
from tests.passport.pictures import face, mirrored, recompressed
from tests.run.support import Runs

NEIGHBOUR = "base,hog-knn:neighbours=1"


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    """Write 60 pictures of noise in three classes, each twice, under two names."""
    random, folder = np.random.default_rng(0), tmp_path / "noise"
    for emotion in ("anger", "happiness", "sadness"):
        (folder / emotion).mkdir(parents=True)
        for number in range(20):
            picture = random.integers(0, 256, (24, 24, 3), dtype=np.uint8)
            cv2.imwrite(str(folder / emotion / f"{number}.png"), picture)
            cv2.imwrite(str(folder / emotion / f"again{number}.png"), picture)
    return folder


@pytest.mark.parametrize("duplicates", ["group", "keep", "drop"])
def test_noise_is_recognised_only_where_its_copies_stand_on_both_sides(
    runs: Runs, noise: Path, duplicates: str
) -> None:
    runs.blobs = noise
    record, folder = runs(
        NEIGHBOUR, split="image", folds=5, duplicates=duplicates, epochs=1, timing="skip"
    )
    known = record.modules[1].accuracies
    if duplicates == "keep":
        assert min(known) > 0.5
    else:
        assert np.mean(known) < 0.5, "chance is a third"
    copies = record.data.copies
    assert copies is not None
    assert (copies.duplicates, copies.groups, copies.exact, copies.near) == (duplicates, 60, 60, 0)
    (said,) = [note for note in record.data.notes if "copies of others" in note]
    assert f"duplicates={duplicates}" in said
    assert record.data.excluded == ({"copy": 60} if duplicates == "drop" else {})
    assert sum(record.data.images_kept.values()) == (60 if duplicates == "drop" else 120)
    again = load_run(folder / "record.json")
    assert again.data == record.data
    assert list(contradictions(again)) == []


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Write 12 faces of six subjects, one of them twice: mirrored, of another name and label."""
    folder, lines = tmp_path / "people", ["file_name,emotion,subject"]
    folder.mkdir()
    for number in range(12):
        cv2.imwrite(str(folder / f"{number}.png"), face(number))
        lines.append(f"{number}.png,{('anger', 'fear')[number % 2]},s{number // 2}")
    cv2.imwrite(str(folder / "copy.png"), mirrored(face(0)))
    (folder / "metadata.csv").write_text("\n".join([*lines, "copy.png,fear,other"]) + "\n")
    return folder


def _load(runs: Runs, folder: Path, **changes: Any) -> FaceData:
    runs.blobs = folder
    settings = runs.settings(**changes)
    return load_data(settings.source, settings.protocol, Silent())


def test_subjects_of_one_picture_stand_on_one_side(runs: Runs, people: Path) -> None:
    data = _load(runs, people)
    assert data.copies is not None
    assert data.record.copies is not None
    assert (data.record.copies.near, data.record.copies.conflicts) == (1, 1)
    assert data.record.copies.two_subjects == 1
    said = " ".join(data.record.notes)
    assert "labels contradict each other" in said
    assert "one picture bears two subjects" in said
    for fold in folds_of(data, runs.settings(split="subject").protocol):
        sides = [{data.subjects[i] for i in part} for part in (fold.train, fold.validation)]
        assert not sides[0] & sides[1]
        assert sum({"s0", "other"} <= side for side in sides) == 1


def test_what_was_found_is_kept_beside_the_crops(
    runs: Runs, people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _load(runs, people)
    monkeypatch.setattr("agfer_bench.faces.copies.find_copies", lambda *_: pytest.fail("again"))
    assert _load(runs, people).record == first.record
    (kept,) = first.crops.folder.glob("copies-*.npz")
    monkeypatch.undo()
    kept.write_bytes(b"damaged")
    assert _load(runs, people).record == first.record


def test_a_class_of_dropped_copies_alone_is_no_class(runs: Runs, people: Path) -> None:
    (people / "metadata.csv").write_text(
        "file_name,emotion,subject\n0.png,anger,a\n2.png,anger,b\n1.png,fear,a\n3.png,fear,b\n"
        "copy.png,sadness,c\n"
    )
    for path in people.glob("*.png"):
        if path.name not in ("0.png", "1.png", "2.png", "3.png", "copy.png"):
            path.unlink()
    data = _load(runs, people, duplicates="drop")
    assert data.record.classes == ("anger", "fear")
    assert data.record.excluded == {"copy": 1}
    assert sorted(data.labels.tolist()) == [-1, 0, 0, 1, 1]


def test_copies_in_the_test_set_are_told(runs: Runs, people: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(people, other)
    for number, path in enumerate(sorted(other.glob("*.png"))):
        picture = recompressed(mirrored(face(number))) if number < 3 else face(100 + number)
        cv2.imwrite(str(path), picture)
    runs.blobs = people
    record, _ = runs("base", test=other, epochs=1, timing="skip")
    assert record.test is not None
    assert record.test.copies is not None
    assert record.test.copies.shared == 3
    assert any(note.startswith("3 images are nearly the same") for note in record.test.notes)
