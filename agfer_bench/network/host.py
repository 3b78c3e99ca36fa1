"""The host: VGG16 trained from scratch, with a slot for a block at the end of stages 2, 3 and 4.

Simonyan & Zisserman (2014), arXiv:1409.1556, configuration D; changed as in Arabian et al. (2023),
doi:10.3390/app131810179, sections 2.1 and 5.1: the last pool is taken out (stride 16) and blocks
stand before the pools of stages 2, 3 and 4.

The convolutions are timm's. The head is not: timm slides the first fully connected layer over the
map as a convolution and averages, while the paper's network has three fully connected layers that
read the whole map.

Shapes in names: B batch, C channels, H height, W width, M classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import torch
from timm.models.vgg import VGG, cfgs
from torch import Tensor, nn

from agfer_bench.specs import Slot

BLOCK_STAGES = (2, 3, 4)
"""Stages, counted from 1, that are closed by a block (Arabian et al. 2023, figure 1)."""

_FC_UNITS = 4096


@dataclass(frozen=True, kw_only=True)
class HostShape:
    """What decides the host's layers and their sizes."""

    image_size: int
    """Side of the square input, in pixels."""
    stride: int
    """16 without the last pool (the paper's), 32 with it."""
    width: float
    """Factor on the channels of convolutions and on the units of fully connected layers."""
    classes: int
    """Classes m."""
    dropout: float
    """Share of units dropped after each of the first two fully connected layers, 0..1."""

    def channels(self) -> list[int]:
        """Channels of the five stages."""
        ends = [before for before, layer in pairwise(_PLAN) if layer == "M"]
        return [self.scaled(int(end)) for end in ends]

    def scaled(self, units: int) -> int:
        """Scale a number of channels or units by the width; at least 8 remain."""
        return max(8, round(units * self.width))

    def slots(self) -> list[Slot]:
        """The slots of the blocks, in the order of the stages."""
        slots = []
        for stage, channels in enumerate(self.channels(), start=1):
            if stage in BLOCK_STAGES:
                side = self.image_size // 2 ** (stage - 1)
                slots.append(
                    Slot(
                        channels=channels,
                        height=side,
                        width=side,
                        classes=self.classes,
                        stage=stage,
                    )
                )
        return slots


_PLAN: list[int | str] = list(cfgs["vgg16"])


class Host(nn.Module):
    """VGG16 with blocks, without guidance; its weights are undefined until `initialise`.

    Input (B, 3, H, W) float with H = W = `shape.image_size`; output (B, M) logits.
    """

    def __init__(self, shape: HostShape, blocks: Mapping[int, nn.Module]) -> None:
        super().__init__()
        pools = 5 if shape.stride == 32 else 4
        # Made without memory first: torch's own initial weights would cost time and random numbers.
        with torch.device("meta"):
            stages, head = _stages(shape), _head(shape, shape.image_size // 2**pools)
        device = torch.get_default_device()
        self.stages = stages.to_empty(device=device)
        self.blocks = nn.ModuleDict({str(stage): block for stage, block in blocks.items()})
        self.pools = nn.ModuleList(nn.MaxPool2d(2, 2) for _ in range(pools))
        self.head = head.to_empty(device=device)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return logits of shape (B, M)."""
        for index, stage in enumerate(self.stages):
            x_BCHW = stage(x_BCHW)
            block = str(index + 1)
            if block in self.blocks:
                x_BCHW = self.blocks[block](x_BCHW)
            if index < len(self.pools):
                x_BCHW = self.pools[index](x_BCHW)
        logits_BM: Tensor = self.head(x_BCHW)
        return logits_BM


def _stages(shape: HostShape) -> nn.ModuleList:
    """Return timm's VGG16 convolutions and ReLUs, split at the pools."""
    plan = [layer if isinstance(layer, str) else shape.scaled(layer) for layer in _PLAN]
    stages: list[nn.Module] = []
    layers: list[nn.Module] = []
    for layer in VGG(plan).features:
        if isinstance(layer, nn.MaxPool2d):
            stages.append(nn.Sequential(*layers))
            layers = []
        else:
            layers.append(layer)
    return nn.ModuleList(stages)


def _head(shape: HostShape, side: int) -> nn.Sequential:
    """Return three fully connected layers that read a map of `side` x `side` positions."""
    units = shape.scaled(_FC_UNITS)
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(shape.channels()[-1] * side * side, units),
        nn.ReLU(),
        nn.Dropout(shape.dropout),
        nn.Linear(units, units),
        nn.ReLU(),
        nn.Dropout(shape.dropout),
        nn.Linear(units, shape.classes),
    )


def build_host(
    shape: HostShape,
    build_block: Callable[[Slot], nn.Module],
    initialise: Callable[[nn.Module], None],
) -> Host:
    """Build the host with a fresh block in every slot.

    Args:
        shape: Layers and sizes.
        build_block: Called once a slot, in the order of the stages.
        initialise: Sets the weights of the host; the blocks keep those they come with.
    """
    host = Host(shape, {})
    initialise(host)
    for slot in shape.slots():
        host.blocks[str(slot.stage)] = build_block(slot)
    return host
