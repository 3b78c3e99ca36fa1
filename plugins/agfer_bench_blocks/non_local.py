"""Non-local block, embedded Gaussian.

Wang, Girshick, Gupta & He (2018), arXiv:1711.07971, sections 3 and 4.1.

Softmax of products that are not scaled, C / 2 channels inside, and a batch normalisation whose
scale starts at zero, so that the block starts as the identity (sections 3.3 and 4.1). As in the
equations the embeddings have no bias. Keys and values are max pooled, as the paper does by 2: here
over the smallest windows that leave 784 (28 x 28) of them or fewer, since all pairs of the host's
112 x 112 positions take more work than the host. `pool=1` pools nothing. A window that the edge
cuts off counts as well.

Shapes in names: B batch, C channels, H height, W width, P positions, K pooled positions, D channels
inside.
"""

from __future__ import annotations

from torch import Tensor, nn

from agfer_bench import AttentionSpec, Slot
from agfer_bench_blocks.layers import BatchNorm, at_least, glorot, least_pool


class NonLocal(nn.Module):
    """Add to each position a mixture of all positions, weighted by likeness; identity at first.

    Source: arXiv:1711.07971, equations 1, 3 and 6.

    Args:
        channels: Channels C of the input.
        reduction: The embeddings have max(1, C // reduction) channels.
        pool: Side of the windows that keys and values are pooled over; 1 for none.
    """

    def __init__(self, channels: int, reduction: int = 2, pool: int = 1) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.query, self.key, self.value = (
            nn.Conv2d(channels, hidden, 1, bias=False) for _ in range(3)
        )
        self.pool = nn.MaxPool2d(pool, ceil_mode=True) if pool > 1 else nn.Identity()
        self.widen = nn.Conv2d(hidden, channels, 1, bias=False)
        self.norm = BatchNorm(channels)
        glorot(self)
        nn.init.zeros_(self.norm.weight)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the input plus the normalised mixture."""
        query_BDHW = self.query(x_BCHW)
        query_B1PD = query_BDHW.flatten(2).mT.unsqueeze(1)
        key_B1KD = self.pool(self.key(x_BCHW)).flatten(2).mT.unsqueeze(1)
        value_B1KD = self.pool(self.value(x_BCHW)).flatten(2).mT.unsqueeze(1)
        mixture_B1PD = nn.functional.scaled_dot_product_attention(
            query_B1PD, key_B1KD, value_B1KD, scale=1.0
        )
        mixture_BDHW = mixture_B1PD.squeeze(1).mT.contiguous().view_as(query_BDHW)
        y_BCHW: Tensor = x_BCHW + self.norm(self.widen(mixture_BDHW))
        return y_BCHW


def build(slot: Slot, *, reduction: int = 2, pool: int = 0) -> nn.Module:
    """Build a non-local block for one slot.

    Args:
        slot: Where the block goes.
        reduction: At least 1: how much narrower the embeddings are than the input.
        pool: Side of the windows that keys and values are pooled over; 1 for none; 0 for the
            smallest that leave at most 784 keys.
    """
    at_least(1, "non-local:reduction", reduction)
    at_least(0, "non-local:pool", pool)
    return NonLocal(slot.channels, reduction, pool or least_pool(slot.height, slot.width))


SPEC = AttentionSpec(
    name="non-local",
    build=build,
    source="arXiv:1711.07971",
    summary="Non-local block (Wang et al. 2018): positions attend to each other",
    formula="4 * C * max(1, C // reduction) + 2 * C",
)
