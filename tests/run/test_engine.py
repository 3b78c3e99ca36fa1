"""The training engine as a run sees it: memory that runs out, settings that move numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import EntryPoint
from typing import Any

import numpy as np
import pytest

from agfer_bench.errors import UserError
from agfer_bench.progress import Silent
from agfer_bench.report.notes import notes
from agfer_bench.run.runner import run
from tests.run.support import HEAD, Runs, own

Make = Callable[[str, str], EntryPoint]

HUNGRY = """if self.training and len(x) > {most} and x.requires_grad:
            raise torch.OutOfMemoryError('CUDA out of memory')
        return x * self.scale"""


def _hungry(plugin: Make, most: int) -> EntryPoint:
    code = HEAD.format(name="hungry", build="return Block()", forward=HUNGRY.format(most=most))
    return plugin("hungry", code)


@pytest.mark.slow
def test_a_job_that_runs_out_of_memory_goes_on_in_parts(runs: Runs, plugin: Make) -> None:
    catalogue = own(_hungry(plugin, 3))
    record, _ = runs("base,hungry", catalogue=catalogue)
    base, hungry = record.modules
    assert hungry.error is None
    assert [fold.micro_batch for fold in base.folds] == [None, None]
    assert [fold.micro_batch for fold in hungry.folds] == [2, 2], "8 images, then 4, then 2"
    assert "hungry was trained in parts of at most 2 images a pass (out of memory with 4" in (
        "\n".join(notes(record))
    )


def test_a_block_that_has_never_enough_memory_is_a_row_that_says_so(
    runs: Runs, plugin: Make
) -> None:
    record, _ = runs("base,hungry", catalogue=own(_hungry(plugin, 0)))
    base, hungry = record.modules
    assert base.error is None
    assert hungry.error == "fold 1: hungry: OutOfMemoryError: CUDA out of memory"


def test_parts_that_are_asked_for_are_another_job_with_the_same_losses(
    runs: Runs, count_jobs: list[str]
) -> None:
    catalogue = own()
    settings = runs.settings("base", catalogue=catalogue, dropout=0.0, learning_rate=3e-4)
    whole, _ = run(settings, catalogue, Silent())
    parts, _ = run(replace(settings, micro_batch=3), catalogue, Silent())
    assert len(count_jobs) == 4, "kept jobs with whole batches are not those"
    for one, other in zip(whole.modules[0].folds, parts.modules[0].folds, strict=True):
        assert (one.micro_batch, other.micro_batch) == (None, 3)
        assert other.micro_batch_reason is None
        losses = [[epoch.loss for epoch in fold.history] for fold in (one, other)]
        # AdamW divides by small numbers: rounding grows with the steps (see test_loop in fp64).
        np.testing.assert_allclose(losses[0], losses[1], rtol=1e-3)


def test_mirrored_images_and_bf16_move_the_numbers(runs: Runs) -> None:
    losses = {}
    settings: dict[str, dict[str, Any]] = {
        "plain": {},
        "flip": {"augmentation": "flip"},
        "bf16": {"precision": "bf16"},
    }
    for name, changes in settings.items():
        wanted: dict[str, Any] = {"augmentation": "none", "learning_rate": 3e-4, **changes}
        record, _ = runs("base", out=name, **wanted)
        losses[name] = [epoch.loss for epoch in record.modules[0].folds[0].history]
    assert losses["plain"] != losses["flip"]
    assert losses["plain"] != losses["bf16"]
    np.testing.assert_allclose(losses["plain"], losses["bf16"], rtol=0.05)


def test_arithmetic_that_the_device_lacks_ends_the_run_before_data_are_read(runs: Runs) -> None:
    with pytest.raises(UserError, match="precision tf32 is arithmetic of CUDA GPUs"):
        runs("base", precision="tf32")
    assert not (runs.folder / "cache").exists()
