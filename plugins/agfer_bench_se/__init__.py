"""Squeeze and excitation.

Hu, Shen, Albanie, Sun & Wu (2018), arXiv:1709.01507, section 3; as used by Arabian et al. (2023),
doi:10.3390/app131810179, section 2.2.1 (there: SEFER).

Departs from neither. The fully connected layers are 1x1 convolutions, which compute the same and
spare two reshapes. R is not stated by Arabian et al.; 16 is Hu et al.'s.

Shapes in names: B batch, C channels, H height, W width.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from agfer_bench import AttentionSpec, Slot, UserError, hookimpl


class SE(nn.Module):
    """Scale each channel by a gate computed from all channels' means.

    Source: arXiv:1709.01507, equations 2 to 4.

    Args:
        channels: Channels C of the input.
        reduction: R; the bottleneck has max(1, C // R) channels.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.squeeze = nn.Conv2d(channels, hidden, 1)
        self.excite = nn.Conv2d(hidden, channels, 1)
        for layer in (self.squeeze, self.excite):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the input, each channel scaled by a number in (0, 1)."""
        return x_BCHW * self.gate(x_BCHW)

    def gate(self, x_BCHW: Tensor) -> Tensor:
        """Return what each channel is scaled by: (B, C, 1, 1)."""
        mean_BC11 = x_BCHW.mean(dim=(2, 3), keepdim=True)
        hidden = torch.relu(self.squeeze(mean_BC11))
        return torch.sigmoid(self.excite(hidden))


def build(slot: Slot, *, reduction: int = 16) -> nn.Module:
    """Build an SE block for one slot.

    Args:
        slot: Where the block goes.
        reduction: R, at least 1: how much narrower the bottleneck is than the input.
    """
    if reduction < 1:
        raise UserError(f"se:reduction must be at least 1, not {reduction}")
    return SE(slot.channels, reduction)


@hookimpl
def attention_modules() -> Sequence[AttentionSpec]:
    """Offer `se`."""
    return [
        AttentionSpec(
            name="se",
            build=build,
            source="arXiv:1709.01507",
            summary="Squeeze and excitation (Hu et al. 2018): a gate per channel",
            formula="2 * C * max(1, C // reduction) + max(1, C // reduction) + C",
        )
    ]
