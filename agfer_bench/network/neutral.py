"""A block that damps nothing when training begins.

Shapes in names: B batch, C channels, H height, W width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Settled(nn.Module):
    """Something made of a block that has to see images once, before it is trained."""

    def settle(self, gate_mean: float, maps_1CHW: Tensor) -> None:
        """Take what the block's gates and maps are at the start.

        Args:
            gate_mean: Mean of the block's gates over images, channels and places.
            maps_1CHW: Mean of the maps that come to the block.

        Raises:
            ValueError: Nothing can be made of them; the message says why.
        """
        raise NotImplementedError

    @property
    def source(self) -> nn.Module:
        """The block that it is made of."""
        raise NotImplementedError


class Neutral(Settled):
    """The block's output divided by the mean gate that it starts with.

    Args:
        block: The block.
    """

    factor: Tensor

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block
        self.register_buffer("factor", torch.ones(()))

    @property
    def source(self) -> nn.Module:
        """The block that it is made of."""
        return self.block

    def settle(self, gate_mean: float, maps_1CHW: Tensor) -> None:
        """Take the mean gate."""
        if not abs(gate_mean) > _LEAST:
            raise ValueError("its mean gate at the start is 0, and neutral=true divides by that")
        self.factor.fill_(1 / gate_mean)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the block's output, rescaled."""
        y_BCHW: Tensor = self.block(x_BCHW) * self.factor
        return y_BCHW


_LEAST = 1e-6
"""Mean gate up to which a block counts as closed."""
