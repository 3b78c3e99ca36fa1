"""Losses that blocks have of their own, beside the network's.

A block that has one has a method ``aux_loss(labels_B)``. It is called after each training pass with
the labels of the images that passed, and returns a single number to be added to the loss, or None
where the block's options switch it off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

OwnLoss = Callable[[Tensor], Any]
"""(B,) labels to a number, or None."""


class LossError(Exception):
    """A block's own loss is no loss; the text says why."""


def own_losses(blocks: Iterable[nn.Module]) -> list[OwnLoss]:
    """Return the methods of the blocks, and of the modules in them, that give a loss."""
    modules = dict.fromkeys(module for block in blocks for module in block.modules())
    found = (getattr(module, "aux_loss", None) for module in modules)
    return [method for method in found if callable(method)]


def total_of(losses: Iterable[OwnLoss], labels_B: Tensor) -> Tensor | None:
    """Ask for the losses of the last pass and add them up; None where there are none.

    Raises:
        LossError: One is no single number that depends on weights.
    """
    total: Tensor | None = None
    for loss in losses:
        value = loss(labels_B)
        if value is None:
            continue
        if not isinstance(value, Tensor):
            raise LossError(f"aux_loss returned {type(value).__name__}, not a tensor")
        if value.ndim:
            raise LossError(f"aux_loss returned shape {tuple(value.shape)}, not a single number")
        if not value.requires_grad:
            raise LossError("aux_loss returned a number that no gradient comes from")
        total = value if total is None else total + value
    return total


def try_loss(block: nn.Module, x_BCHW: Tensor) -> bool:
    """Train a block on a map for one pass, and tell whether it has a loss of its own.

    Raises:
        LossError: It has one that is none, or not finite.
    """
    losses = own_losses([block])
    if not losses:
        return False
    training = block.training
    try:
        with torch.enable_grad():
            block.train()(x_BCHW.clone())
            total = total_of(losses, torch.zeros(len(x_BCHW), dtype=torch.long))
        if total is not None and not torch.isfinite(total):
            raise LossError(f"aux_loss returned {float(total.detach())}")
        return total is not None
    finally:
        block.train(training)
