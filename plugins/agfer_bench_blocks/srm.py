"""SRM: style-based recalibration module.

Lee, Kim & Nam (2019), arXiv:1903.10829, section 3, equations 1 to 5.

The deviation is the paper's, divided by H * W; the authors' implementation divides by one less. A
small number under its root keeps the gradient of a channel that is constant finite. The channels'
weights start at zero, as in the authors' implementation: all gates are then 1/2.

Shapes in names: B batch, C channels, H height, W width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agfer_bench import AttentionSpec, Slot
from agfer_bench_blocks.layers import BatchNorm

_EPSILON = 1e-8
"""Added to the variance: far below that of any map that carries something."""


class SRM(nn.Module):
    """Gate each channel by its own mean and standard deviation.

    Source: arXiv:1903.10829, equations 1 to 5.

    Args:
        channels: Channels C of the input.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.style_2C11 = nn.Parameter(torch.zeros(2, channels, 1, 1))
        self.norm = BatchNorm(channels)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the input, each channel scaled by a number in (0, 1)."""
        mean_BC11 = x_BCHW.mean(dim=(2, 3), keepdim=True)
        variance_BC11 = (x_BCHW - mean_BC11).square().mean(dim=(2, 3), keepdim=True)
        deviation_BC11 = torch.sqrt(variance_BC11 + _EPSILON)
        style_BC11 = mean_BC11 * self.style_2C11[0] + deviation_BC11 * self.style_2C11[1]
        return x_BCHW * torch.sigmoid(self.norm(style_BC11))


def build(slot: Slot) -> nn.Module:
    """Build an SRM block for one slot."""
    return SRM(slot.channels)


SPEC = AttentionSpec(
    name="srm",
    build=build,
    source="arXiv:1903.10829",
    summary="SRM (Lee et al. 2019): a gate per channel from its mean and deviation",
    formula="4 * C",
)
