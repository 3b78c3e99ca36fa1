"""What a network's gates are worth: it is judged again with other gates in place of its own.

Nothing is trained. *Frozen*: each gate is its mean over the training fold, per channel and place.
*Shuffled*: each image gets the gates of another image of the validation fold.

Shapes in names: V images of the validation fold, M classes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agfer_bench.errors import describe
from agfer_bench.network.build import Network
from agfer_bench.network.gates import NoGate, find_gate
from agfer_bench.network.neutral import Neutral, Settled
from agfer_bench.network.placebos import Frozen, Lent, Watched, blocks_replaced
from agfer_bench.network.twins import Blind, Scale
from agfer_bench.records.run import BASE, GateRecord, PlaceboRecord, control_of
from agfer_bench.run.jobs.base import FoldJob
from agfer_bench.run.jobs.evaluation import confusion_of, recognised_of
from agfer_bench.seeds import derive_seed, seeded
from agfer_bench.training.arithmetic import autocast
from agfer_bench.training.images import Images
from agfer_bench.training.loop import predict

_AT_START = 512
"""Most images of the training fold that gates at the start are measured on."""


def has_gates(job: FoldJob) -> bool:
    """Tell whether the gates of what is trained are asked about: not those of base or a control."""
    chosen = job.chosen
    return chosen.label != BASE and control_of(chosen.entry.spec.name, chosen.values) is None


def describe_gate(error: BaseException) -> str:
    """Say in one line why a gate cannot be told."""
    return str(error) if isinstance(error, NoGate) else describe(error)


def gates_at_start(
    job: FoldJob, network: Network, images: Images, order: NDArray[np.int64], part: int | None
) -> tuple[float, ...]:
    """Measure the mean gate of each slot before training, and settle what has to be settled.

    The network is in training mode, as batch normalisations know no image yet. Its weights and
    buffers are left as they were, but for what is settled.

    Args:
        job: The training that is about to begin.
        network: In its initial state, on the images' device.
        images: Crops.
        order: The training fold's images, in the order of the first epoch.
        part: Most images of one pass; None for a batch.

    Returns:
        Means of the blocks' own gates, whatever is made of the blocks.

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
    network.train()
    with seeded(images.device, derive_seed(job.protocol.seed, "gates", job.fold.number)):
        for stages in [[one] for one in layers] if in_turn else [list(layers)]:
            for layer in range(max(1, *(len(layers[stage]) for stage in stages))):
                settled = {one: layers[one][layer] for one in stages if layer < len(layers[one])}
                watched = {stage: host.blocks[stage] for stage in stages} | {
                    stage: one.source for stage, one in settled.items()
                }
                buffers = [buffer.clone() for buffer in network.buffers()]
                found = watch(job, network, images, some, watched, part)
                for buffer, before in zip(network.buffers(), buffers, strict=True):
                    buffer.copy_(before)
                for stage, one in found.items():
                    mean = float(one.mean_gate.mean())
                    means.setdefault(stage, mean)
                    if stage in settled:
                        _settle(settled[stage], mean, one.mean_map.float())
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


def watch(
    job: FoldJob,
    network: Network,
    images: Images,
    indices: NDArray[np.int64],
    blocks: Mapping[str, nn.Module],
    part: int | None,
) -> dict[str, Watched]:
    """Pass images through a network in the mode that it is in, and watch the gates of some stages.

    Twins of other stages stand aside for their blocks.

    Args:
        job: Its training.
        network: The network.
        images: Crops.
        indices: Those that pass.
        blocks: What is watched, by the stage that it stands in.
        part: Most images of one pass; None for a batch.

    Raises:
        NoGate: The gate of a block cannot be told.
    """

    def stand_in(stage: str, block: nn.Module) -> nn.Module:
        whole = block.source if isinstance(block, Scale | Blind) else block
        own = blocks.get(stage, whole).to(images.device).train(network.training)
        return Watched(own, find_gate(own)) if stage in blocks else own

    protocol = job.protocol
    with blocks_replaced(network.host, stand_in) as placed, torch.no_grad():
        for x_BCHW, _ in images.batches(indices, part or protocol.batch_size):
            with autocast(protocol.precision, images.device):
                network(x_BCHW)
    return {stage: one for stage, one in placed.items() if isinstance(one, Watched)}


def judge_placebos(
    job: FoldJob, network: Network, images: Images, start: tuple[float, ...], part: int | None
) -> GateRecord:
    """Judge a trained network with other gates than its own.

    Args:
        job: Its training.
        network: The trained network; left as it was.
        images: Crops.
        start: Mean gate of each slot before training; empty where it could not be told.
        part: Most images of one pass; None for a batch.

    Raises:
        NoGate: The gate of a block cannot be told.
        TrainingError: An output is not finite.
    """
    host, protocol, validation = network.host, job.protocol, job.fold.validation
    network.eval()
    found = watch(job, network, images, job.fold.train, dict(host.blocks.items()), part)

    def frozen(stage: str, block: nn.Module) -> nn.Module:
        return Frozen(found[stage].mean_gate)

    def lent(stage: str, block: nn.Module) -> nn.Module:
        return Lent(found[stage].gate)

    with blocks_replaced(host, frozen):
        always = predict(network, images, validation, protocol, part)
    with blocks_replaced(host, lent):
        half = max(1, (part or protocol.batch_size) // 2)
        pairs, borrowers = in_pairs(validation, lenders_of(job), half)
        others = predict(network, images, pairs, protocol, 2 * half)[borrowers]
    return GateRecord(
        how=next(iter(found.values())).gate.how,
        start=start,
        frozen=_placebo(job, always),
        shuffled=_placebo(job, others),
    )


def lenders_of(job: FoldJob) -> NDArray[np.int64]:
    """Return whose gates each image of the validation fold gets: (V,) another image each.

    They depend on seed and fold alone, so they are the same for all modules.
    """
    validation = job.fold.validation
    seed = derive_seed(job.protocol.seed, "lenders", job.fold.number)
    round_V = np.random.default_rng(seed).permutation(len(validation))
    lenders_V = np.empty_like(validation)
    lenders_V[round_V] = validation[np.roll(round_V, -1)]
    return lenders_V


def in_pairs(
    borrowers_V: NDArray[np.int64], lenders_V: NDArray[np.int64], half: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Order images so that each batch of 2 * `half` has the lenders first, then their borrowers.

    Returns:
        (2 V,) images, and (V,) the borrowers' places among them.

    >>> in_pairs(np.array([1, 2, 3]), np.array([2, 3, 1]), 2)
    (array([2, 3, 1, 2, 1, 3]), array([2, 3, 5]))
    """
    places = np.arange(2 * len(borrowers_V))
    images, borrows = np.empty_like(places), np.empty(len(places), dtype=bool)
    for start in range(0, len(borrowers_V), half):
        one = slice(start, start + half)
        count = len(borrowers_V[one])
        images[2 * start : 2 * start + count] = lenders_V[one]
        images[2 * start + count : 2 * (start + count)] = borrowers_V[one]
        borrows[2 * start : 2 * (start + count)] = np.repeat([False, True], count)
    return images, places[borrows]


def _placebo(job: FoldJob, probabilities: NDArray[np.float32]) -> PlaceboRecord:
    validation = job.fold.validation
    return PlaceboRecord(
        confusion=confusion_of(job, validation, probabilities),
        recognised=recognised_of(job.subjects, job.labels_N, validation, probabilities),
    )
