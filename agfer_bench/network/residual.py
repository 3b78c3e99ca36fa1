"""A block with a way past it.

Unnormalised stacks are damped by gates below one at each slot; with `x + block(x)` the map itself
always gets through (He et al. 2016, arXiv:1512.03385, section 3.1).
"""

from __future__ import annotations

from torch import Tensor, nn


class Residual(nn.Module):
    """x + block(x), for any block that keeps the shape."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the input plus what the block makes of it."""
        y_BCHW: Tensor = x_BCHW + self.block(x_BCHW)
        return y_BCHW
