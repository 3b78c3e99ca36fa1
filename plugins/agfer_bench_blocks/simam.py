"""SimAM: a simple, parameter-free attention module.

Yang, Zhang, Li & Xie (2021), ICML, PMLR 139, pages 11863 to 11874, section 3, equations 5 and 6.

As in the paper's listing the variance is divided by H * W - 1. A map of one position, for which
that is zero, is divided by 1: its gate is sigmoid(1/2).

Shapes in names: B batch, C channels, H height, W width.
"""

from __future__ import annotations

import math

import torch
import torch.fx
from torch import Tensor, nn

from agfer_bench import AttentionSpec, Slot, UserError


@torch.fx.wrap
def others(x_BCHW: Tensor) -> int:
    """Count the positions beside one: H * W - 1, at least 1."""
    return max(1, x_BCHW.shape[2] * x_BCHW.shape[3] - 1)


class SimAM(nn.Module):
    """Gate each element by how far it lies from its channel's mean.

    Source: Yang et al. 2021, equations 5 and 6.

    Args:
        e_lambda: Weight of the regulariser in the energy, added to the variance.
    """

    def __init__(self, e_lambda: float = 1e-4) -> None:
        super().__init__()
        self.e_lambda = e_lambda

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the input, each element scaled by a number in (0.622, 1)."""
        square_BCHW = (x_BCHW - x_BCHW.mean(dim=(2, 3), keepdim=True)).square()
        variance_BC11 = square_BCHW.sum(dim=(2, 3), keepdim=True) / others(x_BCHW)
        inverse_BCHW = square_BCHW / (4 * (variance_BC11 + self.e_lambda)) + 0.5
        return x_BCHW * torch.sigmoid(inverse_BCHW)


def build(slot: Slot, *, e_lambda: float = 1e-4) -> nn.Module:
    """Build a SimAM block for one slot.

    Args:
        slot: Where the block goes; any slot is alike.
        e_lambda: Weight of the regulariser in the energy, above 0.
    """
    if not (e_lambda > 0 and math.isfinite(e_lambda)):
        raise UserError(f"simam:e_lambda must be above 0, not {e_lambda}")
    return SimAM(e_lambda)


SPEC = AttentionSpec(
    name="simam",
    build=build,
    source="https://proceedings.mlr.press/v139/yang21o.html",
    summary="SimAM (Yang et al. 2021): a gate per element from its energy, no parameters",
    formula="0",
)
