"""SA: shuffle attention.

Zhang & Yang (2021), arXiv:2102.00039, section 3, equations 1 to 3.

As in the authors' implementation the group normalisation has a group for each channel, with a
weight and a bias of its own, and all gates start at sigmoid(1). A map with fewer than 128 channels,
two for each of the 64 groups, gets a group for each pair of channels. The channels are shuffled at
the end, so the output is no product of the input, channel by channel, with a gate.

Shapes in names: B batch, G groups, C channels of all groups, D channels of half a group, H height,
W width; N batch times groups.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agfer_bench import AttentionSpec, Slot, UserError
from agfer_bench_blocks.layers import at_least


class Shuffle(nn.Module):
    """In each group gate one half by channel and one by position; then shuffle the channels.

    Source: arXiv:2102.00039, equations 1 to 3.

    Args:
        channels: Channels C of the input, a multiple of twice the groups.
        groups: Groups G of channels; all share their weights.
    """

    def __init__(self, channels: int, groups: int = 64) -> None:
        super().__init__()
        self.groups = groups
        self.each = channels // (2 * groups)
        self.which_weight_D11 = nn.Parameter(torch.zeros(self.each, 1, 1))
        self.which_bias_D11 = nn.Parameter(torch.ones(self.each, 1, 1))
        self.where_weight_D11 = nn.Parameter(torch.zeros(self.each, 1, 1))
        self.where_bias_D11 = nn.Parameter(torch.ones(self.each, 1, 1))
        self.norm = nn.GroupNorm(self.each, self.each)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the input, each element scaled by a number in (0, 1), with channels shuffled."""
        x_N2DHW = x_BCHW.unflatten(1, (self.groups, 2, self.each)).flatten(0, 1)
        which_NDHW, where_NDHW = x_N2DHW[:, 0], x_N2DHW[:, 1]
        mean_ND11 = which_NDHW.mean(dim=(2, 3), keepdim=True)
        which_gate_ND11 = torch.sigmoid(self.which_weight_D11 * mean_ND11 + self.which_bias_D11)
        where_gate_NDHW = torch.sigmoid(
            self.where_weight_D11 * self.norm(where_NDHW) + self.where_bias_D11
        )
        y_N2DHW = torch.stack([which_NDHW * which_gate_ND11, where_NDHW * where_gate_NDHW], dim=1)
        y_BCHW = y_N2DHW.unflatten(0, (-1, self.groups)).flatten(1, 3)
        # Channel i of the first half comes beside channel i of the second.
        shuffled_BCHW: Tensor = y_BCHW.unflatten(1, (2, -1)).transpose(1, 2).flatten(1, 2)
        return shuffled_BCHW


def build(slot: Slot, *, groups: int = 64) -> nn.Module:
    """Build a shuffle attention block for one slot.

    Args:
        slot: Where the block goes.
        groups: G, at least 1; twice as many must divide the channels. Half the channels' number
            where that is fewer.
    """
    at_least(1, "shuffle:groups", groups)
    groups = max(1, min(groups, slot.channels // 2))
    if slot.channels % (2 * groups):
        raise UserError(
            f"shuffle:groups, doubled, must divide the {slot.channels} channels of stage "
            f"{slot.stage}, not be {groups}"
        )
    return Shuffle(slot.channels, groups)


SPEC = AttentionSpec(
    name="shuffle",
    build=build,
    source="arXiv:2102.00039",
    summary="Shuffle attention (Zhang & Yang 2021): half a group by channel, half by position",
    formula="6 * (C // (2 * max(1, min(groups, C // 2))))",
)
