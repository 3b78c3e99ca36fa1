"""One job: one module trained on one fold, and judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from agfer_bench.errors import UserError, describe
from agfer_bench.faces.folds import Fold
from agfer_bench.measure.device_memory import is_lost, is_out_of_memory, release_memory
from agfer_bench.measure.size import multiply_accumulates
from agfer_bench.metrics import mean_recall
from agfer_bench.network.build import Network, build_network
from agfer_bench.network.own_loss import own_losses
from agfer_bench.network.pretrained import Pretrained
from agfer_bench.network.weights import weights_sha256
from agfer_bench.plugin.catalogue import Chosen
from agfer_bench.plugin.specs import AttentionSpec
from agfer_bench.protocol import Protocol
from agfer_bench.records.run import EpochRecord, FoldRecord, GateRecord, MemoryFormat
from agfer_bench.records.timing import Execution
from agfer_bench.run.jobs.base import FoldJob
from agfer_bench.run.jobs.evaluation import (
    confusion_of,
    matrix_of,
    record_of,
)
from agfer_bench.run.jobs.placebos import (
    describe_gate,
    has_gates,
    judge_placebos,
)
from agfer_bench.run.jobs.start import start
from agfer_bench.run.jobs.weights import save_weights
from agfer_bench.seeds import derive_seed, generator, seeded
from agfer_bench.training.arithmetic import arithmetic
from agfer_bench.training.batches import BatchOrder, Normaliser, channel_statistics
from agfer_bench.training.checkpoint import BatchParts, CheckpointPlace, Keeper, Unusable
from agfer_bench.training.execution import ExecutionName, choose
from agfer_bench.training.images import Images
from agfer_bench.training.loop import fit, predict
from agfer_bench.training.loss import as_tensor, class_weights

OnEpoch = Callable[[int, EpochRecord], None]
"""Hears of each epoch as it ends: its number, from 0, and what was measured."""

OnNote = Callable[[str], None]
"""Hears of what the user should know and no record tells."""


class DeviceLost(Exception):
    """A GPU does not answer any more; nothing else can run on it in this process."""


@dataclass(frozen=True, kw_only=True)
class Job(FoldJob):
    """Everything that one training of a network needs."""

    chosen: Chosen[AttentionSpec]
    """The block and its options."""
    mask: NDArray[np.bool_]
    """(H, W) guidance mask."""
    device: torch.device
    """Where to train."""
    memory_format: MemoryFormat
    """How the network's maps lie in memory."""
    execution: ExecutionName = "auto"
    """How passes are to be executed."""
    micro_batch: int | None = None
    """Most images of one pass; None for the whole batch, or as many as memory takes."""
    pretrained: Pretrained | None = None
    """Weights that the host starts from; None for random ones."""
    checkpoint: CheckpointPlace | None = None
    """Where it keeps a checkpoint while it trains; None for none. No number depends on it."""
    weights: Path | None = None
    """Where the final weights are left, as safetensors; None where nobody asks for them."""

    @property
    def steps(self) -> int:
        """Epochs."""
        return self.protocol.epochs


def run_job(
    job: Job, on_epoch: OnEpoch, on_note: OnNote = lambda text: None
) -> tuple[FoldRecord, pd.DataFrame]:
    """Train and judge; neither prints nor changes global state.

    The second data set is opened only when training is over. A job that runs out of memory starts
    again with its batches in smaller parts. One that was broken off goes on from its checkpoint; it
    is for the caller to remove that when the outcome is kept.

    Returns:
        The fold's record, and a row for each image of the validation fold and of the second data
        set: what it is from, its name, subject and age group, true and predicted class, and the
        probability of each class.

    Raises:
        PluginError: The block cannot be built.
        TrainingError: The loss or the outputs are not finite.
        DeviceLost: The GPU does not answer any more.
        UserError: Memory ran out where it had been enough before the training was broken off.
    """
    keeper = Keeper(job.checkpoint, job.key, job.device, on_note)
    asked = BatchParts(micro_batch=job.micro_batch, reason=None)
    found = keeper.find()
    split = found or asked
    while True:
        try:
            keeper.begin(split)
            return _attempt(job, on_epoch, on_note, split, keeper)
        except Unusable as error:
            keeper.refuse(error)
            found, split = None, asked
        except Exception as error:
            if is_lost(job.device):
                raise DeviceLost(f"the GPU was lost: {describe(error)}") from error
            if found is not None and is_out_of_memory(error):
                # It was enough before: what is done must not be lost to whoever fills the GPU now.
                raise UserError(
                    "out of memory where it was enough before the training was broken off: free "
                    "the device's memory; the same command goes on from the checkpoint"
                ) from error
            keeper.remove()
            whole = split.micro_batch or min(job.protocol.batch_size, len(job.fold.train))
            if whole < 2 or not is_out_of_memory(error):
                raise
            reason = f"out of memory with {whole} images a pass"
            split = BatchParts(micro_batch=whole // 2, reason=reason)
        release_memory()  # not above: there the exception still holds the tensors


def _attempt(
    job: Job, on_epoch: OnEpoch, on_note: OnNote, split: BatchParts, keeper: Keeper
) -> tuple[FoldRecord, pd.DataFrame]:
    protocol, fold, micro_batch = job.protocol, job.fold, split.micro_batch
    seed = protocol.seed
    if job.device.type == "cuda":
        release_memory()  # what the last job's allocator keeps is free, and should count as such
    normalise = _normaliser(job)
    images = Images.on(
        job.device, pixels_NHWC=job.pixels_NHWC, labels_N=job.labels_N, normalise=normalise
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
        pretrained=job.pretrained,
    )
    start_weights = network.host.own_sha256()
    network.to(job.device)
    execution = _execution(job, network)
    gates = start(job, network, images, order.epochs[0], micro_batch)

    def judge(indices: NDArray[np.int64], of: Images = images) -> NDArray[np.float32]:
        return predict(network, of, indices, protocol, micro_batch)

    with (
        arithmetic(protocol.precision, job.device),
        seeded(job.device, derive_seed(seed, "training", fold.number)),
    ):
        done = fit(
            network,
            images,
            order,
            protocol,
            as_tensor(weights, job.device),
            on_epoch,
            lambda: mean_recall(matrix_of(job, fold.validation, judge(fold.validation))),
            execution=execution,
            micro_batch=micro_batch,
            keeper=keeper,
            fusion_HW=_fusion(network, order),
            losses=own_losses(network.host.blocks.values()),
        )
        probabilities = judge(fold.validation)
        train = judge(fold.train)
        masked = None
        if network.guidance is not None:
            network.guidance.always = True
            masked = judge(fold.validation)
            network.guidance.always = False
        found = None
        if job.test is not None:
            test_images = Images.on(
                job.device,
                pixels_NHWC=job.test.pixels_NHWC,
                labels_N=job.test.labels_N,
                normalise=normalise,
            )
            found = judge(job.test.indices, test_images)
        final_weights = weights_sha256(network)
        gate = _gate(job, network, images, gates, micro_batch)
    record, table = record_of(
        job,
        validation=probabilities,
        train=train,
        test=found,
        masked_confusion=None if masked is None else confusion_of(job, fold.validation, masked),
        class_weights=weights,
        channel_mean=normalise.mean,
        channel_std=normalise.std,
        history=done.history,
        peak_memory_bytes=done.peak_memory_bytes,
        peak_memory_method="cuda-allocator" if job.device.type == "cuda" else "tensor-tracker",
        host_weights_sha256=start_weights,
        batch_order_sha256=order.sha256,
        final_weights_sha256=final_weights,
        gate=gate,
        micro_batch=micro_batch,
        micro_batch_reason=split.reason,
        preparation_seconds=done.preparation_seconds,
        execution=done.prepared.execution,
        execution_fallback=done.prepared.fallback,
        residence=images.residence,
    )
    if job.weights is not None:
        try:
            save_weights(network, job.weights, {"module": job.chosen.label, "job": job.key})
        except UserError as error:  # the caller finds no file, and the numbers are not lost
            on_note(str(error))
    return record, table


def _gate(
    job: Job, network: Network, images: Images, at_start: tuple[float, ...], part: int | None
) -> GateRecord | None:
    """Judge the trained network with other gates; what goes wrong is said, and costs no number."""
    if not has_gates(job):
        return None
    try:
        return judge_placebos(job, network, images, at_start, part)
    except (Exception, SystemExit) as error:
        if is_lost(job.device):
            raise
        return GateRecord(start=at_start, why_not=describe_gate(error))


def _normaliser(job: Job) -> Normaliser:
    """Return what turns pixels into input: numbers of the training fold, or of the weights."""
    scheme = job.protocol.normalisation
    if scheme == "pretrained":
        assert job.pretrained is not None, "the protocol and the weights go together"
        return Normaliser(mean=job.pretrained.mean, std=job.pretrained.std, scheme=scheme)
    mean, std = channel_statistics(job.pixels_NHWC, job.fold.train)
    return Normaliser(mean=mean, std=std, scheme=scheme)


def _fusion(network: Network, order: BatchOrder) -> Tensor | None:
    """Return what the images that `order` names are multiplied by; None where it names none."""
    return network.guidance.weight_HW if network.guidance is not None and order.guided else None


def _execution(job: Job, network: Network) -> Execution:
    """Decide how passes are executed; operations are counted only where that depends on them."""
    if job.execution != "auto" or job.device.type == "cpu":
        return choose(job.execution, job.device, 0, 0)
    macs = multiply_accumulates(network, job.protocol.image_size).counted
    return choose("auto", job.device, macs, job.protocol.batch_size)


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
        flips=generator(protocol.seed, "flips", fold.number)
        if protocol.augmentation == "flip"
        else None,
        guided=generator(protocol.seed, "guided", fold.number)
        if protocol.guidance and protocol.guidance_share < 1
        else None,
        share=protocol.guidance_share,
    )
