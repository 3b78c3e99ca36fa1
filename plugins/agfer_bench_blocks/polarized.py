"""PSA: polarized self-attention.

Liu, Liu, Fan & Huang (2021), arXiv:2107.00782, section 3.

The paper's text was not to be had, so equations are not cited. Both layouts share their branches
here, each with C / 2 channels inside; the authors' implementation has different ones. Its channel
branch has a layer normalisation in a bottleneck in the sequential layout, and none in the parallel
one: here it stands before the sigmoid, without a bottleneck. The softmax of the spatial branch is
over the query's channels; in theirs it is over positions, of the product (parallel) or the values
(sequential). Convolutions have no bias, as all but one of theirs. The query of the spatial branch
is pooled before its convolution instead of after it, which computes the same.

Shapes in names: B batch, C channels, H height, W width, P positions, D channels inside.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from agfer_bench import AttentionSpec, Slot, UserError
from agfer_bench_blocks.layers import glorot


class ChannelGate(nn.Module):
    """A gate per channel, from the positions that a query picks.

    Args:
        channels: Channels C of the input.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(1, channels // 2)
        self.query = nn.Conv2d(channels, 1, 1, bias=False)
        self.value = nn.Conv2d(channels, hidden, 1, bias=False)
        self.widen = nn.Conv2d(hidden, channels, 1, bias=False)
        # One group of a single position: layer normalisation over the channels.
        self.norm = nn.GroupNorm(1, channels)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return gates of shape (B, C, 1, 1)."""
        weights_B1P = torch.softmax(self.query(x_BCHW).flatten(2), dim=2)
        picked_BD1 = self.value(x_BCHW).flatten(2) @ weights_B1P.mT
        return torch.sigmoid(self.norm(self.widen(picked_BD1.unsqueeze(3))))


class PositionGate(nn.Module):
    """A gate per position, from the channels that a query picks.

    Args:
        channels: Channels C of the input.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(1, channels // 2)
        self.query, self.value = (nn.Conv2d(channels, hidden, 1, bias=False) for _ in range(2))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return gates of shape (B, 1, H, W)."""
        weights_BD11 = torch.softmax(self.query(x_BCHW.mean(dim=(2, 3), keepdim=True)), dim=1)
        picked_B1HW = (self.value(x_BCHW) * weights_BD11).sum(dim=1, keepdim=True)
        return torch.sigmoid(picked_B1HW)


class Polarized(nn.Module):
    """Gate channels and positions, side by side and summed, or one after the other.

    Source: arXiv:2107.00782, section 3.

    Args:
        channels: Channels C of the input.
        sequential: Gate positions of what the channels' gates left.
    """

    def __init__(self, channels: int, *, sequential: bool = False) -> None:
        super().__init__()
        self.sequential = sequential
        self.which = ChannelGate(channels)
        self.where = PositionGate(channels)
        glorot(self)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the input, each element scaled by a number in (0, 2), or in (0, 1)."""
        which_BCHW: Tensor = x_BCHW * self.which(x_BCHW)
        source_BCHW = which_BCHW if self.sequential else x_BCHW
        where_BCHW: Tensor = source_BCHW * self.where(source_BCHW)
        return where_BCHW if self.sequential else which_BCHW + where_BCHW


def build(slot: Slot, *, layout: Literal["parallel", "sequential"] = "parallel") -> nn.Module:
    """Build a polarized self-attention block for one slot.

    Args:
        slot: Where the block goes.
        layout: Both branches in `parallel`, added, or `sequential`, channels first.
    """
    if layout not in ("parallel", "sequential"):
        raise UserError(f"polarized:layout must be parallel or sequential, not {layout!r}")
    return Polarized(slot.channels, sequential=layout == "sequential")


SPEC = AttentionSpec(
    name="polarized",
    build=build,
    source="arXiv:2107.00782",
    summary="Polarized self-attention (Liu et al. 2021): gates of channels and of positions",
    formula="4 * C * max(1, C // 2) + 3 * C",
)
