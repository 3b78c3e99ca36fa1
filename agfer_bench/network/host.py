"""What all hosts have in common: their own layers, and slots for blocks.

Shapes in names: B batch, C channels, H height, W width, M classes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from agfer_bench.protocol import STAGE


def slot_key(stage: int, position: int, place: str) -> str:
    """Return what a host calls a slot: the stage that a block closes, or a place in a stage."""
    return str(stage) if place == STAGE else f"{stage}_{position}"


class Host(nn.Module, ABC):
    """A classifier of images with slots for blocks, without guidance.

    Input (B, 3, H, W) float, output (B, M) logits.

    Args:
        blocks: Blocks by the key of their slot.
    """

    def __init__(self, blocks: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.blocks = nn.ModuleDict(dict(blocks))

    def close(self, key: str, x_BCHW: Tensor) -> Tensor:
        """Pass a map through the block of a slot, if it has one."""
        if key not in self.blocks:
            return x_BCHW
        y_BCHW: Tensor = self.blocks[key](x_BCHW)
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
