"""Locks: what another process holds is put off, waited for, and taken over when it died."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import filelock
import pytest

from agfer_bench.cli.console import ProgressBars
from agfer_bench.errors import UserError
from agfer_bench.run.runner import run
from agfer_bench.run.store.locks import Locks
from agfer_bench.run.store.store import Store
from tests.cli.test_speed import SHARED, TINY
from tests.cli.test_speed import _run as run_speed
from tests.run.support import Runs, own, without_times
from tests.run.test_pool import Told

pytestmark = pytest.mark.slow

HOLD = """
import sys
from pathlib import Path
from agfer_bench.run.store.locks import Locks
locks = Locks(Path(sys.argv[1]), print)
assert all(locks.take(name) for name in sys.argv[2:])
print("held", flush=True)
sys.stdin.read()
"""


class Holder:
    """Another process that holds locks until it is killed."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(folder), *names],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "held\n"

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def hold() -> Any:
    holders: list[Holder] = []

    def start(folder: Path, *names: str) -> Holder:
        holders.append(Holder(folder, *names))
        return holders[-1]

    yield start
    for holder in holders:
        holder.kill()


Hold = Callable[..., Holder]


def test_a_lock_is_free_when_its_process_is_killed(tmp_path: Path, hold: Hold) -> None:
    other = hold(tmp_path, "job")
    notes: list[str] = []
    with Locks(tmp_path, notes.append) as locks:
        assert not locks.take("job")
        assert locks.holder("job") == f"process {other.process.pid} on {socket.gethostname()}"
        assert locks.take("another")
        locks.free("another")
        _kill_once_noted(other, notes)
        with locks.holding("job", "the job"):
            assert locks.holder("job") == f"process {os.getpid()} on {socket.gethostname()}"
    assert notes == [f"waiting for the job (process {other.process.pid} on {socket.gethostname()})"]
    with Locks(tmp_path, notes.append) as locks:
        assert locks.take("job"), "the first freed it"
        assert locks.take("job"), "and has it still"


def _run_job_of(runs: Runs, label: str, fold: int, out: str) -> str:
    """Run elsewhere, and return the key of a job."""
    record, _ = runs("base,se", out=out)
    (module,) = [module for module in record.modules if module.label == label]
    return module.folds[fold].job


def _until(notes: list[str]) -> None:
    """Wait until a wait has been noted, however slow the machine; not for ever."""
    deadline = time.monotonic() + 120
    while not notes and time.monotonic() < deadline:
        time.sleep(0.01)


def _kill_once_noted(other: Holder, notes: list[str]) -> None:
    def end() -> None:
        _until(notes)
        other.kill()

    threading.Thread(target=end).start()


@pytest.mark.parametrize("how", ["it is done", "the other process dies"])
def test_a_job_that_another_process_trains_is_put_off_and_waited_for(
    runs: Runs, hold: Hold, count_jobs: list[str], how: str
) -> None:
    key = _run_job_of(runs, "se", 0, "elsewhere")
    before, _ = runs("base,se", out="elsewhere")
    count_jobs.clear()
    out, told = runs.folder / "out", Told()
    other = hold(out / "locks", key)

    def end() -> None:
        while len(count_jobs) < 3:  # the other jobs go first
            time.sleep(0.01)
        _until(told.notes)
        if how == "it is done":
            shutil.copytree(runs.folder / "elsewhere" / "jobs" / key, out / "jobs" / key)
        other.kill()

    thread = threading.Thread(target=end)
    thread.start()
    record, _ = run(runs.settings("base,se"), own(), told)
    thread.join()
    assert count_jobs == ["base", "base", "se"] + ["se"] * (how != "it is done")
    assert without_times(record) == without_times(before)
    assert told.notes == [
        "waiting for se, fold 1: another process trains it "
        f"(process {other.process.pid} on {socket.gethostname()})"
    ]


def test_fresh_does_again_what_another_process_has_just_done(
    runs: Runs, count_jobs: list[str]
) -> None:
    runs("base")
    runs("base", fresh=True)
    assert count_jobs == ["base"] * 4


def test_a_row_that_fails_still_waits_for_its_earlier_folds(
    runs: Runs, hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    from agfer_bench.run.jobs import network as job

    key = _run_job_of(runs, "se", 0, "elsewhere")
    out, real = runs.folder / "out", job._attempt
    other, ended = hold(out / "locks", key), threading.Event()

    def faulty(one: job.Job, *rest: Any) -> Any:
        if one.chosen.label == "se" and one.fold.number == 1:
            ended.set()
            raise RuntimeError("in fold 2")
        return real(one, *rest)

    def end() -> None:
        ended.wait()
        shutil.copytree(runs.folder / "elsewhere" / "jobs" / key, out / "jobs" / key)
        other.kill()

    monkeypatch.setattr(job, "_attempt", faulty)
    thread = threading.Thread(target=end)
    thread.start()
    record, _ = runs("base,se")
    thread.join()
    se = record.modules[1]
    assert se.error == "fold 2: agfer-bench: RuntimeError: in fold 2"
    assert [fold.fold for fold in se.folds] == [0]


def test_what_a_killed_process_left_half_is_swept(runs: Runs) -> None:
    key = _run_job_of(runs, "se", 0, "elsewhere")
    store, hex_ = Store(runs.folder / "out"), "0" * 32
    (store.out / "jobs" / f".{key}.{hex_}").mkdir(parents=True)
    store.checkpoints.mkdir()
    for path in (store.checkpoint(key), store.draft_weights(key)):
        path.with_name(f".{path.name}.{hex_}").write_text("half")
    store.draft_weights(key).write_text("whole, but the job was never kept")
    other = store.out / "jobs" / f".{'f' * 64}.{hex_}"
    other.mkdir()
    _, folder = runs("base,se", out="elsewhere")
    half = store.out / folder.name / f".record.json.{hex_}"
    half.parent.mkdir()
    half.write_text("half")
    runs("base,se")
    assert list(store.out.rglob(".*")) == [other], "that job is not of this run"
    assert list(store.checkpoints.iterdir()) == []


def test_what_a_process_noted_that_was_killed_after_its_job_was_kept(runs: Runs) -> None:
    record, folder = runs("base")
    note = folder.parent / "locks" / f"{record.modules[0].folds[0].job}.json"
    assert not note.exists()
    note.write_text('{"pid": 1')  # half-written at that
    runs("base")
    assert not note.exists()


@pytest.mark.parametrize(
    "error", [NotImplementedError("no flock here"), OSError(38, "Function not implemented")]
)
def test_a_file_system_without_locks_is_told_once(
    runs: Runs, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(filelock.FileLock, "acquire", fail)
    told = Told()
    record, _ = run(runs.settings("base,se"), own(), told)
    assert [module.error for module in record.modules] == [None, None]
    (note,) = told.notes
    assert "takes no locks" in note
    assert "only one process" in note


def test_a_full_disk_is_no_file_system_without_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else two processes would train the same job, and each believe that it is alone."""

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(filelock.FileLock, "acquire", fail)
    notes: list[str] = []
    with Locks(tmp_path / "locks", notes.append) as locks:
        with pytest.raises(
            UserError, match=r"cannot lock in .*No space left on device; free space"
        ):
            locks.take("job")
        assert locks.able
    assert notes == []


def test_comparisons_of_speed_wait_for_each_other(
    tmp_path: Path,
    hold: Hold,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = hold(tmp_path / "out" / "locks", "speed")
    notes: list[str] = []
    say = ProgressBars.note

    def note(bars: ProgressBars, text: str) -> None:
        say(bars, text)
        if text.startswith("waiting for another comparison"):
            notes.append(text)

    monkeypatch.setattr(ProgressBars, "note", note)
    _kill_once_noted(other, notes)
    words = ("--modules", "base", *TINY, *SHARED, "--out", tmp_path / "out")
    code, _, err = run_speed(capsys, "speed", *words)
    assert code == 0
    assert "waiting for another comparison of speed on this folder (process " in err
    assert len(list((tmp_path / "out").glob("speed-*/record.json"))) == 1


def test_two_equal_commands_do_not_measure_at_once(runs: Runs, hold: Hold) -> None:
    record, folder = runs("base", timing="keep")
    other, told = hold(folder.parent / "locks", f"run-{folder.name}"), Told()
    _kill_once_noted(other, told.notes)
    again, _ = run(replace(runs.settings("base"), timing="keep"), own(), told)
    assert again == record
    (note,) = told.notes
    assert note.startswith("waiting for ")
    assert f"process {other.process.pid} on" in note
