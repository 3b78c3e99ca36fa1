"""Self channel attention (SCA) of the self residual attention network, SRANet.

Ling, Wu, Wu, Huang, Chen & Li (2019), doi:10.1109/ACCESS.2019.2913205.

Written from the implementation of one of the authors (J. Wu), since the paper's text was not to be
had: sections and equations are not cited. Queries and keys are max plus mean pooled by 2. Here a
last odd row or column makes a window of its own, where theirs drops it. The products are not
scaled, so at large maps the softmax is close to picking one channel; gamma starts at zero.
The authors put it at the end of a residual unit's branch; in a slot it stands after convolutions.

Shapes in names: B batch, C channels, H height, W width, P pooled positions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agfer_bench import AttentionSpec, Slot
from agfer_bench_blocks.layers import BatchNorm, glorot


def pooled(x_BCHW: Tensor, side: int) -> Tensor:
    """Return maximum plus mean of windows of `side` x `side`, flattened to (B, C, P)."""
    if side == 1:
        return x_BCHW.flatten(2)
    largest = nn.functional.max_pool2d(x_BCHW, side, ceil_mode=True)
    return (largest + nn.functional.avg_pool2d(x_BCHW, side, ceil_mode=True)).flatten(2)


class SelfResidualChannel(nn.Module):
    """Add to each channel a mixture of all channels, weighted by likeness; then normalise.

    Source: doi:10.1109/ACCESS.2019.2913205.

    Args:
        channels: Channels C of the input.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query, self.key, self.value = (
            nn.Conv2d(channels, channels, 1, bias=False) for _ in range(3)
        )
        self.gamma = nn.Parameter(torch.zeros(1))
        self.norm = BatchNorm(channels)
        glorot(self)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the refined input, normalised by channel."""
        query_BCP, key_BCP = pooled(self.query(x_BCHW), 2), pooled(self.key(x_BCHW), 2)
        likeness_BCC = torch.softmax(query_BCP @ key_BCP.mT, dim=2)
        refined_BCHW = (likeness_BCC @ self.value(x_BCHW).flatten(2)).view_as(x_BCHW)
        y_BCHW: Tensor = self.norm(self.gamma * refined_BCHW + x_BCHW)
        return y_BCHW


def build(slot: Slot) -> nn.Module:
    """Build a self channel attention block for one slot."""
    return SelfResidualChannel(slot.channels)


SPEC = AttentionSpec(
    name="self-residual-channel",
    build=build,
    source="doi:10.1109/ACCESS.2019.2913205",
    summary="Self channel attention (Ling et al. 2019): channels attend to each other",
    formula="3 * C * C + 2 * C + 1",
)
