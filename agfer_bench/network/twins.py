"""Twins of a block, trained beside it: what it would do without attending to the image.

A twin is settled once, on images of the training fold, before it is trained.

Shapes in names: B batch, C channels, H height, W width, P positions (H times W).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agfer_bench.network.gates import Gate, find_gate
from agfer_bench.network.neutral import Neutral, Settled
from agfer_bench.plugin.specs import Slot


class Scale(Settled):
    """Multiply by one constant: the mean gate that the block starts with.

    Args:
        block: The block; none of it is trained.
    """

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self._source = [block]  # in a list, it is no part of the network: not counted, not trained
        self.register_buffer("factor", torch.ones(()))
        self.factor: Tensor

    @property
    def source(self) -> nn.Module:
        """The block that it is made of."""
        return self._source[0]

    def settle(self, gate_mean: float, maps_1CHW: Tensor) -> None:
        """Take the mean gate."""
        self.factor.fill_(gate_mean)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the maps times the constant."""
        return x_BCHW * self.factor


class Blind(Settled):
    """A block whose gate sees a learnt map in place of the image's.

    The map is a constant for each channel plus one for each position, at first those of the mean
    map. The block's own parameters are trained as ever, so that the twin is as large as the block
    but for C + H * W numbers.

    Args:
        block: The block.
        slot: Shape of the maps.
    """

    def __init__(self, block: nn.Module, slot: Slot) -> None:
        super().__init__()
        self.block = block
        self.shape = (1, slot.channels, slot.height, slot.width)
        # Vectors, which weight decay leaves alone, as biases.
        self.channel_C = nn.Parameter(torch.zeros(slot.channels))
        self.position_P = nn.Parameter(torch.zeros(slot.height * slot.width))
        self._gates: dict[bool, Gate] = {}

    @property
    def source(self) -> nn.Module:
        """The block that it is made of."""
        return self.block

    def settle(self, gate_mean: float, maps_1CHW: Tensor) -> None:
        """Take the mean map, as far as a channel's and a position's constant add up to it."""
        with torch.no_grad():
            self.channel_C.copy_(maps_1CHW.mean(dim=(0, 2, 3)))
            self.position_P.copy_((maps_1CHW - maps_1CHW.mean()).mean(dim=(0, 1)).flatten())

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the maps times what the gate makes of the learnt one."""
        if self.training not in self._gates:
            self._gates[self.training] = find_gate(self.block)
        _, channels, height, width = self.shape
        seen_1CHW = self.channel_C.view(1, channels, 1, 1) + self.position_P.view(
            1, 1, height, width
        )
        # As many as there are images: a batch normalisation in the gate needs more than one.
        # Not `of`: what that checks waits for the device. The gate was checked when it was built.
        gate = self._gates[self.training].compute(seen_1CHW.expand_as(x_BCHW))
        y_BCHW: Tensor = x_BCHW * gate
        return y_BCHW


def twin_of(block: nn.Module, slot: Slot, *, neutral: bool, control: str) -> nn.Module:
    """Return the twin that options ask for, or the block itself.

    Args:
        block: The block.
        slot: Where it stands.
        neutral: Whether its gate is rescaled.
        control: `none`, `scale` or `blind`.

    Raises:
        NoGate: A twin is asked for, and the block has no gate that can be told.
    """
    if not neutral and control == "none":
        return block
    mode = block.training
    try:
        with torch.no_grad():
            maps = torch.randn(2, slot.channels, slot.height, slot.width).relu()
            find_gate(block.eval()).check(block, maps)
    finally:
        block.train(mode)
    if neutral:
        block = Neutral(block)
    if control == "none":
        return block
    return Scale(block) if control == "scale" else Blind(block, slot)
