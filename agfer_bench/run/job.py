"""One job: one module trained on one fold, and judged."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from agfer_bench.accuracy import confusion_matrix, mean_recall
from agfer_bench.catalogue import Chosen
from agfer_bench.faces.folds import Fold, names_sha256
from agfer_bench.network.build import build_network
from agfer_bench.network.host import Host
from agfer_bench.protocol import Protocol
from agfer_bench.records import ALL_AGES, Confusion, FoldRecord, MemoryFormat
from agfer_bench.run.cross_database import TestSet
from agfer_bench.seeds import derive_seed, deterministic, generator, seeded
from agfer_bench.specs import AttentionSpec
from agfer_bench.training.batches import BatchOrder, Images, Normaliser, channel_statistics
from agfer_bench.training.loop import fit, predict
from agfer_bench.training.loss import as_tensor, class_weights

VALIDATION, TEST = "validation", "test"
"""What a row of the predictions is from."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """Everything that one training needs."""

    chosen: Chosen[AttentionSpec]
    """The block and its options."""
    protocol: Protocol
    """Every setting."""
    fold: Fold
    """Training and validation images."""
    pixels_NHWC: NDArray[np.uint8]
    """(N, H, W, 3) crops of the whole data set."""
    labels_N: NDArray[np.int64]
    """(N,) classes."""
    names: Sequence[str]
    """Names of the N images."""
    subjects: Sequence[str | None]
    """Who is on each of the N images."""
    test: TestSet | None
    """The second data set, which every trained network is tested on."""
    classes: tuple[str, ...]
    """Names of the classes."""
    mask: NDArray[np.bool_]
    """(H, W) guidance mask."""
    device: torch.device
    """Where to train."""
    memory_format: MemoryFormat
    """How the network's maps lie in memory."""
    key: str
    """SHA-256 of the job's address."""


def run_job(job: Job, on_epoch: Callable[[int, float], None]) -> tuple[FoldRecord, pd.DataFrame]:
    """Train and judge; neither prints nor changes global state.

    The second data set is opened only when training is over.

    Returns:
        The fold's record, and a row for each image of the validation fold and of the second data
        set: what it is from, its name, subject and age group, true and predicted class, and the
        probability of each class.

    Raises:
        PluginError: The block cannot be built.
        TrainingError: The loss or the outputs are not finite.
    """
    protocol, fold = job.protocol, job.fold
    seed = protocol.seed
    mean, std = channel_statistics(job.pixels_NHWC, fold.train)
    images = Images(
        pixels_NHWC=job.pixels_NHWC,
        labels_N=job.labels_N,
        normalise=Normaliser(mean=mean, std=std, scheme=protocol.normalisation),
        device=job.device,
    )
    weights = None
    if protocol.class_weights:
        weights = class_weights(job.labels_N[fold.train], len(job.classes))
    order = batch_order(protocol, fold)
    network = build_network(
        job.chosen,
        protocol,
        classes=len(job.classes),
        mask=job.mask,
        fold=fold.number,
        memory_format=job.memory_format,
    )
    start_weights = host_weights_sha256(network.host)
    network.to(job.device)
    with (
        deterministic(job.device),
        seeded(job.device, derive_seed(seed, "training", fold.number)),
    ):
        history, peak = fit(
            network,
            images,
            order,
            protocol,
            as_tensor(weights, job.device),
            on_epoch,
            lambda: mean_recall(
                _matrix(job, fold.validation, predict(network, images, fold.validation, protocol))
            ),
        )
        probabilities = predict(network, images, fold.validation, protocol)
        train = predict(network, images, fold.train, protocol)
        masked = None
        if network.guidance is not None:
            network.guidance.always = True
            masked = predict(network, images, fold.validation, protocol)
            network.guidance.always = False
        parts = [_predictions(job, probabilities)]
        test_confusions = None
        if job.test is not None:
            test_images = Images(
                pixels_NHWC=job.test.pixels_NHWC,
                labels_N=job.test.labels_N,
                normalise=images.normalise,
                device=job.device,
            )
            found = predict(network, test_images, job.test.indices, protocol)
            test_confusions = _test_confusions(job.test, found, len(job.classes))
            parts.append(_test_predictions(job, job.test, found))
    record = FoldRecord(
        fold=fold.number,
        job=job.key,
        train_images=len(fold.train),
        validation_images=len(fold.validation),
        confusion=_confusion(job, fold.validation, probabilities),
        train_confusion=_confusion(job, fold.train, train),
        masked_confusion=None if masked is None else _confusion(job, fold.validation, masked),
        class_weights=weights,
        channel_mean=mean,
        channel_std=std,
        history=history,
        peak_memory_bytes=peak,
        peak_memory_method="cuda-allocator" if job.device.type == "cuda" else "tensor-tracker",
        host_weights_sha256=start_weights,
        batch_order_sha256=order.sha256,
        split_sha256=names_sha256(job.names, fold.validation),
        test_confusions=test_confusions,
    )
    return record, pd.concat(parts, ignore_index=True)


def batch_order(protocol: Protocol, fold: Fold) -> BatchOrder:
    """Draw the order of a fold's training images: the same for every module.

    Raises:
        UserError: The fold is smaller than one batch, and incomplete batches are dropped.
    """
    return BatchOrder.draw(
        fold.train,
        epochs=protocol.epochs,
        batch_size=protocol.batch_size,
        shuffle=protocol.shuffle,
        drop_last=protocol.drop_last,
        generator=generator(protocol.seed, "order", fold.number),
    )


def host_weights_sha256(host: Host) -> str:
    """Hash the weights of the host without its blocks."""
    digest = hashlib.sha256()
    for part in (host.stages, host.head):
        for name, tensor in part.state_dict().items():
            digest.update(name.encode())
            digest.update(memoryview(tensor.detach().cpu().contiguous().numpy().ravel()))
    return digest.hexdigest()


def _matrix(
    job: Job, indices: NDArray[np.int64], probabilities: NDArray[np.float32]
) -> NDArray[np.int64]:
    return confusion_matrix(job.labels_N[indices], probabilities.argmax(axis=1), len(job.classes))


def _confusion(
    job: Job, indices: NDArray[np.int64], probabilities: NDArray[np.float32]
) -> Confusion:
    return _plain(_matrix(job, indices, probabilities))


def _plain(matrix: NDArray[np.int64]) -> Confusion:
    return tuple(tuple(int(count) for count in row) for row in matrix)


def _test_confusions(
    test: TestSet, probabilities: NDArray[np.float32], classes: int
) -> dict[str, Confusion]:
    """Count the second data set's images per true and predicted class, an age group at a time."""
    true, predicted = test.labels_N[test.indices], probabilities.argmax(axis=1)
    groups = np.asarray([test.groups[index] for index in test.indices])
    return {
        group: _plain(confusion_matrix(true[groups == group], predicted[groups == group], classes))
        for group in test.record.groups or (ALL_AGES,)
    }


def _predictions(job: Job, probabilities: NDArray[np.float32]) -> pd.DataFrame:
    indices = job.fold.validation
    labels = job.labels_N[indices]
    images = {
        "set": VALIDATION,
        "image": [job.names[index] for index in indices],
        "subject": [job.subjects[index] for index in indices],
        "group": None,
    }
    return _frame(job, images, labels, probabilities)


def _test_predictions(job: Job, test: TestSet, probabilities: NDArray[np.float32]) -> pd.DataFrame:
    images = {
        "set": TEST,
        "image": [test.names[index] for index in test.indices],
        "subject": [test.subjects[index] for index in test.indices],
        "group": [test.groups[index] for index in test.indices],
    }
    return _frame(job, images, test.labels_N[test.indices], probabilities)


def _frame(
    job: Job,
    images: Mapping[str, object],
    labels: NDArray[np.int64],
    probabilities: NDArray[np.float32],
) -> pd.DataFrame:
    classes = np.asarray(job.classes)
    columns: dict[str, object] = {
        "module": job.chosen.label,
        "fold": job.fold.number,
        **images,
        "true": classes[labels],
        "predicted": classes[probabilities.argmax(axis=1)],
    }
    columns |= {f"p_{name}": probabilities[:, i] for i, name in enumerate(job.classes)}
    # Texts that are missing throughout would otherwise differ in type from frame to frame.
    return pd.DataFrame(columns).astype(dict.fromkeys(("subject", "group"), "string"))
