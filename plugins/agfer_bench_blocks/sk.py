"""SK: selective kernel convolution.

Li, Wang, Hu & Yang (2019), arXiv:1903.06586, section 3.1, equations 1 to 6.

The paper puts it in the place of a 3x3 convolution inside a residual unit; in a slot it stands
behind a stage and convolves once more, so it has no gate that multiplies its input. The second
branch's 5x5 kernel is a 3x3 kernel with dilation 2, as in the paper; its r = 16, L = 32 and G = 32
are the defaults. A map with fewer channels than groups gets a group for each channel.

Shapes in names: B batch, C channels, H height, W width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agfer_bench import AttentionSpec, Slot
from agfer_bench_blocks.layers import BatchNorm, at_least, divisor, glorot


def _branch(channels: int, groups: int, dilation: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(
            channels, channels, 3, padding=dilation, dilation=dilation, groups=groups, bias=False
        ),
        BatchNorm(channels),
        nn.ReLU(),
    )


class SK(nn.Module):
    """Mix the maps of a small and of a large kernel, by weights that add up to 1 in each channel.

    Source: arXiv:1903.06586, equations 1 to 6.

    Args:
        channels: Channels C of the input, a multiple of the groups.
        reduction: r; the weights are made of max(C // r, minimum) numbers.
        minimum: L, the fewest of these.
        groups: G of both convolutions.
    """

    def __init__(
        self, channels: int, reduction: int = 16, minimum: int = 32, groups: int = 32
    ) -> None:
        super().__init__()
        hidden = max(channels // reduction, minimum)
        self.near, self.far = (_branch(channels, groups, dilation) for dilation in (1, 2))
        self.squeeze = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, bias=False), BatchNorm(hidden), nn.ReLU()
        )
        self.select = nn.Conv2d(hidden, 2 * channels, 1, bias=False)
        glorot(self)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the mixture of both branches."""
        near_BCHW, far_BCHW = self.near(x_BCHW), self.far(x_BCHW)
        pooled_BC11 = (near_BCHW + far_BCHW).mean(dim=(2, 3), keepdim=True)
        scores_B2C11 = self.select(self.squeeze(pooled_BC11)).unflatten(1, (2, -1))
        weights_B2C11 = torch.softmax(scores_B2C11, dim=1)
        y_BCHW: Tensor = near_BCHW * weights_B2C11[:, 0] + far_BCHW * weights_B2C11[:, 1]
        return y_BCHW


def build(slot: Slot, *, reduction: int = 16, minimum: int = 32, groups: int = 32) -> nn.Module:
    """Build an SK block for one slot.

    Args:
        slot: Where the block goes.
        reduction: r, at least 1: how much narrower the bottleneck is than the input.
        minimum: L, at least 1: the fewest channels of the bottleneck.
        groups: G, at least 1, a divisor of the channels; the channels' number where they are fewer.
    """
    at_least(1, "sk:reduction", reduction)
    at_least(1, "sk:minimum", minimum)
    at_least(1, "sk:groups", groups)
    groups = min(groups, slot.channels)
    divisor("sk:groups", groups, slot)
    return SK(slot.channels, reduction, minimum, groups)


SPEC = AttentionSpec(
    name="sk",
    build=build,
    source="arXiv:1903.06586",
    summary="SK (Li et al. 2019): two kernels, mixed by channel",
    formula="18 * C * (C // min(groups, C)) + 4 * C + max(C // reduction, minimum) * (3 * C + 2)",
)
