"""docs/writing-plugins.md: its hooks are those there are, its code and commands run."""

from __future__ import annotations
import __future__

import inspect
import re
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from agfer_bench import AttentionSpec
from agfer_bench.contract.find import find_blocks
from agfer_bench.faces.detector import choose_detector
from agfer_bench.network.build import build_block
from agfer_bench.network.second_inputs import WithInputs
from agfer_bench.network.trial import try_block
from agfer_bench.plugin import hookspecs
from agfer_bench.plugin.finder import load_catalogue
from agfer_bench.plugin.options import parse_choice
from agfer_bench.plugin.specs import Place, Slot
from agfer_bench.progress import Silent
from agfer_bench.protocol import load_preset
from agfer_bench.records.files import load_run
from agfer_bench.run.pool.epoch_events import announcer
from agfer_bench.run.runner import run
from agfer_bench.testing import INFORMATIONAL, REQUIRED
from tests.run.support import Runs, own

Make = Callable[[str, str], EntryPoint]

ROOT = Path(__file__).resolve().parents[1]
TUTORIAL = ROOT / ".ci" / "tutorial"
DOCUMENT = (ROOT / "docs" / "writing-plugins.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)
HOOKS = {
    name: function
    for name, function in vars(hookspecs).items()
    if hasattr(function, f"{hookspecs.PROJECT}_spec")
}


def _run(source: str, module: ModuleType) -> None:
    flags = __future__.annotations.compiler_flag
    exec(compile(source, module.__name__, "exec", flags=flags), vars(module))


def _documented() -> dict[str, Any]:
    """Return the function under each hook's heading."""
    sections = re.split(r"^### `(\w+)`$", DOCUMENT, flags=re.MULTILINE)
    found = {}
    for name, text in zip(sections[1::2], sections[2::2], strict=True):
        block = re.search(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
        assert block is not None, name
        module = ModuleType("documented")
        _run(block[1], module)
        found[name] = getattr(module, name)
    return found


def test_every_hook_is_documented_and_none_else() -> None:
    assert {
        "attention_modules",
        "face_classifiers",
        "face_datasets",
        "face_detectors",
        "run_trackers",
        "epoch_finished",
        "run_finished",
    } <= HOOKS.keys()
    assert _documented().keys() == HOOKS.keys()


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_is_documented_as_it_is(name: str) -> None:
    documented = _documented()[name]
    assert inspect.signature(documented) == inspect.signature(HOOKS[name])
    first, *_ = (inspect.getdoc(HOOKS[name]) or "").splitlines()
    assert inspect.getdoc(documented) == first


def test_every_hook_has_a_test_here() -> None:
    assert {name for name in HOOKS if f"test_{name}_" not in Path(__file__).read_text()} == set()


@pytest.fixture
def runs(blobs: Path, tmp_path: Path) -> Iterator[Runs]:
    """Return what runs on the tiny data set, on one thread: more would wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield Runs(blobs, tmp_path)
    torch.set_num_threads(threads)


def test_attention_modules_is_called_once_and_builds_for_each_slot(
    plugin: Make, runs: Runs
) -> None:
    source = """
from torch import nn
from agfer_bench import AttentionSpec, hookimpl

calls, slots = [], []

class Same(nn.Module):
    def forward(self, x):
        return x

def build(slot, *, depth: int = 1):
    slots.append((slot.stage, slot.classes, depth))
    return Same()

@hookimpl
def attention_modules():
    calls.append(1)
    return [AttentionSpec(name="same", build=build, source="", summary="")]
"""
    point = plugin("blocks", source)
    catalogue = own(point)
    seen = point.load()
    assert (seen.calls, seen.slots) == ([1], []), "once, and nothing is built"
    record, _ = runs("same:depth=2", catalogue=catalogue, epochs=1, timing="skip")
    assert seen.calls == [1]
    assert {stage for stage, _, _ in seen.slots} == {2, 3, 4}
    assert {depth for _, _, depth in seen.slots} == {2}
    trained = [stage for stage, classes, _ in seen.slots if classes == len(record.data.classes)]
    assert len(trained) > 2 * 3, "a fresh block for each slot of each fold"
    assert record.modules[0].distribution == "blocks"


def test_face_classifiers_is_called_once_and_builds_for_each_fold(plugin: Make, runs: Runs) -> None:
    source = """
import numpy as np
from agfer_bench import ClassifierSpec, hookimpl

calls, seeds, fitted = [], [], []

class First:
    def fit(self, pixels, labels, weights):
        fitted.append((pixels.shape[1:], pixels.dtype, set(labels), weights is None))
        self.classes = labels.max() + 1

    def predict(self, pixels):
        return np.eye(self.classes)[np.zeros(len(pixels), dtype=int)]

def build(seed, *, power: int = 1):
    seeds.append((seed, power))
    return First()

@hookimpl
def face_classifiers():
    calls.append(1)
    return [ClassifierSpec(name="first", build=build, source="", summary="")]
"""
    point = plugin("classifiers", source)
    catalogue = own(point)
    seen = point.load()
    assert (seen.calls, seen.seeds) == ([1], []), "once, and nothing is built"
    record, _ = runs("first:power=2", catalogue=catalogue, epochs=1, timing="skip")
    assert seen.calls == [1]
    assert len(seen.fitted) == 2, "a fit for each fold"
    assert all(one == ((32, 32, 3), np.uint8, {0, 1, 2}, False) for one in seen.fitted)
    assert len({seed for seed, _ in seen.seeds}) >= 2, "a seed for each fold"
    assert {power for _, power in seen.seeds} == {2}
    (row,) = record.modules
    assert (row.distribution, row.error, len(row.folds)) == ("classifiers", None, 2)


def test_face_datasets_is_called_once_and_reads_what_is_named(
    plugin: Make, runs: Runs, blobs: Path
) -> None:
    source = """
from agfer_bench import DatasetSpec, FaceImage, FaceTable, hookimpl

calls, places = [], []

def read(place, *, only: str = "png"):
    places.append((place.folder, only))
    images = [
        FaceImage(path=path, emotion=path.parent.name, subject=path.stem.split("_")[0])
        for path in sorted(place.folder.rglob("*." + only))
    ]
    return FaceTable(root=place.folder, images=tuple(images), notes=("as they are",))

def never(place):
    raise AssertionError("nobody named it")

@hookimpl
def face_datasets():
    calls.append(1)
    return [
        DatasetSpec(name="mine", read=read, summary=""),
        DatasetSpec(name="other", read=never, summary=""),
    ]
"""
    point = plugin("readers", source)
    catalogue = own(point)
    seen = point.load()
    assert (seen.calls, seen.places) == ([1], []), "once, and nothing is read"
    chosen = catalogue.choose_dataset(parse_choice("mine:only=png"))
    assert chosen.entry.distribution == "readers"
    settings = runs.settings("base", catalogue=catalogue, epochs=1, timing="skip")
    settings = replace(settings, source=replace(settings.source, chosen=chosen))
    record, _ = run(settings, catalogue, Silent())
    assert seen.calls == [1]
    assert seen.places == [(blobs, "png")]
    assert record.data.name == "mine"
    assert record.data.classes == ("anger", "happiness", "sadness")
    assert "as they are" in record.data.notes


def test_face_detectors_is_called_once_and_loads_what_is_named(
    plugin: Make, runs: Runs, blobs: Path
) -> None:
    source = """
from agfer_bench import DetectorSpec, FoundFace, NoFace, hookimpl

calls, loaded = [], []

class Middle:
    weights = "the middle 1"

    def detect(self, pixels):
        height, width = pixels.shape[:2]
        x, y, side = width / 2, height / 2, min(height, width) / 4
        return FoundFace(
            box=(x - side, y - side, 2 * side, 2 * side),
            left_eye=(x - side / 2, y - side / 2),
            right_eye=(x + side / 2, y - side / 2),
            nose=(x, y),
            left_mouth=(x - side / 2, y + side / 2),
            right_mouth=(x + side / 2, y + side / 2),
        )

def load(file, *, least: float = 0.5):
    loaded.append((file, least))
    return Middle()

def never(file):
    raise AssertionError("nobody named it")

@hookimpl
def face_detectors():
    calls.append(1)
    return [
        DetectorSpec(name="mine", load=load, summary="", needs_file=False),
        DetectorSpec(name="other", load=never, summary=""),
        DetectorSpec(name="viola-jones", load=never, summary=""),
    ]
"""
    point = plugin("detectors", source)
    catalogue = own(point)
    seen = point.load()
    assert (seen.calls, seen.loaded) == ([1], []), "once, and nothing is loaded"
    assert any("'viola-jones' stands for a way to crop" in str(one) for one in catalogue.problems)
    detector = choose_detector(catalogue, "mine:least=0.25")
    assert detector is not None
    assert seen.loaded == [(None, 0.25)]
    settings = runs.settings(
        "base", catalogue=catalogue, epochs=1, timing="skip", crop=detector.crop
    )
    settings = replace(settings, source=replace(settings.source, detector=detector))
    record, _ = run(settings, catalogue, Silent())
    assert record.protocol.crop == detector.crop
    assert detector.crop.startswith("mine:least=0.25@sha256:")
    assert record.data.excluded == {}
    whole, _ = runs("base", catalogue=catalogue, epochs=1, timing="skip", out="whole")
    assert whole.data.pixels_sha256 != record.data.pixels_sha256


def test_run_trackers_is_called_once_and_starts_what_is_named(plugin: Make, runs: Runs) -> None:
    source = """
from agfer_bench import TrackerSpec, hookimpl

calls, started, heard = [], [], []

class Tracker:
    @hookimpl
    def epoch_finished(self, event):
        heard.append(event.epoch)

def start(folder, *, every: int = 1):
    started.append((folder, every))
    return Tracker()

def never(folder):
    raise AssertionError("nobody named it")

@hookimpl
def run_trackers():
    calls.append(1)
    return [
        TrackerSpec(name="mine", start=start, summary=""),
        TrackerSpec(name="other", start=never, summary=""),
    ]
"""
    point = plugin("trackers", source)
    catalogue = own(point)
    seen = point.load()
    runs("base", catalogue=catalogue, timing="skip", out="first")
    assert (seen.calls, seen.started, seen.heard) == ([1], [], []), "once, and nothing is started"
    catalogue.track("mine:every=2=some/where")
    runs("base", catalogue=catalogue, timing="skip", out="second")
    assert (seen.calls, seen.started) == ([1], [(Path("some/where"), 2)])
    assert seen.heard == [0, 1, 0, 1], "two epochs of two folds"


EPOCHS = """
import random
import torch
from agfer_bench import hookimpl

heard = []

@hookimpl
def epoch_finished(event):
    torch.rand(3), random.random()  # as a library that makes up names for its runs
    heard.append(event)
"""


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_epoch_finished_is_called_for_each_epoch_of_the_record(
    jobs: int, plugin: Make, runs: Runs
) -> None:
    alone, _ = runs("se", timing="skip", seeds=2, out="alone")
    point = plugin("curves", EPOCHS)
    record, _ = runs("se", catalogue=own(point), timing="skip", seeds=2, jobs=jobs)
    heard = point.load().heard
    expected = [
        (one.fold, seed, fold_epoch, epoch.loss, epoch.validation_accuracy, epoch.seconds, one.job)
        for seed, folds in enumerate(record.modules[0].seeds)
        for one in folds
        for fold_epoch, epoch in enumerate(one.history)
    ]
    told = [
        (e.fold, e.seed, e.epoch, e.loss, e.validation_accuracy, e.seconds, e.job) for e in heard
    ]
    assert len(told) == 2 * 2 * 2, "seeds, folds, epochs"
    assert sorted(told) == sorted(expected)
    assert jobs > 1 or told == expected, "in order"
    assert {(e.module, e.epochs, e.protocol) for e in heard} == {
        ("se", 2, record.protocol_fingerprint)
    }
    weights = [fold.final_weights_sha256 for fold in record.modules[0].trainings]
    assert weights == [fold.final_weights_sha256 for fold in alone.modules[0].trainings], (
        "what it draws moves no number"
    )


def test_epoch_finished_is_left_alone_for_the_run_once_it_has_failed(
    plugin: Make, runs: Runs
) -> None:
    class Notes(Silent):
        def __init__(self) -> None:
            self.heard: list[str] = []

        def note(self, text: str) -> None:
            self.heard.append(text)

    failing = """
from agfer_bench import hookimpl

calls = []

@hookimpl
def epoch_finished():
    calls.append(1)
    raise OSError("no route\\nto host")
"""
    bad, good = plugin("bad", failing), plugin("good", EPOCHS)
    catalogue, notes = own(bad, good), Notes()
    settings = runs.settings("base", catalogue=catalogue, timing="skip")
    record, _ = run(settings, catalogue, notes)
    assert record.modules[0].error is None
    assert notes.heard == [
        "plugin bad: epoch_finished: OSError: no route to host; not called again in this run"
    ]
    assert bad.load().calls == [1]
    assert len(good.load().heard) == 4, "the others go on hearing"
    run(replace(settings, fresh=True, done=set()), catalogue, notes)
    assert (bad.load().calls, len(notes.heard)) == ([1, 1], 2), "another run, another try"


def test_epoch_finished_costs_nothing_where_nobody_listens() -> None:
    assert announcer(own().listeners, load_preset("quick"), Silent()) is None


def test_run_finished_is_called_once_after_all_is_written(plugin: Make, runs: Runs) -> None:
    source = """
from agfer_bench import hookimpl

calls = []

@hookimpl
def run_finished(record, folder):
    calls.append((record, folder, sorted(path.name for path in folder.iterdir())))
    raise RuntimeError("no network")
"""
    point = plugin("uploads", source)
    catalogue = own(point)
    record, folder = runs("base", catalogue=catalogue, epochs=1, timing="skip")
    ((given, where, names),) = point.load().calls
    assert given == record
    assert where == folder
    assert {"record.json", "predictions.parquet", "table.md", "table.csv"} <= set(names)
    assert load_run(folder) == record, "what it raised changes nothing"


@pytest.fixture(scope="module")
def page() -> ModuleType:
    """Execute all of the document's Python, from top to bottom."""
    module = ModuleType("writing_plugins")
    for source in BLOCKS:
        _run(source, module)
    return module


def test_the_documents_block_works(plugin: Make) -> None:
    source = next(one for one in BLOCKS if "def attention_modules" in one)
    catalogue = load_catalogue([plugin("channel-mix", source)])
    assert not catalogue.problems
    slot = Slot(channels=8, height=6, width=5, classes=7, stage=2)
    for text, count in (("channel-mix", 4), ("channel-mix:reach=2:residual=true", 6)):
        (chosen,) = catalogue.choose_modules(text)
        assert try_block(chosen, [slot]).marks == ()
        block = build_block(chosen, slot)
        assert sum(one.numel() for one in block.parameters()) == count
    x = torch.ones(1, 8, 6, 5)
    (chosen,) = catalogue.choose_modules("channel-mix:reach=0")
    plain = build_block(chosen, slot)
    weight, bias = (one.item() for one in plain.parameters())
    expected = 1 / (1 + np.exp(-(weight + bias)))
    torch.testing.assert_close(plain(x), torch.full_like(x, expected))


def test_the_documents_second_input_works(page: ModuleType) -> None:
    spec = AttentionSpec(name="mine", build=lambda slot: page.Gate(), source="", summary="")
    (found,) = find_blocks(spec)
    slot = Slot(channels=8, height=6, width=5, classes=7, stage=3, previous=(4, 12, 10))
    try_block(found.chosen, [slot])
    block = build_block(found.chosen, slot)
    assert isinstance(block, WithInputs)
    x = torch.ones(1, 8, 6, 5)
    noise = block.stand_in("before")[:1]
    torch.testing.assert_close(block(x), torch.sigmoid(noise.mean()) * x)


def test_the_documents_classifier_works(page: ModuleType) -> None:
    (spec,) = page.face_classifiers()
    classifier = spec.build(0)
    random = np.random.default_rng(0)
    means = random.integers(60, 190, (3, 6, 5, 3))
    labels = np.arange(30) % 3
    pixels = (means[labels] + random.integers(-50, 50, (30, 6, 5, 3))).astype(np.uint8)
    classifier.fit(pixels[:21], labels[:21], None)
    flat = pixels.reshape(30, -1).astype(float)
    by_hand = np.stack([flat[:21][labels[:21] == one].mean(axis=0) for one in range(3)])
    expected = ((flat[21:, None] - by_hand) ** 2).sum(axis=2).argmin(axis=1)
    answer = classifier.predict(pixels[21:])
    assert answer.shape == (9, 3)
    np.testing.assert_array_equal(answer.argmax(axis=1), expected)
    np.testing.assert_array_equal(answer.sum(axis=1), 1)


def test_the_documents_reader_works(page: ModuleType, tmp_path: Path) -> None:
    for name in ("anger_ada", "fear_bob", "boredom_eve"):
        assert cv2.imwrite(str(tmp_path / f"{name}.png"), np.zeros((8, 8, 3), np.uint8))
    (spec,) = page.face_datasets()
    table = spec.read(Place(folder=tmp_path, cache=tmp_path))
    assert [(one.emotion, one.subject) for one in table.images] == [
        ("anger", "ada"),
        ("fear", "bob"),
    ]
    assert table.notes == ("1 images of other emotions",)
    with pytest.raises(page.UserError, match="there is no folder"):
        spec.read(Place(folder=tmp_path / "gone", cache=tmp_path))


def test_the_documents_detector_works(page: ModuleType) -> None:
    (spec,) = page.face_detectors()
    detector = spec.load(None, share=0.5)
    assert detector.weights
    found = detector.detect(np.zeros((200, 400, 3), np.uint8))
    assert found.box == (150, 50, 100, 100)
    assert found.left_eye == (180, 85)
    assert detector.detect(np.zeros((63, 400, 3), np.uint8)).reason == "no face"
    with pytest.raises(page.UserError, match="above 0 and at most 1"):
        spec.load(None, share=2)


def test_the_documents_listener_works(page: ModuleType, tmp_path: Path) -> None:
    published = ROOT / "results" / "published" / "quick-synthetic-cpu" / "record.json"
    (tmp_path / "record.json").write_bytes(published.read_bytes())
    page.run_finished(folder=tmp_path)
    assert (tmp_path / "modules.txt").read_text().split() == ["base", "agfer", "se", "cbam"]


def test_the_documents_tracker_writes_each_epoch(
    page: ModuleType, tmp_path: Path, runs: Runs
) -> None:
    catalogue = own()
    spec = page.run_trackers()[0]
    entry = replace(catalogue.trackers["tensorboard"], spec=spec)
    catalogue.trackers["lines"] = entry
    catalogue.track(f"lines={tmp_path / 'lines'}")
    record, _ = runs("se", catalogue=catalogue, timing="skip")
    lines = (tmp_path / "lines" / "epochs.csv").read_text().splitlines()
    assert lines == [
        f"se,{fold.fold},{number},{epoch.loss}"
        for fold in record.modules[0].folds
        for number, epoch in enumerate(fold.history)
    ]


def test_the_contract_is_documented_whole() -> None:
    documented = re.split(r"^(?:Required|For information)\. ", DOCUMENT, flags=re.MULTILINE)[1:]
    for text, checks in zip(documented, (REQUIRED, INFORMATIONAL), strict=True):
        rows = re.findall(r"^\| (?!a block|check)([^|-]+?) \|", text.split("\n## ")[0], re.M)
        assert rows == [check.says for check in checks]


def _tutorial(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [TUTORIAL, *map(str, arguments)], capture_output=True, text=True, check=False
    )


@pytest.fixture
def page_of(tmp_path: Path) -> Callable[[str], Path]:
    def make(commands: str) -> Path:
        path = tmp_path / "page.md"
        path.write_text(f"# Page\n\n```text\nfalse\n```\n\n```bash\n{commands}```\nend\n")
        return path

    return make


def test_the_tutorials_commands_are_those_of_the_issue() -> None:
    commands = runpy.run_path(str(TUTORIAL))["commands_of"](DOCUMENT)
    steps = [
        "agfer-bench modules new my-gate",
        "python -m pip install -e 'my-gate[test]'",
        "agfer-bench modules check my-gate",
        "agfer-bench run --modules my-gate,se",
    ]
    places = [next(n for n, line in enumerate(commands) if line.startswith(s)) for s in steps]
    assert places == sorted(places)


def test_the_tutorial_runs_in_one_folder_and_stops_at_the_first_failure(
    page_of: Callable[[str], Path],
) -> None:
    page = page_of("echo 3 > here\n[ $(cat here) = 3 ]\nfalse\necho never\n")
    done = _tutorial("--document", page, "--bin", Path(sys.executable).parent)
    assert done.returncode == 1
    assert "failed with exit code 1: false" in done.stdout
    assert "never" not in done.stdout


def test_the_tutorial_may_take_so_long(page_of: Callable[[str], Path]) -> None:
    page = page_of("sleep 0.2\n")
    arguments = ("--document", page, "--bin", Path(sys.executable).parent)
    assert _tutorial(*arguments).returncode == 0
    done = _tutorial(*arguments, "--seconds", "0.1")
    assert done.returncode == 1
    assert "too slow" in done.stdout
