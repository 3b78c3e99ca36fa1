"""The paper's host: VGG16, with a slot for a block at the end of chosen stages (2, 3 and 4).

Simonyan & Zisserman (2014), arXiv:1409.1556, configuration D; changed as in Arabian et al. (2023),
doi:10.3390/app131810179, sections 2.1 and 5.1: the last pool is taken out (stride 16) and blocks
stand before the pools of stages 2, 3 and 4.

The convolutions are timm's. The head is not: timm slides the first fully connected layer over the
map as a convolution and averages, while the paper's network has three fully connected layers that
read the whole map.

Shapes in names: B batch, C channels, H height, W width, M classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import torch
from timm.models.vgg import VGG, cfgs
from torch import Tensor, nn

from agfer_bench.errors import UserError
from agfer_bench.network.host import Host, slot_key
from agfer_bench.plugin.specs import Slot
from agfer_bench.protocol import STAGE, VGG16

_FC_UNITS = 4096


@dataclass(frozen=True, kw_only=True)
class Vgg16Shape:
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
    block_stages: tuple[int, ...] = (2, 3, 4)
    """Stages, counted from 1, that have blocks (Arabian et al. 2023, figure 1); none for all."""
    place: str = STAGE
    """Whether a block closes each of these stages (`stage`), or stands after each of their
    convolutions, before its ReLU (`conv`) or behind it (`relu`)."""

    def channels(self) -> list[int]:
        """Channels of the five stages."""
        ends = [before for before, layer in pairwise(_PLAN) if layer == "M"]
        return [self.scaled(int(end)) for end in ends]

    def scaled(self, units: int) -> int:
        """Scale a number of channels or units by the width; at least 8 remain."""
        return max(8, round(units * self.width))

    def slots(self) -> list[Slot]:
        """Return the slots of the blocks, in the order of the stages.

        Raises:
            UserError: There is no such stage.
        """
        channels = self.channels()
        stages = self.block_stages or tuple(range(1, len(channels) + 1))
        for stage in stages:
            if stage > len(channels):
                raise UserError(
                    f"VGG16 has no stage {stage} to put a block after; stages are 1 to "
                    f"{len(channels)}: change --slots"
                )
        each = {stage: 1 if self.place == STAGE else _CONVOLUTIONS[stage - 1] for stage in stages}
        return [
            self._slot(stage, position, channels, sum(each.values()))
            for stage, number in each.items()
            for position in range(1, number + 1)
        ]

    def _slot(self, stage: int, position: int, channels: Sequence[int], slots: int) -> Slot:
        side = self.image_size // 2 ** (stage - 1)
        enters = channels[stage - 2] if stage > 1 else 3
        return Slot(
            channels=channels[stage - 1],
            height=side,
            width=side,
            classes=self.classes,
            stage=stage,
            position=position,
            place=self.place,
            slots=slots,
            host=VGG16,
            image_size=self.image_size,
            entering=(enters, side, side) if self.place == STAGE else (0, 0, 0),
        )


_PLAN: list[int | str] = list(cfgs["vgg16"])
_CONVOLUTIONS = tuple(
    len(list(stage)) for pool, stage in groupby(_PLAN, lambda layer: layer == "M") if not pool
)
"""Convolutions of each stage."""


class Vgg16(Host):
    """VGG16 with blocks, without guidance; its weights are undefined until `initialise`.

    Input (B, 3, H, W) float with H = W = `shape.image_size`; output (B, M) logits.
    """

    def __init__(self, shape: Vgg16Shape, blocks: Mapping[str, nn.Module]) -> None:
        super().__init__(blocks)
        self.place = shape.place
        self._replaced: frozenset[int] = frozenset()
        pools = 5 if shape.stride == 32 else 4
        # Made without memory first: torch's own initial weights would cost time and random numbers.
        with torch.device("meta"):
            stages, head = _stages(shape), _head(shape, shape.image_size // 2**pools)
        device = torch.get_default_device()
        self.stages = stages.to_empty(device=device)
        self.pools = nn.ModuleList(nn.MaxPool2d(2, 2) for _ in range(pools))
        self.head = head.to_empty(device=device)

    def classify(self, x_BCHW: Tensor) -> Tensor:
        """Return logits of shape (B, M)."""
        for index, stage in enumerate(self.stages):
            x_BCHW = self._pass(index + 1, stage, x_BCHW)
            if index < len(self.pools):
                x_BCHW = self.pools[index](x_BCHW)
        logits_BM: Tensor = self.head(x_BCHW)
        return logits_BM

    def _pass(self, number: int, stage: nn.Module, x_BCHW: Tensor) -> Tensor:
        """Pass a map through a stage and the blocks in it."""
        if number in self._replaced:
            return self.close(slot_key(number, 1, STAGE), x_BCHW)
        if self.place == STAGE:
            return self.close(slot_key(number, 1, STAGE), stage(x_BCHW))
        assert isinstance(stage, nn.Sequential)
        before = nn.Conv2d if self.place == "conv" else nn.ReLU
        position = 0
        for layer in stage:
            x_BCHW = layer(x_BCHW)
            if isinstance(layer, before):
                position += 1
                x_BCHW = self.close(slot_key(number, position, self.place), x_BCHW)
        return x_BCHW

    def take_out(self, stage: int) -> None:
        """Take out the convolutions of a stage."""
        kept: list[nn.Module] = list(self.stages)  # another host may share the list
        kept[stage - 1] = nn.Sequential()
        self.stages = nn.ModuleList(kept)
        self._replaced |= {stage}

    def own_layers(self) -> tuple[nn.Module, ...]:
        """Return the convolutions, and the fully connected layers."""
        return self.stages, self.head

    def lay_out(self, memory_format: torch.memory_format) -> None:
        """Lay the convolutions' weights out; the head reads flat maps."""
        self.stages.to(memory_format=memory_format)

    def weights(self) -> dict[str, Tensor]:
        """Return the convolutions' weights and biases, under the names that timm's VGG16 has."""
        found: dict[str, Tensor] = {}
        number = 0
        for stage in self.stages:
            assert isinstance(stage, nn.Sequential)
            for layer in stage:
                own = layer.named_parameters()
                found |= {f"features.{number}.{name}": tensor for name, tensor in own}
                number += 1
            number += 1  # the pool
        return found


def _stages(shape: Vgg16Shape) -> nn.ModuleList:
    """Return timm's VGG16 convolutions and ReLUs, split at the pools."""
    plan = [layer if isinstance(layer, str) else shape.scaled(layer) for layer in _PLAN]
    stages: list[nn.Module] = []
    layers: list[nn.Module] = []
    for layer in VGG(plan).features:
        if isinstance(layer, nn.MaxPool2d):
            stages.append(nn.Sequential(*layers))
            layers = []
            continue
        if isinstance(layer, nn.ReLU) and shape.place == "conv":
            # A block may need its output for the gradient, and must not find it rectified.
            layer.inplace = False
        layers.append(layer)
    return nn.ModuleList(stages)


def _head(shape: Vgg16Shape, side: int) -> nn.Sequential:
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
