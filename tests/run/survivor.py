"""Runs that are killed, and runs side by side, as children of one warm process.

Loading torch takes seconds; a process that has loaded it forks a run in no time. It must have a
single thread, so it is a process of its own that computes nothing: `python -m tests.run.survivor`.
"""

from __future__ import annotations

import gc
import json
import os
import random
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import pyarrow.parquet
import torch

from agfer_bench.run.jobs import guarded as outcome
from agfer_bench.run.jobs.network import run_job
from agfer_bench.run.runner import run as run_all
from agfer_bench.training.checkpoint import Keeper
from tests.run.support import Runs, own

SETTINGS: dict[str, Any] = {"epochs": 5, "curve_every": 3, "width": 0.0625}
PATIENCE = 300.0
"""Seconds after which something that should happen is taken to have failed."""


class Log:
    """A file of lines, each appended in one piece; also what a run is told goes there."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, *words: object) -> None:
        line = " ".join(map(str, words)) + "\n"
        with self._path.open("ab", buffering=0) as file:
            file.write(line.encode())

    def progress(self, what: str, done: int, total: int, detail: str = "") -> None:
        pass

    def note(self, text: str) -> None:
        self("note", text)


def fork(work: Callable[[], object]) -> int:
    """Run something in a child; its exit code is 0 where it returns."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def wait(child: int, patience: float = PATIENCE) -> int:
    """Return a child's exit code, negative for a signal."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise TimeoutError("a run did not end")


def run(runs: Runs, modules: str, out: str, log: Log, **changes: Any) -> None:
    """Run with a checkpoint after every epoch; log trainings, resumptions and notes."""
    torch.set_num_threads(1)
    real = Keeper.resume

    def resume(self: Keeper, *rest: Any) -> Any:
        found = real(self, *rest)
        if found is not None:
            log("resumed", len(found.history))
        return found

    def counting(job: Any, *rest: Any) -> Any:
        log("trained", job.key)
        return run_job(job, *rest)

    setattr(Keeper, "resume", resume)  # noqa: B010
    setattr(outcome, "run_job", counting)  # noqa: B010
    catalogue = own()
    settings = runs.settings(modules, catalogue=catalogue, out=out, **(SETTINGS | changes))
    record, _ = run_all(replace(settings, checkpoint_seconds=0.0), catalogue, log)
    (runs.folder / f"{out}-{os.getpid()}.json").write_text(record.model_dump_json())


def killed(runs: Runs, modules: str, times: int, seed: int) -> dict[str, Any]:
    """Kill runs at random moments, each then resumed to its end; one unbroken run beside them."""

    def begin(out: str) -> int:
        return fork(lambda: run(runs, modules, out, Log(runs.folder / f"{out}.log")))

    unbroken = wait(begin("unbroken"))
    began = time.monotonic()
    wait(begin("measured"))
    length = time.monotonic() - began
    random_ = random.Random(seed)
    moments = [random_.uniform(0, length) for _ in range(times)]

    def kill_after(out: str, moment: float) -> int:
        child = begin(out)
        time.sleep(moment)
        os.kill(child, signal.SIGKILL)
        return wait(child)

    def kill(numbers: range) -> None:
        for number in numbers:
            moment = moments[number]
            while (first := kill_after(f"killed{number}", moment)) == 0:
                # This run was faster than the one that was measured, and over: a sooner moment.
                moment /= 2
                shutil.rmtree(runs.folder / f"killed{number}")
                (runs.folder / f"killed{number}.log").unlink(missing_ok=True)
            ends = [first, wait(begin(f"killed{number}"))]
            (runs.folder / f"killed{number}.json").write_text(json.dumps(ends))

    halves = [fork(lambda: kill(range(half, times, 2))) for half in range(2)]  # noqa: B023
    codes = [unbroken, *(wait(half, times * PATIENCE) for half in halves)]
    return {"codes": codes, "length": length, "moments": moments}


def together(runs: Runs, grids: list[str], out: str) -> dict[str, Any]:
    """Run grids at the same time on one folder."""
    log = Log(runs.folder / f"{out}.log")
    children = [fork(lambda: run(runs, grid, out, log)) for grid in grids]  # noqa: B023
    return {"codes": [wait(child) for child in children], "children": children}


if __name__ == "__main__":
    assert all((cv2, pyarrow))  # loaded before the first fork
    what, blobs, folder, *rest = sys.argv[1:]
    there = Runs(Path(blobs), Path(folder))
    own()
    gc.collect()
    gc.freeze()
    if what == "killed":
        found = killed(there, rest[0], int(rest[1]), int(rest[2]))
    else:
        found = together(there, rest[1:], rest[0])
    sys.stdout.write(json.dumps(found))
