"""Networks before training: layers rescaled with the blocks in place, twins settled on that."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from agfer_bench.faces.folds import make_folds
from agfer_bench.network.build import Network, build_network
from agfer_bench.run.jobs.network import Job, batch_order
from agfer_bench.run.jobs.start import start
from agfer_bench.training.batches import Normaliser
from agfer_bench.training.images import Images
from tests.run.support import Runs, own

RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
LABELS = np.arange(40) % 4


def begin(runs: Runs, label: str, part: int | None = None, **changes: Any) -> Network:
    """Return a network of that block as it is when its training begins."""
    settings = runs.settings(label, initialisation="he", **changes)
    (chosen,) = own().choose_modules(label)
    protocol = settings.protocol
    fold = make_folds(
        LABELS, [None] * 40, split="image", folds=2, seed=0, classes=("a", "b", "c", "d")
    )[0]
    job = Job(
        chosen=chosen, protocol=protocol, fold=fold, pixels_NHWC=PIXELS, labels_N=LABELS,
        names=[str(n) for n in range(40)], subjects=[None] * 40, test=None,
        classes=("a", "b", "c", "d"), key="0", mask=settings.mask, device=torch.device("cpu"),
        memory_format="channels_last",
    )  # fmt: skip
    network = build_network(chosen, protocol, classes=4, mask=settings.mask, fold=0)
    normalise = Normaliser(mean=(128.0,) * 3, std=(64.0,) * 3, scheme="standardise")
    images = Images.on(
        torch.device("cpu"), pixels_NHWC=PIXELS, labels_N=LABELS, normalise=normalise
    )
    order = batch_order(protocol, fold)
    start(job, network, images, order.epochs[0], part)
    first = order.epochs[0][: protocol.batch_size]
    ((x_BCHW, _),) = images.batches(first, len(first))
    network.first = x_BCHW
    return network


def deviations(network: Network) -> list[float]:
    found: list[float] = []
    for part in network.host.own_layers():
        for layer in part.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.register_forward_hook(lambda _, __, out: found.append(float(out.std())))
    with torch.no_grad():
        network.train()(network.first)
    return found


@pytest.mark.parametrize(
    "label",
    ["base", "cbam", "se:neutral=true", "se:control=scale", "se:control=blind",
     "se:neutral=true:control=scale"],
)  # fmt: skip
def test_layers_have_unit_variance_with_what_stands_in_the_slots(runs: Runs, label: str) -> None:
    network = begin(runs, label)
    found = deviations(network)
    assert len(found) == 16
    assert found == pytest.approx([1] * 16, rel=0.01)


def test_without_the_setting_layers_are_as_drawn(runs: Runs) -> None:
    found = deviations(begin(runs, "cbam", unit_variance=False))
    assert any(abs(math.log(one)) > 0.5 for one in found)


def test_memory_moves_no_weight(runs: Runs) -> None:
    whole, parts = begin(runs, "cbam"), begin(runs, "cbam", part=2)
    for one, other in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=0)


def test_buffers_are_as_they_were(runs: Runs) -> None:
    network = begin(runs, "cbam-original")
    norms = [one for one in network.modules() if isinstance(one, nn.BatchNorm2d)]
    assert norms
    for norm in norms:
        assert norm.num_batches_tracked == 0
        assert norm.running_mean is not None
        assert not norm.running_mean.any()


def test_a_neutral_block_is_settled_on_rescaled_maps(runs: Runs) -> None:
    """Its mean gate, on the maps that reach it when training begins, is 1."""
    network = begin(runs, "agfer:neutral=true")
    ratios: list[float] = []

    def ratio(_: nn.Module, maps: tuple[torch.Tensor], output: torch.Tensor) -> None:
        ratios.append(float(output.sum() / maps[0].sum()))

    for block in network.host.blocks.values():
        block.register_forward_hook(ratio)
    with torch.no_grad():
        network.train()(network.first)
    assert ratios == pytest.approx([1, 1, 1], rel=0.1)
