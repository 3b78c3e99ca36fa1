"""What several of the blocks are built from."""

from __future__ import annotations

import math

import torch
import torch.fx
from torch import Tensor, nn

from agfer_bench import Slot, UserError

_KEYS = 784
"""Keys that are left after pooling by default: those of a map of 28 x 28."""


@torch.fx.wrap
def batch_norm(
    x_BCHW: Tensor,
    mean_C: Tensor | None,
    variance_C: Tensor | None,
    weight_C: Tensor,
    bias_C: Tensor,
    training: bool,
    momentum: float,
    eps: float,
) -> Tensor:
    """Normalise by the batch's statistics, or by the running ones outside training.

    One value a channel has no variance: then the running statistics serve in training as well.
    """
    alone = training and x_BCHW.numel() == x_BCHW.shape[1]
    return nn.functional.batch_norm(
        x_BCHW, mean_C, variance_C, weight_C, bias_C, training and not alone, momentum, eps
    )


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation that stands a single value a channel, at which torch's raises.

    So it is with pooled features where the last batch of an epoch holds one image.
    """

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the input, normalised by channel."""
        return batch_norm(
            x_BCHW,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training,
            self.momentum or 0.0,
            self.eps,
        )


def glorot(module: nn.Module) -> None:
    """Give all convolutions Glorot uniform weights and zero biases."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def least_pool(height: int, width: int) -> int:
    """Return the side of the smallest windows that leave no more than 784 positions.

    Attention between all positions takes work and memory by their square: at the 112 x 112 of the
    host's stage 2 more than the host itself.
    """
    side = 1
    while math.ceil(height / side) * math.ceil(width / side) > _KEYS:
        side += 1
    return side


def divisor(option: str, value: int, slot: Slot) -> None:
    """Check a number that the channels are divided by.

    Raises:
        UserError: It does not divide them.
    """
    if slot.channels % value:
        raise UserError(
            f"{option} must divide the {slot.channels} channels of stage {slot.stage}, "
            f"not be {value}"
        )


def at_least(minimum: float, option: str, value: float) -> None:
    """Check an option's value.

    Raises:
        UserError: It is below the minimum.
    """
    if value < minimum:
        raise UserError(f"{option} must be at least {minimum:g}, not {value:g}")


def odd(option: str, value: int) -> None:
    """Check the side of a kernel: with an even one a map would change its size.

    Raises:
        UserError: It is even, or below 1.
    """
    if value < 1 or value % 2 == 0:
        raise UserError(f"{option} must be an odd number of at least 1, not {value}")
