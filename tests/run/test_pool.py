"""Jobs side by side: the same record as one by one, whatever a stranger's block does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from agfer_bench.plugin.finder import load_catalogue
from agfer_bench.progress import Silent
from agfer_bench.records.run import RunRecord
from agfer_bench.run.jobs import network as job
from agfer_bench.run.pool.worker_handle import Handle
from agfer_bench.run.runner import run
from agfer_bench.run.store.address import package_sha256
from agfer_bench.run.store.store import PREDICTIONS
from tests.run.support import HEAD, Runs, install, without_times
from tests.run.test_runner import Make

pytestmark = pytest.mark.slow

# What tells a fold to a block: its seed while it is built.
WHICH = """
import os, pathlib, signal, sys, time
from agfer_bench.seeds import derive_seed

def fold(slot):
    seeds = [derive_seed(0, "block", fold, slot.stage) for fold in range(3)]
    return seeds.index(torch.initial_seed()) if torch.initial_seed() in seeds else None
"""


WITH_FOLD = "block = Block()\n    block.fold = fold(slot)\n    return block"


def _block(name: str, forward: str, build: str = "return Block()") -> str:
    return WHICH + HEAD.format(name=name, forward=forward, build=build)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of installed distributions, which other processes find as well."""
    folder = tmp_path / "site-of-strangers"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


class Told:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, int, int, str]] = []
        self.notes: list[str] = []

    def progress(self, what: str, done: int, total: int, detail: str = "") -> None:
        self.steps.append((what, done, total, detail))

    def note(self, text: str) -> None:
        self.notes.append(text)


def _run(runs: Runs, modules: str, **rest: Any) -> tuple[RunRecord, Path]:
    """Run with all that is installed."""
    catalogue = load_catalogue()
    return run(runs.settings(modules, catalogue=catalogue, **rest), catalogue, Silent())


def test_the_record_is_that_of_one_by_one(
    runs: Runs, others: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, alone = runs("base,agfer,cbam", test=others, out="one")
    settings = runs.settings("base,agfer,cbam", test=others, out="two", jobs=2)
    told = Told()
    two, beside = run(settings, load_catalogue(), told)
    assert without_times(one) == without_times(two)
    pd.testing.assert_frame_equal(
        pd.read_parquet(alone / PREDICTIONS), pd.read_parquet(beside / PREDICTIONS)
    )
    assert alone.name == beside.name
    assert _jobs(alone.parent) == _jobs(beside.parent), "and they have the same addresses"

    steps = [step for step in told.steps if step[0] == "training"]
    done = [step[1] for step in steps]
    assert done == sorted(done)
    assert set(done) == set(range(3 * 2 * 2 + 1)), "each epoch of each job is heard of"
    assert {step[2] for step in steps} == {12}
    assert any(re.fullmatch(r"cbam, fold 2 of 2, loss \d\.\d{3}", step[3]) for step in steps)

    def start(handle: Handle) -> None:
        raise AssertionError("nothing is left to do")

    monkeypatch.setattr(Handle, "start", start)
    again, _ = runs("base,agfer,cbam", test=others, out="one", jobs=2)
    assert again.modules[0].folds == one.modules[0].folds, "times of training too"


def _jobs(out: Path) -> set[str]:
    return {path.name for path in (out / "jobs").iterdir()}


def test_a_process_that_dies_takes_its_job_with_it_and_nothing_else(runs: Runs, site: Path) -> None:
    faults = {
        "exits": "if self.training: os._exit(3)",
        "killed": "if self.training: os.kill(os.getpid(), signal.SIGKILL)",
        "raises": "if self.training: raise LookupError('no such thing')",
        "second": "if self.training and self.fold == 1: 1 / 0",
    }
    for name, fault in faults.items():
        install(site, f"it-{name}", _block(name, f"{fault}\n        return x", WITH_FOLD))
    record, folder = _run(runs, ",".join(["base", *faults, "se"]), epochs=1, jobs=2, out="two")
    by_label = {module.label: module for module in record.modules}
    died = "fold 1: it-{}: the training process died ({})"
    assert {label: (module.error, len(module.folds)) for label, module in by_label.items()} == {
        "base": (None, 2),
        "exits": (died.format("exits", "exit code 3"), 0),
        "killed": (died.format("killed", "signal SIGKILL; if memory ran out, use fewer --jobs"), 0),
        "raises": ("fold 1: it-raises: LookupError: no such thing", 0),
        "second": ("fold 2: it-second: ZeroDivisionError: division by zero", 1),
        "se": (None, 2),
    }
    log = (folder / "errors.log").read_text()
    assert "LookupError: no such thing" in log
    assert log.count("Traceback") == 2
    tame, _ = _run(runs, "base,raises,second,se", epochs=1, out="one")
    beside = record.model_copy(update={"modules": tuple(by_label[m.label] for m in tame.modules)})
    assert without_times(tame) == without_times(beside)


def test_the_first_error_of_a_row_is_that_of_its_lowest_fold(
    runs: Runs, site: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Fold 2 fails while fold 1 still trains; fold 1 fails then, and fold 3 never starts."""
    monkeypatch.setenv("MARKS", str(tmp_path))
    forward = """
        if self.training and self.fold is not None:
            mark = pathlib.Path(os.environ["MARKS"], f"fold{self.fold + 1}")
            mark.touch()
            while self.fold == 0 and not mark.with_name("fold2").exists():
                time.sleep(0.05)
            time.sleep(0.5 * (self.fold == 0))
            raise RuntimeError(f"in fold {self.fold + 1}")
        return x"""
    install(site, "my-late-block", _block("mine", forward, WITH_FOLD))
    record, _ = _run(runs, "mine", folds=3, jobs=2)
    (mine,) = record.modules
    assert mine.error == "fold 1: my-late-block: RuntimeError: in fold 1"
    assert mine.folds == ()
    assert (tmp_path / "fold2").exists()
    assert not (tmp_path / "fold3").exists()


def test_blocks_that_other_processes_cannot_have(runs: Runs, site: Path, plugin: Make) -> None:
    """One is of no installed distribution; another was edited since the run began."""
    block = {"forward": "return x", "build": "return Block()"}
    point = plugin("in-memory", HEAD.format(name="here", **block))
    source = HEAD.format(name="edited", **block)
    install(site, "my-edited-block", source)
    catalogue, told = load_catalogue([*entry_points(group="agfer_bench"), point]), Told()
    settings = runs.settings("base,here,edited", catalogue=catalogue, epochs=1, jobs=2)
    package_sha256(settings.modules[2].entry)
    (site / "my_edited_block.py").write_text(source + "\n")
    record, _ = run(settings, catalogue, told)
    base, here, edited = record.modules
    assert [(module.error, len(module.folds)) for module in (base, here)] == [(None, 2)] * 2
    assert told.notes == ["here is of no installed distribution: trained one job at a time"]
    assert edited.error is not None
    assert edited.error.startswith("fold 1: my-edited-block: 'edited' was changed after the run")


def test_a_script_without_a_guard_is_told_so(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from agfer_bench.run.pool.pool import Pool\n"
        "from agfer_bench.run.pool.worker import Terms\n"
        "Pool(1, Terms(threads=1, gpu=None), print, print).run(iter(['a job']))\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "UserError: a training process could not start (exit code 1)" in done.stderr
    assert 'needs `if __name__ == "__main__":`' in done.stderr


def test_what_is_left_when_the_gpu_is_lost_is_trained_elsewhere(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some faults leave a GPU useless to this process: a row fails, and no other one with it."""
    real = job._attempt

    def faulty(one: job.Job, *rest: Any) -> Any:
        if one.chosen.label == "se":
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        return real(one, *rest)

    monkeypatch.setattr(job, "_attempt", faulty)
    monkeypatch.setattr(job, "is_lost", lambda device: True)
    record, _ = runs("base,se,agfer", timing="skip")
    base, se, agfer = record.modules
    assert se.error is not None
    assert se.error.startswith(
        "fold 1: agfer-bench: DeviceLost: the GPU was lost: RuntimeError: CU"
    )
    for module in (base, agfer):
        assert module.error is None
        assert [fold.fold for fold in module.folds] == [0, 1]
