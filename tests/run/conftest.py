"""Fixtures of the tests of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from agfer_bench.run import runner
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

    monkeypatch.setattr(runner, "run_job", counting)
    return done


@pytest.fixture(scope="session")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a second set of blobs: other people, two age groups, one class less and one more."""
    folder = tmp_path_factory.mktemp("others")
    random = np.random.default_rng(1)
    lines = ["file_name,emotion,subject,age_group"]
    for number, emotion in ((0, "anger"), (1, "happiness"), (2, "fear")):
        for subject in range(5):
            image = random.integers(0, 60, (40, 40, 3), dtype=np.uint8)
            image[5 + 10 * number : 15 + 10 * number, 8:32] += 150
            assert cv2.imwrite(str(folder / f"{emotion}{subject}.png"), image)
            age = "old" if subject < 2 else "young"
            lines.append(f"{emotion}{subject}.png,{emotion},t{subject},{age}")
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n")
    return folder
