"""The additive attention gate.

Oktay, Schlemper et al. (2018), arXiv:1804.03999, section 2.3, equations 1 and 2.

In the paper, a network that goes down and up again, a map is gated by one that is coarser and knows
more of the whole. A classifier has none before it is through: here the map is gated by the one that
left the slot before (at the first slot by the image), which is finer and knows more detail. It is
taken at the positions nearest to those of the map.

Shapes in names: B batch, C channels, P channels of the previous map, R channels in between, H
height, W width.
"""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional

from agfer_bench import AttentionSpec, PreviousMap, Slot
from agfer_bench_blocks.layers import at_least, glorot


class AttentionGate(nn.Module):
    """Gate each position by what the map and the previous map say of it.

    Source: arXiv:1804.03999, equations 1 and 2: sigmoid(psi(ReLU(W_x x + W_g g + b_g)) + b_psi).

    Args:
        channels: Channels C of the map.
        previous: Channels P of the previous map.
        reduction: C / R.
    """

    def __init__(self, channels: int, previous: int, reduction: int = 2) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.of_map = nn.Conv2d(channels, hidden, 1, bias=False)
        self.of_previous = nn.Conv2d(previous, hidden, 1)
        self.psi = nn.Conv2d(hidden, 1, 1)
        glorot(self)

    def forward(self, x_BCHW: Tensor, previous_BPHW: Annotated[Tensor, PreviousMap]) -> Tensor:
        """Return the map, each position times a number in (0, 1)."""
        signal_BRHW = functional.interpolate(self.of_previous(previous_BPHW), x_BCHW.shape[2:])
        gate_B1HW = torch.sigmoid(self.psi(torch.relu(self.of_map(x_BCHW) + signal_BRHW)))
        return x_BCHW * gate_B1HW


def build(slot: Slot, *, reduction: int = 2) -> nn.Module:
    """Build an attention gate for one slot.

    Args:
        slot: Where the block goes.
        reduction: Channels of the map by those in between, at least 1.
    """
    at_least(1, "attention-gate:reduction", reduction)
    return AttentionGate(slot.channels, slot.previous[0], reduction)


SPEC = AttentionSpec(
    name="attention-gate",
    build=build,
    source="arXiv:1804.03999",
    summary="Additive attention gate (Oktay et al. 2018); the previous slot's map opens it",
    formula="max(1, C // reduction) * (C + P + 2) + 1",
)
