"""GCT: gated channel transformation.

Yang, Zhu, Wu & Yang (2020), arXiv:1909.11519, section 3, equations 2 to 6.

The paper puts it before convolutions; in a slot it stands after them. It also spares beta the
weight decay, which the harness's protocol decides on, not a block.

Shapes in names: B batch, C channels, H height, W width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agfer_bench import AttentionSpec, Slot

_EPSILON = 1e-5
"""The paper's constant under both roots."""


class GCT(nn.Module):
    """Let channels compete or cooperate by their norms; the identity at the start.

    Source: arXiv:1909.11519, equations 2 to 6.

    Args:
        channels: Channels C of the input.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha_C11 = nn.Parameter(torch.ones(channels, 1, 1))
        self.gamma_C11 = nn.Parameter(torch.zeros(channels, 1, 1))
        self.beta_C11 = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the input, each channel scaled by a number in (0, 2)."""
        square_BC11 = x_BCHW.square().sum(dim=(2, 3), keepdim=True)
        size_BC11 = self.alpha_C11 * torch.sqrt(square_BC11 + _EPSILON)
        # The mean takes in the paper's factor, the root of C.
        share_BC11 = size_BC11 * torch.rsqrt(
            size_BC11.square().mean(dim=1, keepdim=True) + _EPSILON
        )
        return x_BCHW * (1 + torch.tanh(self.gamma_C11 * share_BC11 + self.beta_C11))


def build(slot: Slot) -> nn.Module:
    """Build a GCT block for one slot."""
    return GCT(slot.channels)


SPEC = AttentionSpec(
    name="gct",
    build=build,
    source="arXiv:1909.11519",
    summary="GCT (Yang et al. 2020): a gate per channel from its share of the norm",
    formula="3 * C",
)
