"""What all hosts have in common: their own layers, and a block after each of some stages.

Shapes in names: B batch, C channels, H height, W width, M classes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn


class Host(nn.Module, ABC):
    """A classifier of images with slots for blocks, without guidance.

    Input (B, 3, H, W) float, output (B, M) logits.

    Args:
        blocks: Blocks by the number of the stage that they close, counted from 1.
    """

    def __init__(self, blocks: Mapping[int, nn.Module]) -> None:
        super().__init__()
        self.blocks = nn.ModuleDict({str(stage): block for stage, block in blocks.items()})

    def close_stage(self, stage: int, x_BCHW: Tensor) -> Tensor:
        """Pass a stage's map through its block, if it has one."""
        block = str(stage)
        if block not in self.blocks:
            return x_BCHW
        y_BCHW: Tensor = self.blocks[block](x_BCHW)
        return y_BCHW

    @abstractmethod
    def own_layers(self) -> tuple[nn.Module, ...]:
        """Return the parts that hold all weights of the host and none of the blocks."""

    @abstractmethod
    def lay_out(self, memory_format: torch.memory_format) -> None:
        """Lay the weights of the host's convolutions out in memory; blocks keep theirs."""

    @abstractmethod
    def weights(self) -> dict[str, Tensor]:
        """Return what pretrained weights set, under timm's names: the tensors themselves."""
