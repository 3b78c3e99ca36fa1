"""ABN: the attention branch of the attention branch network.

Fukui, Hirakawa, Yamashita & Fujiyoshi (2019), arXiv:1812.10025, section 3, equation 2.

What a slot cannot give: the branch classifies by itself and has a loss of its own (section 3.4),
which is what teaches its map where to look. A block returns no loss, so here the map is taught by
the network's loss alone. The branch's classifier, which only that loss reaches, is left out.

The branch begins with a copy of the network's last residual stage; here `depth` residual units of
two 3x3 convolutions, one by default. The map is made of as many channels as there are classes, by
a 1x1 convolution as in the paper; the authors' implementation has 3x3 (`kernel=3`). It also
normalises before the convolution to classes, which the normalisation after it makes idle; that is
left out. Convolutions start from He's normal weights by fan-out, as theirs do.

Shapes in names: B batch, C channels, H height, W width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agfer_bench import AttentionSpec, Slot
from agfer_bench_blocks.layers import BatchNorm, at_least, odd


class Unit(nn.Module):
    """A residual unit of two 3x3 convolutions (He et al. 2016, arXiv:1512.03385, figure 2).

    Args:
        channels: Channels C of input and output.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            BatchNorm(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            BatchNorm(channels),
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return ReLU of the input plus the branch."""
        return torch.relu(x_BCHW + self.branch(x_BCHW))


class ABN(nn.Module):
    """Add to the input itself times an attention map.

    Source: arXiv:1812.10025, section 3.2 and equation 2.

    Args:
        channels: Channels C of the input.
        classes: Classes m: channels that the map is made of.
        depth: Residual units at the branch's beginning.
        kernel: Side of the kernel that makes the map, odd.
    """

    def __init__(self, channels: int, classes: int, depth: int = 1, kernel: int = 1) -> None:
        super().__init__()
        self.where = nn.Sequential(
            *(Unit(channels) for _ in range(depth)),
            nn.Conv2d(channels, classes, 1, bias=False),
            BatchNorm(classes),
            nn.ReLU(),
            nn.Conv2d(classes, 1, kernel, padding=kernel // 2, bias=False),
            BatchNorm(1),
            nn.Sigmoid(),
        )
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the input, each position scaled by a number in (1, 2)."""
        map_B1HW: Tensor = self.where(x_BCHW)
        return x_BCHW * (1 + map_B1HW)


def build(slot: Slot, *, depth: int = 1, kernel: int = 1) -> nn.Module:
    """Build an attention branch for one slot.

    Args:
        slot: Where the block goes.
        depth: Residual units at the branch's beginning, at least 0.
        kernel: Side of the kernel that makes the map, odd.
    """
    at_least(0, "abn:depth", depth)
    odd("abn:kernel", kernel)
    return ABN(slot.channels, slot.classes, depth, kernel)


SPEC = AttentionSpec(
    name="abn",
    build=build,
    source="arXiv:1812.10025",
    summary="Attention branch (Fukui et al. 2019), without the branch's own loss",
    formula="depth * (18 * C * C + 4 * C) + C * M + 2 * M + kernel * kernel * M + 2",
)
