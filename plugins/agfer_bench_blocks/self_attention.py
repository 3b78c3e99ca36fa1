"""Multi-head self-attention: the encoder block of the vision transformer.

Dosovitskiy et al. (2021), arXiv:2010.11929, equations 2 and 3 and appendix A, after Vaswani et al.
(2017), arXiv:1706.03762.

Every position of the map is a token. By default there is only the attention (equation 2); `mlp=4`
adds the MLP of the paper's blocks (equation 3). Heads have 64 channels, as in ViT-Base and
ViT-Large; a map with fewer has one head. As in the equations the attention has no biases. There are
no embeddings of positions, which the paper adds once, before its first block: here convolutions
come before, whose padding tells positions apart. Keys and values are made of means over the
smallest windows that leave 784 (28 x 28) of them or fewer, since all pairs of the host's 112 x 112
positions take more work than the host; `pool=1` pools nothing. There is no dropout.

Shapes in names: B batch, C channels, H height, W width, P positions, K pooled positions, N heads,
D channels of a head.
"""

from __future__ import annotations

from torch import Tensor, nn

from agfer_bench import AttentionSpec, Slot, UserError
from agfer_bench_blocks.layers import at_least, glorot, least_pool

_EPSILON = 1e-6
"""The authors' constant of the layer normalisation."""


class LayerNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each position."""

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the input, normalised by position."""
        x_BHWC = super().forward(x_BCHW.permute(0, 2, 3, 1))
        return x_BHWC.permute(0, 3, 1, 2)


class MultiHead(nn.Module):
    """Multi-head self-attention between positions (appendix A, equations 5 to 8).

    Args:
        channels: Channels C of the input, a multiple of the heads.
        heads: N.
        pool: Side of the windows that keys and values are pooled over; 1 for none.
    """

    def __init__(self, channels: int, heads: int, pool: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.project = (
            nn.Conv2d(channels, channels, 1, bias=False) for _ in range(4)
        )
        self.pool = nn.AvgPool2d(pool, ceil_mode=True) if pool > 1 else nn.Identity()

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return a mixture of all positions for each."""
        pooled = self.pool(x_BCHW)
        query_BNPD, key_BNKD, value_BNKD = (
            layer(source).flatten(2).unflatten(1, (self.heads, -1)).mT
            for layer, source in ((self.query, x_BCHW), (self.key, pooled), (self.value, pooled))
        )
        mixture_BNPD = nn.functional.scaled_dot_product_attention(query_BNPD, key_BNKD, value_BNKD)
        y_BCHW: Tensor = self.project(mixture_BNPD.mT.flatten(1, 2).view_as(x_BCHW))
        return y_BCHW


class SelfAttention(nn.Module):
    """Add to each position a mixture of all, of what was normalised; then, if wanted, an MLP.

    Source: arXiv:2010.11929, equations 2 and 3.

    Args:
        channels: Channels C of the input, a multiple of the heads.
        heads: N.
        pool: Side of the windows that keys and values are pooled over; 1 for none.
        mlp: The MLP has this many times C channels inside; 0 for no MLP.
    """

    def __init__(self, channels: int, heads: int = 1, pool: int = 1, mlp: int = 0) -> None:
        super().__init__()
        self.attend = nn.Sequential(
            LayerNorm(channels, eps=_EPSILON), MultiHead(channels, heads, pool)
        )
        self.mlp: nn.Sequential | None = None
        if mlp:
            self.mlp = nn.Sequential(
                LayerNorm(channels, eps=_EPSILON),
                nn.Conv2d(channels, mlp * channels, 1),
                nn.GELU(),
                nn.Conv2d(mlp * channels, channels, 1),
            )
        glorot(self)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the input, the mixture and, if there is one, the MLP's answer, summed."""
        y_BCHW: Tensor = x_BCHW + self.attend(x_BCHW)
        if self.mlp is None:
            return y_BCHW
        z_BCHW: Tensor = y_BCHW + self.mlp(y_BCHW)
        return z_BCHW


def build(slot: Slot, *, head_channels: int = 64, pool: int = 0, mlp: int = 0) -> nn.Module:
    """Build a self-attention block for one slot.

    Args:
        slot: Where the block goes.
        head_channels: At least 1: there is a head for each so many channels, and one at least; the
            number of heads must divide the channels.
        pool: Side of the windows that keys and values are pooled over; 1 for none; 0 for the
            smallest that leave at most 784 keys.
        mlp: The MLP has this many times as many channels inside; 0 for no MLP.
    """
    at_least(1, "self-attention:head_channels", head_channels)
    at_least(0, "self-attention:pool", pool)
    at_least(0, "self-attention:mlp", mlp)
    heads = max(1, slot.channels // head_channels)
    if slot.channels % heads:
        raise UserError(
            f"self-attention:head_channels must not be {head_channels}: the {slot.channels} "
            f"channels of stage {slot.stage} cannot be divided among {heads} heads"
        )
    return SelfAttention(slot.channels, heads, pool or least_pool(slot.height, slot.width), mlp)


SPEC = AttentionSpec(
    name="self-attention",
    build=build,
    source="arXiv:2010.11929",
    summary="Self-attention of the vision transformer (Dosovitskiy et al. 2021), heads of 64",
    formula="4 * C * C + 2 * C + (2 * mlp * C * C + mlp * C + 3 * C if mlp else 0)",
)
