"""What all hosts have in common: their own layers, and slots for blocks.

Shapes in names: B batch, C channels, H height, W width, M classes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from agfer_bench.network.second_inputs import Passing, WithInputs
from agfer_bench.network.weights import weights_sha256
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
        self._passing: Passing | None = None
        self._whole_sha256: str | None = None

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return logits of shape (B, M)."""
        if self._passing is None:
            return self.classify(x_BCHW)
        self._passing.begin(x_BCHW)
        try:
            return self.classify(x_BCHW)
        finally:
            self._passing.end()

    @abstractmethod
    def classify(self, x_BCHW: Tensor) -> Tensor:
        """Return logits of shape (B, M); every slot's map goes through `close`."""

    def close(self, key: str, x_BCHW: Tensor) -> Tensor:
        """Pass a map through the block of a slot, if it has one."""
        if key not in self.blocks:
            return x_BCHW
        y_BCHW: Tensor = self.blocks[key](x_BCHW)
        if self._passing is not None:
            self._passing.previous = y_BCHW
        return y_BCHW

    def connect(self) -> None:
        """Give the blocks what they ask for beside their map; called once all are in their slots.

        Without such a block nothing is kept while an image passes.
        """
        asking = [part for part in self.blocks.modules() if isinstance(part, WithInputs)]
        passing = Passing()
        self._passing = passing if asking else None
        for part in asking:
            part.connect(passing)

    def replace_stage(self, stage: int) -> None:
        """Take out the layers of a stage, counted from 1; its block stands for them."""
        self._whole_sha256 = self.own_sha256()
        self.take_out(stage)

    def own_sha256(self) -> str:
        """Hash the host's weights, without its blocks; a stage that was replaced is in it.

        So a network that lacks a stage is seen to have started from the same host as the others.
        """
        return self._whole_sha256 or weights_sha256(*self.own_layers())

    @abstractmethod
    def take_out(self, stage: int) -> None:
        """Have a stage compute nothing: what enters it goes to its block."""

    @abstractmethod
    def own_layers(self) -> tuple[nn.Module, ...]:
        """Return the parts that hold all weights of the host and none of the blocks."""

    @abstractmethod
    def lay_out(self, memory_format: torch.memory_format) -> None:
        """Lay the weights of the host's convolutions out in memory; blocks keep theirs."""

    @abstractmethod
    def weights(self) -> dict[str, Tensor]:
        """Return what pretrained weights set, under timm's names: the tensors themselves."""
