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
from torch import nn

from agfer_bench.errors import describe
from agfer_bench.network.build import Network
from agfer_bench.network.gates import NoGate, find_gate
from agfer_bench.network.placebos import Frozen, Lent, Watched, blocks_replaced
from agfer_bench.network.twins import Blind, Scale
from agfer_bench.records.run import BASE, GateRecord, PlaceboRecord, control_of
from agfer_bench.run.jobs.base import FoldJob
from agfer_bench.run.jobs.evaluation import confusion_of, recognised_of
from agfer_bench.seeds import derive_seed
from agfer_bench.training.arithmetic import autocast
from agfer_bench.training.images import Images
from agfer_bench.training.loop import predict


def has_gates(job: FoldJob) -> bool:
    """Tell whether the gates of what is trained are asked about: not those of base or a control."""
    chosen = job.chosen
    return chosen.label != BASE and control_of(chosen.entry.spec.name, chosen.values) is None


def describe_gate(error: BaseException) -> str:
    """Say in one line why a gate cannot be told."""
    return str(error) if isinstance(error, NoGate) else describe(error)


def without_twin(block: nn.Module) -> nn.Module:
    """Return the block that a twin is made of; what is no twin is returned as it is."""
    return block.source if isinstance(block, Scale | Blind) else block


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
        own = blocks.get(stage, without_twin(block)).to(images.device).train(network.training)
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
