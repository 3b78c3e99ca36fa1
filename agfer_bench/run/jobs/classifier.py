"""One job of a classifier of its own: fitted on one fold, and judged; no host, no GPU.

A classifier is a stranger's code, as a block is: it is built before it is trusted, and whatever it
does wrong is raised as an error that names its distribution.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from agfer_bench.errors import PluginError, UserError, describe
from agfer_bench.network.build import CPU, LEAVE
from agfer_bench.plugin.catalogue import Chosen
from agfer_bench.plugin.containment import contained, told
from agfer_bench.plugin.specs import ClassifierSpec, FaceClassifier
from agfer_bench.records.run import FoldRecord
from agfer_bench.run.jobs.base import FoldJob
from agfer_bench.run.jobs.evaluation import record_of
from agfer_bench.seeds import derive_seed, seeded
from agfer_bench.training.loss import class_weights

SETTINGS = ("class_weights", "seed")
"""Settings of the protocol that move a classifier's numbers, beside those of crops and folds."""

_PART = 256
"""Images that a classifier is asked about at once: crops of a large set do not fit in memory."""

_ROUNDING = 1e-3
"""What the probabilities of an image may differ from 1 by, all together."""


@dataclass(frozen=True, kw_only=True)
class ClassifierJob(FoldJob):
    """Everything that one training of a classifier needs."""

    chosen: Chosen[ClassifierSpec]
    """The classifier and its options."""


def build_classifier(chosen: Chosen[ClassifierSpec], seed: int) -> FaceClassifier:
    """Build one classifier.

    Raises:
        UserError: The plugin says that an option's value is wrong.
        PluginError: The plugin raised anything else, returned something that is no classifier, or
            changed what other modules run under (which is put back).
    """
    owner, name = chosen.entry.distribution, chosen.label
    try:
        with contained(draws=True) as changes:
            classifier: Any = chosen.entry.spec.build(seed, **chosen.arguments())
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(owner, f"{name}: build failed: {describe(error)}") from error
    if changes:
        raise PluginError(owner, f"{name}: build {told(changes)}; {LEAVE}")
    for method in ("fit", "predict"):
        if not callable(getattr(classifier, method, None)):
            kind = type(classifier).__name__
            raise PluginError(owner, f"{name}: build returned {kind}, which has no {method}()")
    return classifier  # type: ignore[no-any-return]


def try_classifier(chosen: Chosen[ClassifierSpec]) -> None:
    """Build a classifier before any data are read.

    Raises:
        UserError: The plugin says that an option's value is wrong.
        PluginError: The classifier cannot be built, or is not a new one each time.
    """
    with seeded(CPU, 0):
        first, second = (build_classifier(chosen, seed) for seed in (0, 0))
    if first is second:  # it would be fitted on one fold and judged on another
        raise PluginError(
            chosen.entry.distribution,
            f"{chosen.label}: build returned what it had returned before; it must make a new one",
        )


def run_classifier(job: ClassifierJob) -> tuple[FoldRecord, pd.DataFrame]:
    """Fit and judge; neither prints nor changes global state.

    Returns:
        The fold's record, and a row for each image judged, as of a network.

    Raises:
        PluginError: The classifier cannot be built, or what it predicts is no prediction.
    """
    fold, labels_N = job.fold, job.labels_N[job.fold.train]
    weights = weights_N = None
    if job.protocol.class_weights:
        weights = class_weights(labels_N, len(job.classes))
        weights_N = np.asarray(weights)[labels_N]
    seed = derive_seed(job.protocol.seed, "classifier", fold.number)
    # scikit-learn's numerical libraries take all cores unless told: jobs side by side would fight
    # for them, and sums would depend on how many there are.
    with seeded(CPU, seed), threadpool_limits(torch.get_num_threads()):
        classifier = build_classifier(job.chosen, seed)
        pixels_NHWC = np.asarray(job.pixels_NHWC[fold.train])
        began = time.perf_counter()
        classifier.fit(pixels_NHWC, labels_N, weights_N)
        seconds = time.perf_counter() - began
        del pixels_NHWC
        validation = _judge(job, classifier, job.pixels_NHWC, fold.validation)
        train = _judge(job, classifier, job.pixels_NHWC, fold.train)
        found = None
        if job.test is not None:
            found = _judge(job, classifier, job.test.pixels_NHWC, job.test.indices)
    return record_of(
        job,
        validation=validation,
        train=train,
        test=found,
        masked_confusion=None,
        class_weights=weights,
        channel_mean=None,
        channel_std=None,
        history=(),
        fit_seconds=seconds,
        peak_memory_bytes=None,
        peak_memory_method=None,
        host_weights_sha256=None,
        batch_order_sha256=None,
        execution=None,
    )


def _judge(
    job: ClassifierJob,
    classifier: FaceClassifier,
    pixels_NHWC: NDArray[np.uint8],
    indices: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Return the probabilities of some images: (V, M)."""
    parts = [
        _checked(job, classifier.predict(np.asarray(pixels_NHWC[part])), len(part))
        for part in np.split(indices, range(_PART, len(indices), _PART))
    ]
    return np.concatenate(parts)


def _checked(job: ClassifierJob, answer: Any, images: int) -> NDArray[np.float32]:
    fault = _fault(answer, (images, len(job.classes)))
    if fault:
        raise PluginError(job.chosen.entry.distribution, f"{job.chosen.label}: predict {fault}")
    return np.asarray(answer, dtype=np.float32)


def _fault(answer: Any, shape: tuple[int, int]) -> str | None:
    """Say why an answer is no prediction; None where it is one."""
    if not isinstance(answer, np.ndarray) or answer.dtype.kind not in "fiub":
        kind = answer.dtype if isinstance(answer, np.ndarray) else type(answer).__name__
        return f"returned {kind}, not an array of numbers"
    if answer.shape != shape:
        return f"returned the shape {answer.shape}, not {shape}: a row an image, a column a class"
    if not np.isfinite(answer).all():
        return "returned numbers that are not finite"
    if answer.min() < 0 or np.abs(answer.sum(axis=1, dtype=np.float64) - 1).max() > _ROUNDING:
        return "returned rows that are no probabilities, nor one 1 among 0: each must sum to 1"
    return None
