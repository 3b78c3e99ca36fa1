"""Runs that are stopped: what is left, and that what is resumed ends as if nothing had been."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from agfer_bench.records.files import load_run
from agfer_bench.run.store.store import PREDICTIONS
from tests.run.support import without_times

pytestmark = pytest.mark.slow

KILLS = 20
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that forks")


def survive(what: str, blobs: Path, folder: Path, *rest: object) -> dict[str, Any]:
    """Have `survivor` run in a process of its own, and return what it found."""
    command = [sys.executable, "-m", "tests.run.survivor", what, blobs, folder, *rest]
    done = subprocess.run(
        list(map(str, command)),
        cwd=Path(__file__).parents[2],
        env=os.environ | ONE_THREAD,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert set(found["codes"]) == {0}, done.stderr
    return found


def drafts(out: Path) -> list[Path]:
    """What is not whole, or belongs to a job that is over."""
    return [*out.rglob(".*"), *(out / "checkpoints").glob("*"), *(out / "locks").glob("*.json")]


def result(out: Path) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return the record, times aside, and the predictions of the one run in a folder."""
    (folder,) = out.glob("quick-*")
    return without_times(load_run(folder)), pd.read_parquet(folder / PREDICTIONS)


@forks
def test_killed_at_random_moments_and_resumed(blobs: Path, tmp_path: Path) -> None:
    survive("killed", blobs, tmp_path, "base,se", KILLS, 0)
    record, predictions = result(tmp_path / "unbroken")
    broken_off, resumed = 0, Counter[str]()
    for number in range(KILLS):
        out = tmp_path / f"killed{number}"
        first, second = json.loads((tmp_path / f"killed{number}.json").read_text())
        assert second == 0
        broken_off += first == -9
        mine, of_mine = result(out)
        assert mine == record
        pd.testing.assert_frame_equal(of_mine, predictions)
        assert drafts(out) == []
        resumed.update((tmp_path / f"killed{number}.log").read_text().split())
    assert broken_off == KILLS
    assert resumed["resumed"] >= 3, "else nothing shows that a checkpoint is gone on from"
    assert resumed["note"] == 0
