"""Fixtures of the tests of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agfer_bench.run import outcome
from agfer_bench.run.job import run_job
from tests.run.support import Runs


@pytest.fixture
def runs(blobs: Path, tmp_path: Path) -> Runs:
    return Runs(blobs, tmp_path)


@pytest.fixture
def count_jobs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows with the label of each job that really runs."""
    done: list[str] = []
    real = run_job

    def counting(job: Any, on_epoch: Any) -> Any:
        done.append(job.chosen.label)
        return real(job, on_epoch)

    monkeypatch.setattr(outcome, "run_job", counting)
    return done
