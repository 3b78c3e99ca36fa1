"""Runs that are broken off, disks that are full, and weights that are kept."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from agfer_bench.errors import UserError
from agfer_bench.files import draft_of
from agfer_bench.network.build import build_network
from agfer_bench.network.weights import weights_sha256
from agfer_bench.plugin.finder import load_catalogue
from agfer_bench.records.run import RunRecord
from agfer_bench.run.jobs.guarded import AnyJob
from agfer_bench.run.pool.pool import Pool
from agfer_bench.run.runner import run
from agfer_bench.run.store.store import Store
from tests.run.support import HEAD, Runs, own, without_times
from tests.run.test_pool import Told
from tests.run.test_runner import Make

pytestmark = pytest.mark.slow

FULL = OSError(28, "No space left on device")


class Breaking(Told):
    """A reporter that breaks a run off at the n-th report of training."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self._left = at

    def progress(self, what: str, done: int, total: int, detail: str = "") -> None:
        super().progress(what, done, total, detail)
        if "loss" in detail:
            self._left -= 1
            if self._left == 0:
                raise KeyboardInterrupt


def _settings(runs: Runs, modules: str, **rest: Any) -> Any:
    return replace(runs.settings(modules, **rest), checkpoint_seconds=0.0)


def test_memory_that_ran_out_is_remembered(runs: Runs, plugin: Make) -> None:
    """A checkpoint made with split batches goes on with them, and the record says why."""
    forward = (
        "if self.training and len(x) > 4:\n"
        "            KEPT['large'] = KEPT.get('large', 0) + 1\n"
        "            raise MemoryError\n"
        "        return x * self.scale"
    )
    point = plugin("greedy", HEAD.format(forward=forward, build="return Block()", name="greedy"))
    catalogue = own(point)
    settings = _settings(runs, "greedy", catalogue=catalogue, epochs=3, out="whole", timing="skip")
    whole, _ = run(settings, catalogue, Told())
    assert whole.modules[0].folds[0].micro_batch == 4
    settings = replace(settings, out=runs.folder / "broken")
    kept = sys.modules["plugin_greedy"].KEPT
    kept.clear()
    with pytest.raises(KeyboardInterrupt):
        run(settings, catalogue, Breaking(3))
    assert kept.pop("large") == 1
    (path,) = (settings.out / "checkpoints").glob("*.pt")
    assert torch.load(path, weights_only=True)["micro_batch"] == 4
    told = Told()
    record, _ = run(settings, catalogue, told)
    assert without_times(record) == without_times(whole)
    assert kept["large"] == 1, "of the second fold alone"
    assert told.notes == []
    assert list((settings.out / "checkpoints").iterdir()) == []


def test_memory_that_others_took_meanwhile_costs_no_checkpoint(runs: Runs, plugin: Make) -> None:
    """It was enough when it was broken off: with half the images a pass it is another training."""
    forward = (
        "if self.training and KEPT.get('filled'):\n"
        "            raise MemoryError\n"
        "        return x * self.scale"
    )
    point = plugin("filled", HEAD.format(forward=forward, build="return Block()", name="filled"))
    catalogue = own(point)
    settings = _settings(runs, "filled", catalogue=catalogue, epochs=3, timing="skip")
    whole, _ = run(replace(settings, out=runs.folder / "whole"), catalogue, Told())
    with pytest.raises(KeyboardInterrupt):
        run(settings, catalogue, Breaking(3))
    kept = sys.modules["plugin_filled"].KEPT
    (path,) = (settings.out / "checkpoints").glob("*.pt")
    kept["filled"] = True
    record, _ = run(settings, catalogue, Told())
    assert "out of memory where it was enough before" in (record.modules[0].error or "")
    assert path.is_file()
    kept.clear()
    record, _ = run(settings, catalogue, Told())
    assert without_times(record) == without_times(whole)
    assert not path.exists()


def test_processes_that_are_ended_leave_no_half_checkpoint(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = _settings(runs, "base", epochs=3)

    def interrupted(self: Pool, jobs: Iterator[AnyJob]) -> None:
        path = settings.out / "checkpoints" / f"{next(jobs).key}.pt"
        path.parent.mkdir(parents=True)
        path.touch()
        draft_of(path).touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(Pool, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(replace(settings, jobs=2), load_catalogue(), Told())
    assert [path.suffix for path in (settings.out / "checkpoints").iterdir()] == [".pt"]


def test_a_job_that_is_kept_needs_no_checkpoint(runs: Runs) -> None:
    """Say, of a `--fresh` that was broken off."""
    settings = _settings(runs, "base", epochs=3)
    run(settings, own(), Told())
    with pytest.raises(KeyboardInterrupt):
        run(replace(settings, fresh=True, done=set()), own(), Breaking(3))
    assert len(list((settings.out / "checkpoints").iterdir())) == 1
    run(settings, own(), Told())
    assert list((settings.out / "checkpoints").iterdir()) == []


def test_fresh_leaves_a_checkpoint_aside(runs: Runs) -> None:
    settings = _settings(runs, "base", epochs=3)
    with pytest.raises(KeyboardInterrupt):
        run(settings, own(), Breaking(3))
    told = Told()
    run(replace(settings, fresh=True), own(), told)
    heard = [step[3] for step in told.steps if "loss" in step[3]]
    assert len(heard) == 6, "every epoch of both folds"


def test_a_state_that_does_not_fit_is_trained_anew(runs: Runs) -> None:
    settings = _settings(runs, "se", epochs=3)
    whole, _ = run(replace(settings, out=runs.folder / "whole"), own(), Told())
    with pytest.raises(KeyboardInterrupt):
        run(settings, own(), Breaking(3))
    (path,) = (settings.out / "checkpoints").glob("*.pt")
    content = torch.load(path, weights_only=True)
    del content["network"][next(iter(content["network"]))]
    torch.save(content, path)
    told = Told()
    record, _ = run(settings, own(), told)
    assert without_times(record) == without_times(whole)
    (note,) = told.notes
    assert note.startswith("se, fold 1: ")
    assert "training starts anew" in note


def test_side_by_side_too(runs: Runs) -> None:
    """Another process writes checkpoints, goes on from one, and tells what it could not write."""
    settings = _settings(runs, "base", epochs=3)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        whole, _ = run(replace(settings, out=runs.folder / "whole"), own(), Told())
        with pytest.raises(KeyboardInterrupt):
            run(settings, own(), Breaking(3))
        assert len(list((settings.out / "checkpoints").glob("*.pt"))) == 1
        told = Told()
        record, _ = run(replace(settings, jobs=2), own(), told)
        assert without_times(record) == without_times(whole)
        heard = [step[3] for step in told.steps if "loss" in step[3]]
        assert len(heard) < 6, "some epochs were done"
        blocked = runs.folder / "blocked"
        blocked.mkdir()
        (blocked / "checkpoints").write_text("in the way")
        told = Told()
        record, _ = run(replace(settings, jobs=2, out=blocked), own(), told)
        assert without_times(record) == without_times(whole)
        (note,) = told.notes
        assert "training goes on without checkpoints" in note
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("seconds", [None, 3600.0])
def test_no_number_depends_on_checkpoints(
    runs: Runs, count_jobs: list[str], seconds: float | None
) -> None:
    settings = _settings(runs, "se")
    first, _ = run(settings, own(), Told())
    second, _ = run(replace(settings, checkpoint_seconds=seconds), own(), Told())
    assert count_jobs == ["se", "se"]
    assert first.modules[0].folds == second.modules[0].folds


WRITES = {
    "a job's predictions": "predictions.parquet",
    "a job's record": "record.json",
    "the run's predictions": ".predictions.parquet.",
    "the run's table": ".table.md.",
    "the run's other table": ".table.csv.",
    "the run's record": ".record.json.",
}
"""What finds the disk full, and how the name of its file begins."""


def _fill(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Have a file written half, and then what a full disk raises."""
    write, to_parquet = Path.write_text, pd.DataFrame.to_parquet

    def write_text(self: Path, text: str, **rest: Any) -> int:
        if not self.name.startswith(name):
            return write(self, text, **rest)
        write(self, text[:10], **rest)
        raise FULL

    def write_parquet(self: pd.DataFrame, path: Path, **rest: Any) -> None:
        to_parquet(self, path, **rest)
        if path.name.startswith(name):
            raise FULL

    monkeypatch.setattr(Path, "write_text", write_text)
    monkeypatch.setattr(pd.DataFrame, "to_parquet", write_parquet)


def _content(out: Path) -> dict[str, bytes]:
    """Return what lies in a folder, locks aside."""
    files = (path for path in out.rglob("*") if path.is_file() and path.parent.name != "locks")
    return {str(path.relative_to(out)): path.read_bytes() for path in files}


@pytest.mark.parametrize("what", WRITES)
def test_a_full_disk_leaves_no_half_record(
    runs: Runs, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    settings = _settings(runs, "base", epochs=1)
    whole, _ = run(replace(settings, out=runs.folder / "whole"), own(), Told())
    with monkeypatch.context() as patch:
        _fill(patch, WRITES[what])
        with pytest.raises(UserError, match="No space left on device; free space"):
            run(settings, own(), Told())
    assert list(settings.out.rglob(".*")) == []
    assert list(settings.out.glob("quick-*")) == [], "nor an empty folder"
    assert len(list((settings.out / "jobs").iterdir())) == (0 if "job" in what else 2)
    again, _ = run(settings, own(), Told())
    assert without_times(again) == without_times(whole)


@pytest.mark.parametrize("what", [what for what in WRITES if "run" in what])
def test_a_full_disk_leaves_an_older_run_as_it_was(
    runs: Runs, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    settings = _settings(runs, "base", epochs=1)
    run(settings, own(), Told())
    before = _content(settings.out)
    _fill(monkeypatch, WRITES[what])
    with pytest.raises(UserError, match="free space"):
        run(settings, own(), Told())
    assert _content(settings.out) == before


def test_what_takes_its_place_is_on_the_disk_first(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a power cut could leave an empty file in the place of a whole one."""
    settled: set[int] = set()
    monkeypatch.setattr(os, "fsync", lambda number: settled.add(os.fstat(number).st_ino))
    _, folder = runs("base", timing="skip")
    kept = [*folder.iterdir(), *(folder.parent / "jobs").rglob("*.*")]
    assert len(kept) == 8
    assert {path.stat().st_ino for path in kept} <= settled


@pytest.mark.skipif(sys.platform == "win32", reason="sets a limit of Unix")
@pytest.mark.parametrize(("limit", "ends"), [(100_000, True), (2_000, False)])
def test_files_that_may_not_grow(runs: Runs, limit: int, ends: bool) -> None:
    """The system itself refuses: checkpoints do not fit; with the lower limit nothing does."""
    import resource

    settings = _settings(runs, "base", epochs=3)
    whole, _ = run(replace(settings, out=runs.folder / "whole"), own(), Told())
    told, (soft, hard) = Told(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        if ends:
            record, _ = run(settings, own(), told)
            assert without_times(record) == without_times(whole)
        else:
            with pytest.raises(UserError, match="cannot write"):
                run(settings, own(), told)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(settings.out.rglob(".*")) == []
    assert list((settings.out / "checkpoints").iterdir()) == []
    (note,) = told.notes
    assert note == (
        "base, fold 1: a checkpoint could not be written (File too large): training goes on "
        "without checkpoints, and starts anew if stopped"
    )


def _weights_of(record: RunRecord, folder: Path) -> dict[tuple[str, int], Path]:
    listed = json.loads((folder / "weights.json").read_text())
    assert [(one["module"], one["fold"], one["seed"]) for one in listed] == [
        (module.label, fold.fold, record.protocol.seed)
        for module in record.modules
        for fold in module.folds
    ]
    return {(one["module"], one["fold"]): folder / one["file"] for one in listed}


def test_weights_are_kept_where_they_are_asked_for(runs: Runs, count_jobs: list[str]) -> None:
    before, folder = runs("base,se")
    assert not (folder / "weights.json").exists()
    told = Told()
    settings = replace(runs.settings("base,se"), save_weights=True)
    record, folder = run(settings, own(), told)
    assert without_times(record) == without_times(before)
    assert count_jobs == ["base", "se"] * 4
    assert told.notes == ["jobs that were done without --save-weights are trained again for it"]
    run(settings, own(), told)
    assert len(count_jobs) == 8, "they are there now"
    files = _weights_of(record, folder)
    assert len(set(files.values())) == 4
    for number, fold in enumerate(record.modules[1].folds):
        file = files["se", number]
        with safe_open(file, framework="pt") as reader:
            assert reader.metadata() == {"format": "pt", "module": "se", "job": fold.job}
        network = build_network(
            own().choose_modules("se")[0],
            record.protocol,
            classes=3,
            mask=settings.mask,
            fold=number,
        )
        assert weights_sha256(network) != fold.final_weights_sha256
        network.load_state_dict(load_file(file))
        assert weights_sha256(network) == fold.final_weights_sha256
    assert list((settings.out / "checkpoints").iterdir()) == []
    _, folder = runs("base,se", fresh=True)
    assert not (folder / "weights.json").exists(), "done again, and nobody asked"


def test_an_interruption_after_a_job_was_kept_leaves_its_weights(
    runs: Runs, monkeypatch: pytest.MonkeyPatch, count_jobs: list[str]
) -> None:
    settings = replace(runs.settings("base"), save_weights=True)
    real = Store.save_job

    def interrupted(self: Store, *arguments: Any) -> None:
        real(self, *arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(Store, "save_job", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(settings, own(), Told())
    monkeypatch.setattr(Store, "save_job", real)
    record, folder = run(settings, own(), Told())
    assert count_jobs == ["base", "base"], "the first fold is there, with its weights"
    assert len(_weights_of(record, folder)) == 2


def test_weights_that_share_memory(runs: Runs, plugin: Make) -> None:
    build = "block = Block()\n    block.twin = block.scale\n    return block"
    source = HEAD.format(forward="return x * self.twin", build=build, name="twins")
    catalogue = own(plugin("twins", source))
    settings = runs.settings("twins", catalogue=catalogue, epochs=1, timing="skip")
    record, folder = run(replace(settings, save_weights=True), catalogue, Told())
    assert record.modules[0].error is None
    tensors = load_file(_weights_of(record, folder)["twins", 0])
    (twin,) = (name for name in tensors if name.endswith("2.twin"))
    assert torch.equal(tensors[twin], tensors[twin.replace("twin", "scale")])


def test_weights_that_do_not_fit_on_the_disk(
    runs: Runs, monkeypatch: pytest.MonkeyPatch, count_jobs: list[str]
) -> None:
    def full(tensors: object, path: Path, **_: object) -> None:
        path.write_bytes(b"half")
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    settings = replace(runs.settings("base"), save_weights=True)
    told = Told()
    with monkeypatch.context() as patch:
        patch.setattr("agfer_bench.run.jobs.weights.save_file", full)
        with pytest.raises(UserError, match="weights of base, fold 1 could not be written"):
            run(settings, own(), told)
    assert "No space left" in told.notes[0]
    assert list(settings.out.rglob(".*")) == []
    assert len(list((settings.out / "jobs").iterdir())) == 1, "the numbers are kept"
    _, folder = runs("base")
    assert count_jobs == ["base", "base"]
    record, folder = run(settings, own(), Told())
    assert len(_weights_of(record, folder)) == 2
