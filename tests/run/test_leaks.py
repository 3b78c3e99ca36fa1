"""Nothing of the validation fold or of the second set moves what is learned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from agfer_bench.faces.folds import Fold
from agfer_bench.faces.mask import default_mask
from agfer_bench.protocol import load_preset
from agfer_bench.records.run import FoldRecord
from agfer_bench.run.jobs.network import Job, run_job
from tests.run.support import TINY, own

TRAIN, VALIDATION = np.arange(0, 16), np.arange(16, 24)


@pytest.fixture(scope="module")
def job() -> Job:
    random = np.random.default_rng(0)
    protocol = load_preset("quick").with_settings(TINY | {"normalisation": "zero-centre"})
    (chosen,) = own().choose_modules("se")
    return Job(
        chosen=chosen,
        protocol=protocol,
        fold=Fold(number=0, train=TRAIN, validation=VALIDATION),
        pixels_NHWC=random.integers(0, 256, (24, 32, 32, 3), dtype=np.uint8),
        labels_N=np.arange(24, dtype=np.int64) % 3,
        names=[f"{number}.png" for number in range(24)],
        subjects=[f"s{number}" for number in range(24)],
        test=None,
        classes=("anger", "fear", "sadness"),
        mask=default_mask(32),
        device=torch.device("cpu"),
        memory_format="channels_last",
        key="0",
    )


def _learned(job: Job) -> dict[str, object]:
    """Train, and return all that the training fold alone should decide."""
    record: FoldRecord
    record, _ = run_job(job, lambda epoch, loss: None)
    return {
        "weights": record.class_weights,
        "mean": record.channel_mean,
        "std": record.channel_std,
        "losses": [epoch.loss for epoch in record.history],
        "train": record.train_confusion,
        "order": record.batch_order_sha256,
    }


def _brighter(job: Job, indices: np.ndarray) -> Job:
    pixels = job.pixels_NHWC.copy()
    pixels[indices] = np.minimum(pixels[indices], 200) + 50
    return replace(job, pixels_NHWC=pixels)


def _relabelled(job: Job, index: int) -> Job:
    labels = job.labels_N.copy()
    labels[index] = (labels[index] + 1) % 3
    return replace(job, labels_N=labels)


def test_pixels_of_the_validation_fold_move_nothing_that_is_learned(job: Job) -> None:
    assert _learned(_brighter(job, VALIDATION)) == _learned(job)


def test_labels_of_the_validation_fold_move_nothing_that_is_learned(job: Job) -> None:
    assert _learned(_relabelled(job, int(VALIDATION[0]))) == _learned(job)


def test_pixels_of_the_training_fold_move_means_and_losses(job: Job) -> None:
    before, after = _learned(job), _learned(_brighter(job, TRAIN[:4]))
    for what in ("mean", "std", "losses"):
        assert before[what] != after[what], what
    assert before["weights"] == after["weights"]


def test_labels_of_the_training_fold_move_the_class_weights(job: Job) -> None:
    before, after = _learned(job), _learned(_relabelled(job, 0))
    assert before["weights"] == pytest.approx((16 / 18, 16 / 15, 16 / 15)), "equation 2 by hand"
    assert after["weights"] == pytest.approx((16 / 15, 16 / 18, 16 / 15))
    assert before["mean"] == after["mean"]
