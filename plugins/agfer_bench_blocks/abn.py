"""ABN: the attention branch of the attention branch network.

Fukui, Hirakawa, Yamashita & Fujiyoshi (2019), arXiv:1812.10025, section 3, equation 2.

The branch classifies by itself and has a loss of its own (section 3.4), which is what teaches its
map where to look: `loss=1` adds it to the network's with the weight 1, as published. By default it
is off, so that the block is trained like all others, and the branch's classifier, which only that
loss reaches, is left out.

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
from torch.nn import functional

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
        loss: Weight of the branch's own loss; 0 for none.
    """

    def __init__(
        self, channels: int, classes: int, depth: int = 1, kernel: int = 1, loss: float = 0.0
    ) -> None:
        super().__init__()
        self.loss = loss
        self._scores_BM: Tensor | None = None
        self.classes = nn.Sequential(
            *(Unit(channels) for _ in range(depth)),
            nn.Conv2d(channels, classes, 1, bias=False),
            BatchNorm(classes),
            nn.ReLU(),
        )
        self.score = nn.Conv2d(classes, classes, 1, bias=False) if loss else None
        self.where = nn.Sequential(
            nn.Conv2d(classes, 1, kernel, padding=kernel // 2, bias=False),
            BatchNorm(1),
            nn.Sigmoid(),
        )
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the input, each position scaled by a number in (1, 2)."""
        classes_BMHW = self.classes(x_BCHW)
        if self.score is not None and self.training:
            self._scores_BM = self.score(classes_BMHW).mean(dim=(2, 3))
        map_B1HW: Tensor = self.where(classes_BMHW)
        return x_BCHW * (1 + map_B1HW)

    def aux_loss(self, labels_B: Tensor) -> Tensor | None:
        """Return the cross-entropy of the branch's own classification in the last pass.

        Source: section 3.4: the losses of both branches are added.
        """
        scores_BM, self._scores_BM = self._scores_BM, None
        if scores_BM is None:
            return None
        return self.loss * functional.cross_entropy(scores_BM.float(), labels_B)


def build(slot: Slot, *, depth: int = 1, kernel: int = 1, loss: float = 0.0) -> nn.Module:
    """Build an attention branch for one slot.

    Args:
        slot: Where the block goes.
        depth: Residual units at the branch's beginning, at least 0.
        kernel: Side of the kernel that makes the map, odd.
        loss: Weight of the branch's own loss, 0 for none; 1 as published.
    """
    at_least(0, "abn:depth", depth)
    at_least(0, "abn:loss", loss)
    odd("abn:kernel", kernel)
    return ABN(slot.channels, slot.classes, depth, kernel, loss)


SPEC = AttentionSpec(
    name="abn",
    build=build,
    source="arXiv:1812.10025",
    summary="Attention branch (Fukui et al. 2019); with loss=1 also the branch's own loss",
    formula="depth * (18 * C * C + 4 * C) + C * M + 2 * M + kernel * kernel * M + 2 "
    "+ (loss > 0) * M * M",
)
