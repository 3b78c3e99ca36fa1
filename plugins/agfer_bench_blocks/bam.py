"""BAM: bottleneck attention module.

Park, Woo, Lee & Kweon (2018), arXiv:1807.06514, section 3, equations 1 to 4.

The paper's equations end both branches in a batch normalisation and add them; they name no
activation inside. Here a ReLU follows every layer but the last, as in the authors' implementation,
which in turn normalises after every hidden layer, not at the end, and multiplies the branches.
The last layers have no bias, since the normalisation would take it away.

Shapes in names: B batch, C channels, H height, W width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agfer_bench import AttentionSpec, Slot
from agfer_bench_blocks.layers import BatchNorm, at_least, glorot


class BAM(nn.Module):
    """Add to the input itself times a gate: channel and spatial branch, summed.

    Source: arXiv:1807.06514, equations 1 to 4.

    Args:
        channels: Channels C of the input.
        reduction: r; both branches are max(1, C // r) channels wide inside.
        dilation: d; how far apart the 3x3 kernels' positions lie.
    """

    def __init__(self, channels: int, reduction: int = 16, dilation: int = 4) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.which = nn.Sequential(
            nn.Conv2d(channels, hidden, 1),
            nn.ReLU(),
            nn.Conv2d(hidden, channels, 1, bias=False),
            BatchNorm(channels),
        )
        self.where = nn.Sequential(
            nn.Conv2d(channels, hidden, 1),
            nn.ReLU(),
            nn.Conv2d(hidden, hidden, 3, padding=dilation, dilation=dilation),
            nn.ReLU(),
            nn.Conv2d(hidden, hidden, 3, padding=dilation, dilation=dilation),
            nn.ReLU(),
            nn.Conv2d(hidden, 1, 1, bias=False),
            BatchNorm(1),
        )
        glorot(self)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the input, each element scaled by a number in (1, 2)."""
        which_BC11 = self.which(x_BCHW.mean(dim=(2, 3), keepdim=True))
        return x_BCHW + x_BCHW * torch.sigmoid(which_BC11 + self.where(x_BCHW))


def build(slot: Slot, *, reduction: int = 16, dilation: int = 4) -> nn.Module:
    """Build a BAM block for one slot.

    Args:
        slot: Where the block goes.
        reduction: r, at least 1: how much narrower the branches are than the input.
        dilation: d, at least 1: how far apart the 3x3 kernels' positions lie.
    """
    at_least(1, "bam:reduction", reduction)
    at_least(1, "bam:dilation", dilation)
    return BAM(slot.channels, reduction, dilation)


SPEC = AttentionSpec(
    name="bam",
    build=build,
    source="arXiv:1807.06514",
    summary="BAM (Park et al. 2018): channel and spatial branch, summed; input added",
    formula="max(1, C // reduction) * (3 * C + 18 * max(1, C // reduction) + 5) + 2 * C + 2",
)
