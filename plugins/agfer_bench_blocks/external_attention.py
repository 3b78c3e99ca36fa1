"""External attention.

Guo, Liu, Mu & Hu (2021), arXiv:2105.02358, section 3.

The paper's text was not to be had, so equations are not cited. The attention to a memory of S keys
and values, normalised twice, and the convolutions, batch normalisation, sum with the input and ReLU
around it follow the authors' implementation, as do the initial weights (He's normal, by fan-out).
The first convolution has no bias, which the softmax over positions would take away. In their code
keys and values start from the same numbers; here they are drawn apart.

Shapes in names: B batch, C channels, H height, W width, P positions, S memory slots.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agfer_bench import AttentionSpec, Slot
from agfer_bench_blocks.layers import BatchNorm, at_least

_EPSILON = 1e-9
"""The authors' constant beside the sum over the memory."""


class ExternalAttention(nn.Module):
    """Add to each position a mixture of values that are learnt, and rectify.

    Source: arXiv:2105.02358, section 3.

    Args:
        channels: Channels C of the input.
        memory: S, keys and values that are learnt.
    """

    def __init__(self, channels: int, memory: int = 64) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, channels, 1, bias=False)
        self.key = nn.Conv2d(channels, memory, 1, bias=False)
        self.value = nn.Conv2d(memory, channels, 1, bias=False)
        self.project = nn.Conv2d(channels, channels, 1, bias=False)
        self.norm = BatchNorm(channels)
        for layer in (self.query, self.key, self.value, self.project):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return ReLU of the input plus the mixture."""
        scores_BSHW = self.key(self.query(x_BCHW))
        weights_BSHW = torch.softmax(scores_BSHW.flatten(2), dim=2).view_as(scores_BSHW)
        weights_BSHW = weights_BSHW / (_EPSILON + weights_BSHW.sum(dim=1, keepdim=True))
        return torch.relu(x_BCHW + self.norm(self.project(self.value(weights_BSHW))))


def build(slot: Slot, *, memory: int = 64) -> nn.Module:
    """Build an external attention block for one slot.

    Args:
        slot: Where the block goes.
        memory: S, at least 2: keys and values that are learnt.
    """
    # The weights of a single value are 1 everywhere.
    at_least(2, "external-attention:memory", memory)
    return ExternalAttention(slot.channels, memory)


SPEC = AttentionSpec(
    name="external-attention",
    build=build,
    source="arXiv:2105.02358",
    summary="External attention (Guo et al. 2021): positions attend to a memory that is learnt",
    formula="2 * C * C + 2 * C * memory + 2 * C",
)
