"""The training loop, and prediction with the trained network.

Arabian et al. (2023), doi:10.3390/app131810179, sections 2.3, 2.6 and 2.7.

Shapes in names: B batch, C channels, H height, W width, M classes, N images.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agfer_bench.measure.memory import TensorTracker
from agfer_bench.protocol import Protocol
from agfer_bench.records import EpochRecord
from agfer_bench.training.batches import BatchOrder, Images
from agfer_bench.training.loss import weighted_cross_entropy

_TRACKED_STEPS = 2
"""Steps whose memory is counted on the CPU: the optimiser's state appears in the first."""


class TrainingError(Exception):
    """Training cannot go on; the message says why."""


def fit(
    network: nn.Module,
    images: Images,
    order: BatchOrder,
    protocol: Protocol,
    weights_M: Tensor | None,
    on_epoch: Callable[[int, float], None],
    judge: Callable[[], float] | None = None,
) -> tuple[tuple[EpochRecord, ...], int]:
    """Train a network for all epochs of the protocol; the last one counts.

    Args:
        network: Guidance and host, on the images' device; changed in place.
        images: Crops and labels.
        order: Which images make up each batch.
        protocol: Optimiser, learning rate, precision.
        weights_M: Class weights (equation 2), or None.
        on_epoch: Called after each epoch with its number, from 0, and its mean loss.
        judge: Gives the accuracy of the network as it stands, for the learning curve.

    Returns:
        A record for each epoch, and the peak memory in bytes.

    Raises:
        TrainingError: The loss of an epoch is not finite.
    """
    optimiser = make_optimiser(network, protocol)
    memory = _MemoryMeter(network, images.device)
    history = []
    for epoch in range(protocol.epochs):
        network.train()
        started = time.perf_counter()
        total = torch.zeros((), device=images.device)
        for indices in order.batches(epoch):
            with memory.step():
                x_BCHW, y_B = images.batch(indices)
                with autocast(protocol, images.device):
                    logits_BM = network(x_BCHW)
                loss = weighted_cross_entropy(logits_BM, y_B, weights_M)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
                total += loss.detach() * len(indices)
        mean = float(total) / len(order.epochs[epoch])  # waits for the device
        if not math.isfinite(mean):
            raise TrainingError(f"the loss became {mean} in epoch {epoch + 1}")
        seconds = time.perf_counter() - started
        accuracy = None
        if judge is not None and _on_curve(epoch, protocol):
            with torch.random.fork_rng(devices=_cuda_of(images.device)):
                accuracy = judge()
        history.append(EpochRecord(loss=mean, seconds=seconds, validation_accuracy=accuracy))
        on_epoch(epoch, mean)
    return tuple(history), memory.peak_bytes()


def _on_curve(epoch: int, protocol: Protocol) -> bool:
    """Tell whether an epoch, from 0, is a point of the learning curve; the last one always is."""
    every = protocol.curve_every
    return every > 0 and ((epoch + 1) % every == 0 or epoch + 1 == protocol.epochs)


def _cuda_of(device: torch.device) -> list[torch.device]:
    return [device] if device.type == "cuda" else []


def make_optimiser(network: nn.Module, protocol: Protocol) -> torch.optim.Optimizer:
    """Build the optimiser; weight decay acts on weights, not on biases or other vectors."""
    learnable = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in learnable if p.ndim > 1], "weight_decay": protocol.weight_decay},
        {"params": [p for p in learnable if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if protocol.optimiser == "sgd":
        return torch.optim.SGD(
            groups, lr=protocol.learning_rate, momentum=protocol.momentum, fused=True
        )
    return torch.optim.AdamW(groups, lr=protocol.learning_rate, fused=True)


def predict(
    network: nn.Module, images: Images, indices: NDArray[np.int64], protocol: Protocol
) -> NDArray[np.float32]:
    """Predict class probabilities in evaluation mode.

    Returns:
        (len(indices), M) probabilities.

    Raises:
        TrainingError: An output is not finite.
    """
    network.eval()
    parts = []
    with torch.inference_mode():
        for start in range(0, len(indices), protocol.batch_size):
            x_BCHW, _ = images.batch(indices[start : start + protocol.batch_size])
            with autocast(protocol, images.device):
                logits_BM = network(x_BCHW)
            parts.append(torch.softmax(logits_BM.float(), dim=1).cpu())
    probabilities: NDArray[np.float32] = torch.cat(parts).numpy()
    if not np.isfinite(probabilities).all():
        raise TrainingError("the trained network's outputs are not finite")
    return probabilities


def autocast(protocol: Protocol, device: torch.device) -> AbstractContextManager[object]:
    """Return the arithmetic that the protocol asks for."""
    if protocol.precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


class _MemoryMeter:
    """Measures the training's peak memory at little cost.

    CUDA's allocator keeps the peak by itself. On the CPU the first steps are tracked.
    """

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        self._device = device
        self._tracker: TensorTracker | None = None
        self._left = _TRACKED_STEPS
        if device.type == "cuda":
            gc.collect()  # a network in a reference cycle may still hold the last job's memory
            torch.cuda.reset_peak_memory_stats(device)
        else:
            self._tracker = TensorTracker([*network.parameters(), *network.buffers()])

    def step(self) -> AbstractContextManager[object]:
        if self._tracker is None or self._left == 0:
            return nullcontext()
        self._left -= 1
        return self._tracker

    def peak_bytes(self) -> int:
        if self._tracker is not None:
            return self._tracker.peak_bytes
        return torch.cuda.max_memory_allocated(self._device)
