"""How trainings share a machine: threads follow from the protocol, never from `--jobs`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from agfer_bench.errors import UserError
from agfer_bench.plugin.finder import load_catalogue
from agfer_bench.progress import Silent
from agfer_bench.protocol import load_preset
from agfer_bench.run.request import MachineOptions, OutputOptions
from agfer_bench.run.resolve import build_settings
from agfer_bench.run.runner import run
from agfer_bench.run.sharing import MOST, Shares, is_small, share
from agfer_bench.run.store.store import PREDICTIONS
from tests.run.support import Runs, own, without_times

QUICK, PAPER = load_preset("quick"), load_preset("paper")
CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(autouse=True)
def four_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)


def _share(**asked: Any) -> Shares:
    usual: dict[str, Any] = {"cores": 4, "jobs": None, "threads": None}
    protocol, device = asked.pop("protocol", QUICK), asked.pop("device", CPU)
    return share(protocol, device, **usual | asked)


@pytest.mark.parametrize("jobs", [None, 1, 2, 9])
def test_a_small_network_has_one_thread_whatever_the_jobs(jobs: int | None) -> None:
    assert _share(jobs=jobs) == Shares(jobs=jobs or 4, threads=1)
    assert _share(jobs=jobs, cores=1).threads == 1


@pytest.mark.parametrize(
    ("asked", "jobs", "threads"),
    [
        ({"threads": 2}, 2, 2),
        ({"threads": 3}, 1, 3),
        ({"threads": 8}, 1, 8),
        ({"threads": 2, "jobs": 4}, 4, 2),
        ({"cores": 64}, MOST, 1),
        ({"protocol": PAPER}, 1, 4),
        ({"protocol": PAPER, "jobs": 1}, 1, 4),
        ({"protocol": PAPER, "jobs": 2, "threads": 2}, 2, 2),
        ({"protocol": PAPER, "threads": 2}, 2, 2),
        ({"device": CUDA}, 1, 4),
        ({"device": CUDA, "jobs": 3}, 3, 4),
    ],
)
def test_the_rest_of_the_machine(asked: dict[str, Any], jobs: int, threads: int) -> None:
    assert _share(**dict(asked)) == Shares(jobs=jobs, threads=threads)


def test_large_trainings_side_by_side_need_their_threads_named() -> None:
    with pytest.raises(UserError, match=r"--jobs 2: .* has 4 threads, .* add --threads 2"):
        _share(protocol=PAPER, jobs=2)


def test_small_is_told_by_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """VGG16 at 224 px takes 15.3e9 multiply-accumulates an image, 1/64 at 1/8 of the width."""
    assert is_small(QUICK)
    assert not is_small(PAPER)
    assert not is_small(QUICK.with_settings({"batch_size": 10**4}))
    assert is_small(QUICK.with_settings({"host": "timm:resnet10t"}))


def test_settings_from_the_command_line(tmp_path: Path) -> None:
    catalogue = load_catalogue()
    for jobs in (None, 1, 3):
        settings = build_settings(
            catalogue,
            machine=MachineOptions(jobs=jobs, device="cpu"),
            output=OutputOptions(out=tmp_path),
        )
        assert settings.threads == settings.training_threads == 1
        assert settings.jobs == jobs or (jobs is None and settings.jobs >= 1)
    labels = [one.label for one in settings.modules]
    assert labels == ["base", "agfer", "se", "cbam", "linear", "hog-svm", "null"]


@pytest.mark.slow
def test_the_record_does_not_tell_how_many_ran_side_by_side(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This process has other threads than its trainings, which shows only in the timing's."""
    monkeypatch.undo()
    torch.set_num_threads(2)
    settings = runs.settings("base,cbam,linear", guidance_share=0.5, schedule="cosine", seeds=2)
    found = {}
    for jobs in (1, 2):
        one = dataclasses.replace(settings, jobs=jobs, threads=1, out=runs.folder / f"with-{jobs}")
        record, folder = run(one, own(), Silent())
        found[jobs] = (without_times(record), pd.read_parquet(folder / PREDICTIONS), folder.name)
        assert torch.get_num_threads() == 2, "as before"
        assert record.environment.threads == 2
        assert record.environment.training_threads == 1
        assert record.conditions[0].threads == 2, "the timing's own"
    assert found[1][0] == found[2][0]
    pd.testing.assert_frame_equal(found[1][1], found[2][1])
    assert found[1][2] == found[2][2], "the folder too"
