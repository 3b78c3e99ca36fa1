"""EMA: efficient multi-scale attention with cross-spatial learning.

Ouyang, He, Zhang, Luo, Guo, Zhan & Huang (2023), arXiv:2305.13563, section 3.

Follows the authors' implementation, and its 32 groups. A map with fewer channels than groups gets a
group for each channel, where theirs raises. Group normalisation with one channel a group leaves a
mean of its bias, so the weights that the paper draws from the means of the 1x1 branch depend on
that bias alone, not on the image.

Shapes in names: B batch, G groups, C channels of all groups, D channels of one, H height, W width;
N batch times groups.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agfer_bench import AttentionSpec, Slot
from agfer_bench_blocks.layers import at_least, divisor, glorot


def _by_channel(x_NDHW: Tensor) -> Tensor:
    """Return weights of the channels that add up to 1: softmax of the channels' means."""
    return torch.softmax(x_NDHW.mean(dim=(2, 3), keepdim=True), dim=1)


class EMA(nn.Module):
    """Gate each group of channels by position, from two branches that weigh each other.

    Source: arXiv:2305.13563, section 3, figure 3.

    Args:
        channels: Channels C of the input, a multiple of the groups.
        groups: Groups G of channels; all share their weights.
    """

    def __init__(self, channels: int, groups: int = 32) -> None:
        super().__init__()
        self.groups = groups
        self.each = channels // groups
        self.narrow = nn.Conv2d(self.each, self.each, 1)
        self.wide = nn.Conv2d(self.each, self.each, 3, padding=1)
        self.norm = nn.GroupNorm(self.each, self.each)
        glorot(self)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the input, each element scaled by a number in (0, 1)."""
        x_NDHW = x_BCHW.unflatten(1, (self.groups, self.each)).flatten(0, 1)
        rows_NDH1 = torch.sigmoid(self.narrow(x_NDHW.mean(dim=3, keepdim=True)))
        columns_ND1W = torch.sigmoid(self.narrow(x_NDHW.mean(dim=2, keepdim=True)))
        narrow_NDHW = self.norm(x_NDHW * rows_NDH1 * columns_ND1W)
        wide_NDHW: Tensor = self.wide(x_NDHW)
        weight_N1HW: Tensor = (_by_channel(narrow_NDHW) * wide_NDHW).sum(dim=1, keepdim=True) + (
            _by_channel(wide_NDHW) * narrow_NDHW
        ).sum(dim=1, keepdim=True)
        y_NDHW = x_NDHW * torch.sigmoid(weight_N1HW)
        y_BCHW: Tensor = y_NDHW.unflatten(0, (-1, self.groups)).flatten(1, 2)
        return y_BCHW


def build(slot: Slot, *, groups: int = 32) -> nn.Module:
    """Build an EMA block for one slot.

    Args:
        slot: Where the block goes.
        groups: G, at least 1, a divisor of the channels; the channels' number where they are fewer.
    """
    at_least(1, "ema:groups", groups)
    groups = min(groups, slot.channels)
    divisor("ema:groups", groups, slot)
    return EMA(slot.channels, groups)


SPEC = AttentionSpec(
    name="ema",
    build=build,
    source="arXiv:2305.13563",
    summary="EMA (Ouyang et al. 2023): grouped spatial gates from two branches",
    formula="10 * (C // min(groups, C)) * (C // min(groups, C)) + 4 * (C // min(groups, C))",
)
