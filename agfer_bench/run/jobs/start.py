"""What is done to a network before it is trained, once its weights are drawn.

Its layers are rescaled where the protocol says so, the gates of its blocks are measured, and what
is made of blocks is settled on them.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from agfer_bench.errors import PluginError
from agfer_bench.measure.device_memory import is_lost, is_out_of_memory
from agfer_bench.network.build import Network
from agfer_bench.network.gates import NoGate
from agfer_bench.network.neutral import Neutral, Settled
from agfer_bench.network.placebos import blocks_replaced
from agfer_bench.network.unit_variance import rescale_layers
from agfer_bench.run.jobs.base import FoldJob
from agfer_bench.run.jobs.placebos import describe_gate, has_gates, watch, without_twin
from agfer_bench.seeds import derive_seed, seeded
from agfer_bench.training.arithmetic import arithmetic, autocast
from agfer_bench.training.execution import buffers_kept
from agfer_bench.training.images import Images

_AT_START = 512
"""Most images of the training fold that gates at the start are measured on."""


def start(
    job: FoldJob, network: Network, images: Images, order: NDArray[np.int64], part: int | None
) -> tuple[float, ...]:
    """Make a network ready to be trained, and measure the mean gate of each slot.

    The network is in training mode, as batch normalisations know no image yet. Its buffers are left
    as they were, but for what is settled.

    Args:
        job: The training that is about to begin.
        network: With its weights as they were drawn, on the images' device.
        images: Crops.
        order: The training fold's images, in the order of the first epoch.
        part: Most images of one pass; None for a batch.

    Returns:
        Means of the blocks' own gates, whatever is made of the blocks; none where they are not
        asked for, or cannot be told.

    Raises:
        PluginError: A block's gate cannot be told, and what has to be settled on it is part of the
            network.
    """
    settles = any(isinstance(block, Settled) for block in network.host.blocks.values())
    network.train()
    with (
        arithmetic(job.protocol.precision, images.device),
        seeded(images.device, derive_seed(job.protocol.seed, "gates", job.fold.number)),
    ):
        _rescale(job, network, images, order, part, twins=False)
        if not settles and not has_gates(job):
            return ()
        try:
            means = _gates(job, network, images, order, part)
        except (Exception, SystemExit) as error:
            if is_lost(images.device) or is_out_of_memory(error):
                raise
            if settles:
                owner, text = job.chosen.entry.distribution, describe_gate(error)
                raise PluginError(
                    owner, f"{job.chosen.label} needs the gate of the block: {text}"
                ) from error
            return ()
        if settles:
            _rescale(job, network, images, order, part, twins=True)
    return means


def _rescale(
    job: FoldJob,
    network: Network,
    images: Images,
    order: NDArray[np.int64],
    part: int | None,
    *,
    twins: bool,
) -> None:
    """Rescale the host's layers on the first batch of the first epoch, if the protocol says so.

    Args:
        job: The training that is about to begin.
        network: In training mode.
        images: Crops.
        order: The training fold's images, in the order of the first epoch.
        part: Most images of one pass; None for the whole batch.
        twins: Whether twins stand in their places already, or the blocks that they are made of.
    """
    if not job.protocol.unit_variance:
        return

    def stand_in(stage: str, block: nn.Module) -> nn.Module:
        return block if twins else without_twin(block).to(images.device).train()

    first = order[: job.protocol.batch_size]
    parts = np.array_split(first, math.ceil(len(first) / (part or len(first))))

    def forward() -> None:
        for some in parts:
            for x_BCHW, _ in images.batches(some, len(some)):
                with autocast(job.protocol.precision, images.device):
                    network(x_BCHW)

    with buffers_kept(network), blocks_replaced(network.host, stand_in):
        rescale_layers(network.host, forward, in_parts=len(parts) > 1)


def _gates(
    job: FoldJob, network: Network, images: Images, order: NDArray[np.int64], part: int | None
) -> tuple[float, ...]:
    """Measure the mean gate of each slot, and settle what has to be settled.

    Raises:
        NoGate: The gate of a block cannot be told, or nothing can be settled on it.
    """
    host, size = network.host, part or job.protocol.batch_size
    some = order[:_AT_START]
    if len(some) > size:
        some = some[: len(some) // size * size]  # some blocks fail on a last batch of one image
    layers = {stage: _layers(block) for stage, block in host.blocks.items()}
    # One slot at a time where what becomes of it changes the maps of the next.
    in_turn = any(isinstance(one, Neutral) for found in layers.values() for one in found)
    means: dict[str, float] = {}
    for stages in [[one] for one in layers] if in_turn else [list(layers)]:
        for layer in range(max(1, *(len(layers[stage]) for stage in stages))):
            settled = {one: layers[one][layer] for one in stages if layer < len(layers[one])}
            watched = {stage: host.blocks[stage] for stage in stages} | {
                stage: one.source for stage, one in settled.items()
            }
            with buffers_kept(network):
                found = watch(job, network, images, some, watched, part)
            for stage, one in found.items():
                mean = float(one.mean_gate.mean())
                means.setdefault(stage, mean)
                if stage in settled:
                    _settle(settled[stage], mean, one.mean_map.float())
        if in_turn:
            _rescale(job, network, images, order, part, twins=False)
    return tuple(means[stage] for stage in host.blocks)


def _layers(block: nn.Module) -> list[Settled]:
    """Return what is made of a block and has to be settled, from the inside out."""
    found: list[Settled] = []
    while isinstance(block, Settled):
        found.insert(0, block)
        block = block.source
    return found


def _settle(one: Settled, gate_mean: float, maps_1CHW: Tensor) -> None:
    try:
        one.settle(gate_mean, maps_1CHW)
    except ValueError as error:
        raise NoGate(str(error)) from error
