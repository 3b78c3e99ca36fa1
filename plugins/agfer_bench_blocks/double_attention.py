"""Double attention: the block of A2-Nets.

Chen, Kalantidis, Li, Yan & Feng (2018), arXiv:1810.11579, section 3.

Neither the paper's text nor an implementation of its authors was to be had, so equations are not
cited. Features are gathered by a softmax over positions, handed out by a softmax over what was
gathered, widened and added to the input. That both have C / 2 channels is inferred: ResNet-50 with
two such blocks of 512 channels and three of 1024 has 32.9 million parameters, and 33.0 million are
published; with C / 4 it has 29.2 million. Convolutions have no bias, and what is added is not
normalised.

Shapes in names: B batch, C channels, H height, W width, P positions, M channels that are gathered,
N things that are gathered.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agfer_bench import AttentionSpec, Slot
from agfer_bench_blocks.layers import at_least, glorot


class DoubleAttention(nn.Module):
    """Gather features from all positions, and add to each position those that it asks for.

    Source: arXiv:1810.11579, section 3.

    Args:
        channels: Channels C of the input.
        reduction: m = n = max(1, C // reduction).
    """

    def __init__(self, channels: int, reduction: int = 2) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.feature, self.gather, self.distribute = (
            nn.Conv2d(channels, hidden, 1, bias=False) for _ in range(3)
        )
        self.widen = nn.Conv2d(hidden, channels, 1, bias=False)
        glorot(self)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the input plus what was gathered and handed out."""
        feature_BMHW = self.feature(x_BCHW)
        maps_BNP = torch.softmax(self.gather(x_BCHW).flatten(2), dim=2)
        vectors_BNP = torch.softmax(self.distribute(x_BCHW).flatten(2), dim=1)
        gathered_BMN = feature_BMHW.flatten(2) @ maps_BNP.mT
        handed_out_BMHW = (gathered_BMN @ vectors_BNP).view_as(feature_BMHW)
        y_BCHW: Tensor = x_BCHW + self.widen(handed_out_BMHW)
        return y_BCHW


def build(slot: Slot, *, reduction: int = 2) -> nn.Module:
    """Build a double attention block for one slot.

    Args:
        slot: Where the block goes.
        reduction: At least 1: how much fewer channels, and things, are gathered than there are
            channels.
    """
    at_least(1, "double-attention:reduction", reduction)
    return DoubleAttention(slot.channels, reduction)


SPEC = AttentionSpec(
    name="double-attention",
    build=build,
    source="arXiv:1810.11579",
    summary="Double attention (Chen et al. 2018): features gathered, then handed out",
    formula="4 * C * max(1, C // reduction)",
)
