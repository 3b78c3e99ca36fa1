"""CoT: the contextual transformer block.

Li, Yao, Pan & Mei (2021), arXiv:2107.12292, section 3.2.

The paper puts it in the place of a 3x3 convolution inside a residual unit; in a slot it stands
behind a stage, so it has no gate that multiplies its input. What the paper leaves open follows the
authors' implementation: 4 groups in the key's convolution, 8 channels that share a weight, batch
normalisations, the group normalisation of the weights in the place of a softmax, SiLU, and the
selection by channel at the end. A map with fewer than 8 channels shares one weight.

Shapes in names: B batch, C channels, H height, W width, S channels that share a weight, G sets of
these (heads), K places of the kernel.
"""

from __future__ import annotations

from functools import reduce

import torch
from torch import Tensor, nn

from agfer_bench import AttentionSpec, Slot
from agfer_bench_blocks.layers import BatchNorm, at_least, divisor, glorot, odd

_NARROWEST = 32
"""Channels that the selection's bottleneck has at least."""


class CoT(nn.Module):
    """Mix a static context of each position with a dynamic one, by weights that add up to 1.

    Source: arXiv:2107.12292, section 3.2.

    Args:
        channels: Channels C of the input, a multiple of `groups` and of `share`.
        kernel: Side k of the neighbourhood, odd.
        groups: Groups of the key's convolution.
        share: S; channels that share a weight.
    """

    def __init__(self, channels: int, kernel: int = 3, groups: int = 4, share: int = 8) -> None:
        super().__init__()
        half, places, heads = max(1, channels // 2), kernel * kernel, channels // share
        hidden = max(_NARROWEST, half)
        self.side, self.heads = kernel, heads
        self.key = nn.Sequential(
            nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=groups, bias=False),
            BatchNorm(channels),
            nn.ReLU(),
        )
        self.value = nn.Sequential(
            nn.Conv2d(channels, channels, 1, bias=False), BatchNorm(channels)
        )
        self.weigh = nn.Sequential(
            nn.Conv2d(2 * channels, half, 1, bias=False),
            BatchNorm(half),
            nn.ReLU(),
            nn.Conv2d(half, heads * places, 1),
            nn.GroupNorm(heads, heads * places),
        )
        self.dynamic = nn.Sequential(BatchNorm(channels), nn.SiLU())
        self.select = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, bias=False),
            BatchNorm(hidden),
            nn.ReLU(),
            nn.Conv2d(hidden, 2 * channels, 1),
        )
        glorot(self)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the mixture of both contexts."""
        static_BCHW = self.key(x_BCHW)
        weights_BGKHW = self.weigh(torch.cat([x_BCHW, static_BCHW], dim=1)).unflatten(
            1, (self.heads, -1)
        )
        dynamic_BCHW = self.dynamic(self._neighbours(self.value(x_BCHW), weights_BGKHW))
        pooled_BC11 = (static_BCHW + dynamic_BCHW).mean(dim=(2, 3), keepdim=True)
        shares_BC211 = torch.softmax(self.select(pooled_BC11).unflatten(1, (-1, 2)), dim=2)
        y_BCHW: Tensor = dynamic_BCHW * shares_BC211[:, :, 0] + static_BCHW * shares_BC211[:, :, 1]
        return y_BCHW

    def _neighbours(self, value_BCHW: Tensor, weights_BGKHW: Tensor) -> Tensor:
        """Return the sum of each position's neighbours, times its own weights of them.

        Place by place, since the neighbours of all positions together take K times the memory.
        """
        reach = self.side // 2
        padded_BSGHW = nn.functional.pad(value_BCHW, (reach,) * 4).unflatten(1, (-1, self.heads))
        products = (
            padded_BSGHW[..., self._part(place // self.side), self._part(place % self.side)]
            * weights_BGKHW[:, None, :, place]
            for place in range(self.side * self.side)
        )
        mixed_BSGHW: Tensor = reduce(torch.add, products)
        return mixed_BSGHW.flatten(1, 2)

    def _part(self, start: int) -> slice:
        """Return the part of a padded row that begins at `start` and is as long as the row was."""
        return slice(start, start - (self.side - 1) or None)


def build(slot: Slot, *, kernel: int = 3, groups: int = 4, share: int = 8) -> nn.Module:
    """Build a CoT block for one slot.

    Args:
        slot: Where the block goes.
        kernel: Side k of the neighbourhood, odd.
        groups: At least 1, a divisor of the channels: groups of the key's convolution.
        share: At least 1, a divisor of the channels: how many of them share a weight; their number
            where they are fewer.
    """
    odd("cot:kernel", kernel)
    at_least(1, "cot:groups", groups)
    at_least(1, "cot:share", share)
    share = min(share, slot.channels)
    divisor("cot:groups", groups, slot)
    divisor("cot:share", share, slot)
    return CoT(slot.channels, kernel, groups, share)


_HALF = "max(1, C // 2)"
_HIDDEN = f"max(32, {_HALF})"

SPEC = AttentionSpec(
    name="cot",
    build=build,
    source="arXiv:2107.12292",
    summary="CoT (Li et al. 2021): weights of neighbours from a static context",
    formula=f"kernel * kernel * C * (C // groups) + C * C + 2 * C * {_HALF} + 2 * {_HALF}"
    f" + kernel * kernel * (C // min(share, C)) * ({_HALF} + 3)"
    f" + {_HIDDEN} * (3 * C + 2) + 8 * C",
)
