"""Self spatial attention (SSA) of the self residual attention network, SRANet.

Ling, Wu, Wu, Huang, Chen & Li (2019), doi:10.1109/ACCESS.2019.2913205.

Written from the implementation of one of the authors (J. Wu), since the paper's text was not to be
had: sections and equations are not cited. Every position attends to every other, which at the 112 x
112 positions of the host's stage 2 takes more work than the host itself. So by default keys and
values are pooled until 784 (28 x 28) are left, by max plus mean as in the authors' `tiny` variant;
`pool=1` pools nothing, as in their full one, and maps of 28 x 28 are the same either way.
Their code makes a batch normalisation that it never uses; it is left out. gamma starts at zero.

Shapes in names: B batch, C channels, H height, W width, P positions, K pooled positions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agfer_bench import AttentionSpec, Slot
from agfer_bench_blocks.layers import at_least, glorot, least_pool
from agfer_bench_blocks.self_residual_channel import pooled


class SelfResidualSpatial(nn.Module):
    """Add to each position a mixture of all positions, weighted by likeness.

    Source: doi:10.1109/ACCESS.2019.2913205.

    Args:
        channels: Channels C of the input.
        pool: Side of the windows that keys and values are pooled over; 1 for none.
    """

    def __init__(self, channels: int, pool: int = 1) -> None:
        super().__init__()
        self.pool = pool
        half = max(1, channels // 2)
        self.query, self.key, self.value = (
            nn.Conv2d(channels, width, 1, bias=False) for width in (half, half, channels)
        )
        self.gamma = nn.Parameter(torch.zeros(1))
        glorot(self)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the refined input; the products are not scaled."""
        query_B1PC = self.query(x_BCHW).flatten(2).mT.unsqueeze(1)
        key_B1KC = pooled(self.key(x_BCHW), self.pool).mT.unsqueeze(1)
        value_B1KC = pooled(self.value(x_BCHW), self.pool).mT.unsqueeze(1)
        refined_B1PC = nn.functional.scaled_dot_product_attention(
            query_B1PC, key_B1KC, value_B1KC, scale=1.0
        )
        refined_BCHW = refined_B1PC.squeeze(1).mT.contiguous().view_as(x_BCHW)
        return self.gamma * refined_BCHW + x_BCHW


def build(slot: Slot, *, pool: int = 0) -> nn.Module:
    """Build a self spatial attention block for one slot.

    Args:
        slot: Where the block goes.
        pool: Side of the windows that keys and values are pooled over; 1 for none, as in the
            original; 0 for the smallest that leave at most 784 keys.
    """
    at_least(0, "self-residual-spatial:pool", pool)
    return SelfResidualSpatial(slot.channels, pool or least_pool(slot.height, slot.width))


SPEC = AttentionSpec(
    name="self-residual-spatial",
    build=build,
    source="doi:10.1109/ACCESS.2019.2913205",
    summary="Self spatial attention (Ling et al. 2019): positions attend to each other",
    formula="2 * C * max(1, C // 2) + C * C + 1",
)
