"""scSE: concurrent spatial and channel squeeze and excitation.

Roy, Navab & Wachinger (2018), arXiv:1803.02579, section 2.

The paper adds the two recalibrated maps; `combine=max` takes the larger element instead, which the
authors' later work (arXiv:1808.08127) prefers. Biases, of which the paper says nothing, are there
as in the authors' implementation.

Shapes in names: B batch, C channels, H height, W width.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from agfer_bench import AttentionSpec, Slot, UserError
from agfer_bench_blocks.layers import at_least, glorot


class SCSE(nn.Module):
    """Gate channels and positions side by side, and add both results.

    Source: arXiv:1803.02579, section 2.

    Args:
        channels: Channels C of the input.
        reduction: The channel path's bottleneck has max(1, C // reduction) channels.
        maximum: Take the larger of the two results instead of their sum.
    """

    def __init__(self, channels: int, reduction: int = 2, *, maximum: bool = False) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.maximum = maximum
        self.which = nn.Sequential(
            nn.Conv2d(channels, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, channels, 1), nn.Sigmoid()
        )
        self.where = nn.Sequential(nn.Conv2d(channels, 1, 1), nn.Sigmoid())
        glorot(self)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the input, each element scaled by a number in (0, 2), or in (0, 1)."""
        channel_BCHW: Tensor = x_BCHW * self.which(x_BCHW.mean(dim=(2, 3), keepdim=True))
        position_BCHW: Tensor = x_BCHW * self.where(x_BCHW)
        if self.maximum:
            return torch.maximum(channel_BCHW, position_BCHW)
        return channel_BCHW + position_BCHW


def build(slot: Slot, *, reduction: int = 2, combine: Literal["add", "max"] = "add") -> nn.Module:
    """Build an scSE block for one slot.

    Args:
        slot: Where the block goes.
        reduction: At least 1: how much narrower the bottleneck is than the input.
        combine: `add` the results of both paths, or take the `max` element by element.
    """
    at_least(1, "scse:reduction", reduction)
    if combine not in ("add", "max"):
        raise UserError(f"scse:combine must be add or max, not {combine!r}")
    return SCSE(slot.channels, reduction, maximum=combine == "max")


SPEC = AttentionSpec(
    name="scse",
    build=build,
    source="arXiv:1803.02579",
    summary="scSE (Roy et al. 2018): channel and spatial gates side by side, added",
    formula="2 * C * max(1, C // reduction) + max(1, C // reduction) + 2 * C + 1",
)
