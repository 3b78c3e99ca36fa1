"""The training loop, and prediction with the trained network.

Arabian et al. (2023), doi:10.3390/app131810179, sections 2.3, 2.6 and 2.7.

Shapes in names: B batch, C channels, H height, W width, M classes, N images.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from agfer_bench.network.own_loss import LossError, OwnLoss, total_of
from agfer_bench.protocol import Protocol
from agfer_bench.records.run import EpochRecord
from agfer_bench.records.timing import Execution
from agfer_bench.training.arithmetic import autocast
from agfer_bench.training.batches import BatchOrder
from agfer_bench.training.checkpoint import Keeper
from agfer_bench.training.execution import Prepared, prepare
from agfer_bench.training.images import Batch, Images
from agfer_bench.training.loss import weighted_cross_entropy
from agfer_bench.training.meter import MemoryMeter


class TrainingError(Exception):
    """Training cannot go on; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """What a training leaves beside the network."""

    history: tuple[EpochRecord, ...]
    """A record for each epoch."""
    peak_memory_bytes: int
    """Most bytes of tensors."""
    preparation_seconds: float
    """What compiling or capturing took; 0 for eager execution."""
    prepared: Prepared
    """How the passes were executed."""


def fit(
    network: nn.Module,
    images: Images,
    order: BatchOrder,
    protocol: Protocol,
    weights_M: Tensor | None,
    on_epoch: Callable[[int, EpochRecord], None],
    judge: Callable[[], float] | None = None,
    *,
    execution: Execution = "eager",
    micro_batch: int | None = None,
    keeper: Keeper | None = None,
    fusion_HW: Tensor | None = None,
    losses: Sequence[OwnLoss] = (),
) -> Fit:
    """Train a network for all epochs of the protocol; the last one counts.

    Within an epoch nothing waits for the device. A training that an earlier process left a
    checkpoint of goes on from there.

    Args:
        network: Guidance and host, on the images' device; changed in place.
        images: Crops and labels.
        order: Which images make up each batch.
        protocol: Optimiser, learning rate, precision.
        weights_M: Class weights (equation 2), or None.
        on_epoch: Called after each epoch with its number, from 0, and its record.
        judge: Gives the accuracy of the network as it stands, for the learning curve.
        execution: How passes are executed; eager ones stand in for what fails.
        micro_batch: Most images of one pass; gradients of a batch's parts are added up. None: all.
        keeper: Reads and writes checkpoints; None for none.
        fusion_HW: What images that `order.guided` names are multiplied by, on the images' device;
            None where the network lays the mask over all of them, or there is none.
        losses: Losses of the network's blocks, asked after each pass and added to its own.

    Raises:
        TrainingError: The loss of an epoch is not finite, or a block's own loss is none.
        Unusable: The checkpoint does not fit.
    """
    optimiser = make_optimiser(network, protocol)
    memory = MemoryMeter(network, images.device)
    started = time.perf_counter()
    if losses and execution != "eager":
        fallback = "a loss of a block's own is read off an eager pass"
        prepared, size = Prepared(forward=network, execution="eager", fallback=fallback), 0
    else:
        prepared, size = _prepare(network, images, order, protocol, execution, micro_batch)
    preparation = 0.0 if execution == "eager" else time.perf_counter() - started
    history: list[EpochRecord] = []
    if keeper is not None and (resumed := keeper.resume(network, optimiser)) is not None:
        history.extend(resumed.history)
        memory.resume(resumed.peak_memory_bytes)
    rates = schedule(optimiser, order, protocol, done=len(history))
    for epoch in range(len(history), protocol.epochs):
        network.train()
        started = time.perf_counter()
        total = torch.zeros((), device=images.device)
        for x_BCHW, y_B in images.epoch(order, epoch, fusion_HW):
            with memory.step():
                optimiser.zero_grad(set_to_none=True)
                for x, y in _parts(x_BCHW, y_B, micro_batch):
                    forward = prepared.forward if len(y) == size else network
                    with autocast(protocol.precision, images.device):
                        logits_BM = forward(x)
                    loss = weighted_cross_entropy(
                        logits_BM, y, weights_M, len(y_B), protocol.label_smoothing
                    )
                    loss = _with_own(loss, losses, y, len(y_B))
                    loss.backward()
                    total += loss.detach() * len(y_B)
                if protocol.clip_norm:
                    nn.utils.clip_grad_norm_(network.parameters(), protocol.clip_norm)
                optimiser.step()
                rates.step()
        mean = float(total) / len(order.epochs[epoch])  # waits for the device
        if not math.isfinite(mean):
            raise TrainingError(f"the loss became {mean} in epoch {epoch + 1}")
        seconds = time.perf_counter() - started
        accuracy = None
        if judge is not None and _on_curve(epoch, protocol):
            with torch.random.fork_rng(devices=_cuda_of(images.device)):
                accuracy = judge()
        history.append(EpochRecord(loss=mean, seconds=seconds, validation_accuracy=accuracy))
        on_epoch(epoch, history[-1])
        if keeper is not None and memory.settled:
            keeper.offer(network, optimiser, history, memory.peak_bytes())
    return Fit(
        history=tuple(history),
        peak_memory_bytes=memory.peak_bytes(),
        preparation_seconds=preparation,
        prepared=prepared,
    )


def _prepare(
    network: nn.Module,
    images: Images,
    order: BatchOrder,
    protocol: Protocol,
    execution: Execution,
    micro_batch: int | None,
) -> tuple[Prepared, int]:
    """Prepare the passes for the size that most of them have, and return that size."""
    network.train()
    first = order.epochs[0][order.spans(0)[0]]
    x_BCHW, y_B = next(images.batches(first, len(first)))
    x, y = next(_parts(x_BCHW, y_B, micro_batch))
    if execution == "graph" and len(y) < len(y_B):
        # A graph writes every gradient to the same memory: a second part would overwrite the first.
        fallback = "a CUDA graph cannot add up the gradients of parts"
        return Prepared(forward=network, execution="eager", fallback=fallback), len(y)
    return prepare(network, x, execution, protocol.precision), len(y)


def _with_own(loss: Tensor, losses: Sequence[OwnLoss], y_B: Tensor, images: int) -> Tensor:
    """Add the blocks' own losses, means over a part of a batch of so many images.

    Raises:
        TrainingError: One is no loss.
    """
    try:
        own = total_of(losses, y_B)
    except LossError as error:
        raise TrainingError(str(error)) from error
    return loss if own is None else loss + own * (len(y_B) / images)


def _parts(x_BCHW: Tensor, y_B: Tensor, micro_batch: int | None) -> Iterator[Batch]:
    """Yield a batch in parts of nearly equal size, none larger than `micro_batch`."""
    count = 1 if micro_batch is None else math.ceil(len(y_B) / micro_batch)
    yield from zip(x_BCHW.tensor_split(count), y_B.tensor_split(count), strict=True)


def _on_curve(epoch: int, protocol: Protocol) -> bool:
    """Tell whether an epoch, from 0, is a point of the learning curve; the last one always is."""
    every = protocol.curve_every
    return every > 0 and ((epoch + 1) % every == 0 or epoch + 1 == protocol.epochs)


def _cuda_of(device: torch.device) -> list[torch.device]:
    return [device] if device.type == "cuda" else []


def make_optimiser(network: nn.Module, protocol: Protocol) -> torch.optim.Optimizer:
    """Build the optimiser; weight decay acts on weights, not on biases or other vectors."""
    learnable = [parameter for parameter in network.parameters() if parameter.requires_grad]
    # The fused kernels take real weights alone.
    fused = not any(parameter.is_complex() for parameter in learnable)
    groups = [
        {"params": [p for p in learnable if p.ndim > 1], "weight_decay": protocol.weight_decay},
        {"params": [p for p in learnable if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if protocol.optimiser == "sgd":
        return torch.optim.SGD(
            groups, lr=protocol.learning_rate, momentum=protocol.momentum, fused=fused
        )
    return torch.optim.AdamW(groups, lr=protocol.learning_rate, fused=fused)


def schedule(
    optimiser: torch.optim.Optimizer, order: BatchOrder, protocol: Protocol, *, done: int
) -> LambdaLR:
    """Give each step its learning rate, a function of the step's number alone.

    Args:
        optimiser: With the protocol's learning rate, or as a checkpoint left it.
        order: Tells how many steps there are.
        protocol: Schedule and warm-up.
        done: Epochs that an earlier process has done.
    """
    steps = [len(order.spans(epoch)) for epoch in range(protocol.epochs)]
    factor = partial(rate_factor, steps=sum(steps), protocol=protocol)
    return LambdaLR(optimiser, factor, last_epoch=sum(steps[:done]) - 1)


def rate_factor(step: int, *, steps: int, protocol: Protocol) -> float:
    """Return what the learning rate of a step is multiplied by.

    A warm-up of n steps gives the first step 1/n and the n-th step 1. Half a cosine over the rest
    follows (Loshchilov & Hutter 2017, arXiv:1608.03983, equation 5, without restarts); it would
    reach 0 one step after the last.

    Args:
        step: Number of the step, from 0.
        steps: Number of all steps.
        protocol: Schedule and warm-up.
    """
    rising = round(protocol.warmup * steps)
    if step < rising:
        return (step + 1) / rising
    if protocol.schedule == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


def predict(
    network: nn.Module,
    images: Images,
    indices: NDArray[np.int64],
    protocol: Protocol,
    micro_batch: int | None = None,
) -> NDArray[np.float32]:
    """Predict class probabilities in evaluation mode.

    Returns:
        (len(indices), M) probabilities.

    Raises:
        TrainingError: An output is not finite.
    """
    network.eval()
    found_NM = torch.empty(0)
    done = 0
    with torch.inference_mode():
        for x_BCHW, y_B in images.batches(indices, micro_batch or protocol.batch_size):
            with autocast(protocol.precision, images.device):
                logits_BM = network(x_BCHW)
            if not done:
                found_NM = logits_BM.new_empty(
                    (len(indices), logits_BM.shape[1]), dtype=torch.float
                )
            found_NM[done : done + len(y_B)] = torch.softmax(logits_BM.float(), dim=1)
            done += len(y_B)
    probabilities: NDArray[np.float32] = found_NM.cpu().numpy()
    if not np.isfinite(probabilities).all():
        raise TrainingError("the trained network's outputs are not finite")
    return probabilities
