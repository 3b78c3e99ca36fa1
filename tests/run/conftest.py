"""Fixtures of the tests of runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agfer_bench.run.jobs import guarded as outcome
from agfer_bench.run.jobs.classifier import run_classifier
from agfer_bench.run.jobs.network import run_job
from tests.run.support import Runs


@pytest.fixture
def runs(blobs: Path, tmp_path: Path) -> Runs:
    return Runs(blobs, tmp_path)


@pytest.fixture
def count_jobs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows with the label of each job that really runs."""
    done: list[str] = []

    def counting(real: Callable[..., Any]) -> Callable[..., Any]:
        def run(job: Any, *rest: Any) -> Any:
            done.append(job.chosen.label)
            return real(job, *rest)

        return run

    monkeypatch.setattr(outcome, "run_job", counting(run_job))
    monkeypatch.setattr(outcome, "run_classifier", counting(run_classifier))
    return done
