"""What a block does to a feature map at initialisation: how much it damps it, and how it gates it.

Blocks that multiply by gates in (0, 1) damp the signal, and a stack of them damps it again at each
slot; where the host has no normalisation nothing makes up for that.

Shapes in names: B batch, C channels, H height, W width.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from agfer_bench.plugin.specs import Slot
from agfer_bench.seeds import generator

_NOT_SMALL = 0.1
"""Elements of the input below this tell little of the gate: the quotient would be rounding."""


@dataclass(frozen=True, kw_only=True)
class GateStatistics:
    """Output against input, of a block in evaluation mode on a rectified normal map."""

    damping: float
    """Root mean square of the output divided by that of the input; 1 neither damps nor amplifies.
    """
    low: float
    """1 % quantile of output / input, element by element."""
    median: float
    """Median of output / input."""
    high: float
    """99 % quantile of output / input."""


def gate_statistics(block: nn.Module, slot: Slot, *, batch: int = 2) -> GateStatistics:
    """Pass a random map, max(0, N(0, 1)) as it leaves a ReLU, through a block as it stands.

    Args:
        block: Maps (B, C, H, W) to the same shape; its mode is put back afterwards.
        slot: Shape of the map.
        batch: Images B.
    """
    shape = (batch, *slot.given)
    x_BCHW = torch.randn(shape, generator=generator(0, "gates", slot.stage)).relu()
    training = block.training
    try:
        with torch.no_grad():
            y_BCHW = block.eval()(x_BCHW.clone()).float()
    finally:
        block.train(training)
    large = x_BCHW > _NOT_SMALL
    # torch.quantile takes at most 2^24 elements; every n-th is as good a sample of random ones.
    ratios = (y_BCHW[large] / x_BCHW[large])[:: max(1, x_BCHW.numel() // 2**20)]
    low, median, high = ratios.quantile(torch.tensor([0.01, 0.5, 0.99])).tolist()
    damping = y_BCHW.square().mean().sqrt() / x_BCHW.square().mean().sqrt()
    return GateStatistics(damping=float(damping), low=low, median=median, high=high)
