"""Jobs side by side: the same record as one by one, whatever a stranger's block does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from agfer_bench.catalogue import load_catalogue
from agfer_bench.records import RunRecord
from agfer_bench.run import job
from agfer_bench.run.address import package_sha256
from agfer_bench.run.handle import Handle
from agfer_bench.run.reporter import Silent
from agfer_bench.run.runner import run
from agfer_bench.run.store import PREDICTIONS
from tests.run.support import HEAD, Runs, install, own, without_times
from tests.run.test_runner import Make

ROOT = Path(__file__).resolve().parents[2]

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
    deaths = {
        "exits": "os._exit(3)",
        "killed": "os.kill(os.getpid(), signal.SIGKILL)",
        "crashes": "os.kill(os.getpid(), signal.SIGSEGV)",
        "raises": "raise LookupError('no such thing')",
        "nan": "return x * self.scale * float('nan')",
    }
    for name, death in deaths.items():
        forward = f"if self.training: {death}\n        return x"
        install(site, f"it-{name}", _block(name, forward))
    modules = ",".join(["base", *deaths, "se"])
    record, folder = _run(runs, modules, epochs=1, jobs=2)
    errors = {module.label: module.error for module in record.modules}
    died = "fold 1: it-{}: the training process died ({})"
    assert errors == {
        "base": None,
        "exits": died.format("exits", "exit code 3"),
        "killed": died.format("killed", "signal SIGKILL; if memory ran out, use fewer --jobs"),
        "crashes": died.format("crashes", "signal SIGSEGV"),
        "raises": "fold 1: it-raises: LookupError: no such thing",
        "nan": "fold 1: it-nan: TrainingError: the loss became nan in epoch 1",
        "se": None,
    }
    assert [len(module.folds) for module in record.modules] == [2, 0, 0, 0, 0, 0, 2]
    log = (folder / "errors.log").read_text()
    assert "LookupError: no such thing" in log
    assert log.count("Traceback") == 2
    tame = ["base", "raises", "nan", "se"]
    one, _ = _run(runs, ",".join(tame), epochs=1, out="one")
    assert {m.label: m.error for m in one.modules} == {name: errors[name] for name in tame}


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


def test_folds_before_the_first_failure_stand(runs: Runs, site: Path) -> None:
    forward = "return x * (1 if not self.training or self.fold != 1 else 1 / 0)"
    install(site, "my-second-block", _block("mine", forward, WITH_FOLD))
    one, _ = _run(runs, "mine", folds=3, epochs=1, out="one")
    two, _ = _run(runs, "mine", folds=3, epochs=1, out="two", jobs=2)
    assert without_times(one) == without_times(two)
    (mine,) = two.modules
    assert [fold.fold for fold in mine.folds] == [0]
    assert mine.error == "fold 2: my-second-block: ZeroDivisionError: division by zero"


def test_a_block_of_no_installed_distribution_is_trained_here(runs: Runs, plugin: Make) -> None:
    source = HEAD.format(forward="return x", build="return Block()", name="mine")
    catalogue, told = own(plugin("in-memory", source)), Told()
    settings = runs.settings("base,mine", catalogue=catalogue, epochs=1, jobs=2)
    record, _ = run(settings, catalogue, told)
    assert [(m.error, len(m.folds)) for m in record.modules] == [(None, 2)] * 2
    assert told.notes == ["mine is of no installed distribution: trained one job at a time"]


def test_a_block_that_was_changed_meanwhile_is_no_longer_the_same(runs: Runs, site: Path) -> None:
    source = _block("mine", "return x")
    install(site, "my-changing-block", source)
    catalogue = load_catalogue()
    settings = runs.settings("mine", catalogue=catalogue, epochs=1, jobs=2)
    package_sha256(settings.modules[0].entry)
    (site / "my_changing_block.py").write_text(source + "\n")
    record, _ = run(settings, catalogue, Told())
    error = record.modules[0].error
    assert error is not None
    assert error.startswith("fold 1: my-changing-block: 'mine' was changed after the run began")


def test_a_script_without_a_guard_is_told_so(blobs: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import pathlib, sys\n"
        "from agfer_bench.run.runner import run\n"
        "from agfer_bench.run.reporter import Silent\n"
        "from agfer_bench.catalogue import load_catalogue\n"
        "from tests.run.support import Runs\n"
        "runs = Runs(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))\n"
        "run(runs.settings('base', jobs=2), load_catalogue(), Silent())\n"
    )
    path = os.pathsep.join([str(ROOT), *sys.path])
    done = subprocess.run(
        [sys.executable, str(script), str(blobs), str(tmp_path)],
        env=os.environ | {"PYTHONPATH": path},
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
