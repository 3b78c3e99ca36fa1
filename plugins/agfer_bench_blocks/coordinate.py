"""Coordinate attention.

Hou, Zhou & Feng (2021), arXiv:2103.02907, section 3.2, equations 4 to 9.

The bottleneck is as wide as in the authors' implementation, at least 8 channels, with the paper's
r = 32. As there, the last convolutions have a bias; the first has none here, since the batch
normalisation would take it away. The block `timm-coord` has no biases at all, and is wider at 512
channels. The paper puts the block inside mobile units; in a slot it stands behind a stage.

Shapes in names: B batch, C channels, H height, W width, D bottleneck channels, P rows and columns
one behind the other.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agfer_bench import AttentionSpec, Slot
from agfer_bench_blocks.layers import BatchNorm, at_least, glorot

_NARROWEST = 8
"""Channels that the bottleneck has at least."""


class Coordinate(nn.Module):
    """Gate each element by its row and by its column.

    Source: arXiv:2103.02907, equations 4 to 9.

    Args:
        channels: Channels C of the input.
        reduction: r; the bottleneck has max(8, C // r) channels.
    """

    def __init__(self, channels: int, reduction: int = 32) -> None:
        super().__init__()
        hidden = max(_NARROWEST, channels // reduction)
        self.squeeze = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, bias=False), BatchNorm(hidden), nn.Hardswish()
        )
        self.rows, self.columns = (nn.Conv2d(hidden, channels, 1) for _ in range(2))
        glorot(self)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the input, each element scaled by a number in (0, 1)."""
        rows_BCH1 = x_BCHW.mean(dim=3, keepdim=True)
        columns_BCW1 = x_BCHW.mean(dim=2, keepdim=True).mT
        squeezed_BDP1 = self.squeeze(torch.cat([rows_BCH1, columns_BCW1], dim=2))
        height = x_BCHW.shape[2]
        gate_BCH1 = torch.sigmoid(self.rows(squeezed_BDP1[:, :, :height]))
        gate_BC1W = torch.sigmoid(self.columns(squeezed_BDP1[:, :, height:].mT))
        return x_BCHW * gate_BCH1 * gate_BC1W


def build(slot: Slot, *, reduction: int = 32) -> nn.Module:
    """Build a coordinate attention block for one slot.

    Args:
        slot: Where the block goes.
        reduction: r, at least 1: how much narrower the bottleneck is than the input.
    """
    at_least(1, "coordinate:reduction", reduction)
    return Coordinate(slot.channels, reduction)


SPEC = AttentionSpec(
    name="coordinate",
    build=build,
    source="arXiv:2103.02907",
    summary="Coordinate attention (Hou et al. 2021): gates of rows and columns",
    formula="max(8, C // reduction) * (3 * C + 2) + 2 * C",
)
