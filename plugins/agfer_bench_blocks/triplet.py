"""Triplet attention.

Misra, Nalamada, Arasanipalai & Hou (2021), arXiv:2010.03045, section 3.2, equations 1 to 5.

The paper rotates the map for each branch. Here the pooled maps are laid out as if it had been, and
the gates are laid back, which computes the same and copies less. The batch normalisation's momentum
is 0.01, as in the authors' implementation.

Shapes in names: B batch, C channels, H height, W width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agfer_bench import AttentionSpec, Slot
from agfer_bench_blocks.layers import BatchNorm, glorot, odd


def _gate(kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(2, 1, kernel, padding=kernel // 2, bias=False),
        BatchNorm(1, momentum=0.01),
        nn.Sigmoid(),
    )


def _z_pool(x_BCHW: Tensor, dim: int) -> Tensor:
    """Return maxima and means along one dimension, as two channels (equation 1)."""
    return torch.stack([x_BCHW.amax(dim=dim), x_BCHW.mean(dim=dim)], dim=1)


class Triplet(nn.Module):
    """Gate by (C, W), by (H, C) and by (H, W), and average the three results.

    Source: arXiv:2010.03045, equations 1 to 5.

    Args:
        kernel: Side k of the three convolutions' kernels, odd.
    """

    def __init__(self, kernel: int = 7) -> None:
        super().__init__()
        self.gate_CW, self.gate_HC, self.gate_HW = (_gate(kernel) for _ in range(3))
        glorot(self)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the input, each element scaled by a number in (0, 1)."""
        gate_BC1W = self.gate_CW(_z_pool(x_BCHW, 2)).transpose(1, 2)
        gate_BCH1 = self.gate_HC(_z_pool(x_BCHW, 3).transpose(2, 3)).transpose(1, 3)
        gate_B1HW = self.gate_HW(_z_pool(x_BCHW, 1))
        gate_BCHW: Tensor = (gate_BC1W + gate_BCH1 + gate_B1HW) / 3
        return x_BCHW * gate_BCHW


def build(slot: Slot, *, kernel: int = 7) -> nn.Module:
    """Build a triplet attention block for one slot.

    Args:
        slot: Where the block goes; any slot is alike.
        kernel: Side k of the three convolutions' kernels, odd.
    """
    odd("triplet:kernel", kernel)
    return Triplet(kernel)


SPEC = AttentionSpec(
    name="triplet",
    build=build,
    source="arXiv:2010.03045",
    summary="Triplet attention (Misra et al. 2021): gates of three pairs of dimensions, averaged",
    formula="6 * kernel * kernel + 6",
)
