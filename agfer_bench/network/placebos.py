"""What stands in for a block while its network is judged: other gates in place of its own.

Shapes in names: B batch, C channels, H height, W width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from agfer_bench.network.gates import Gate
from agfer_bench.network.host import Host


class Watched(nn.Module):
    """A block by its gate, x * gate(x), whose gates are summed up.

    Args:
        block: The block, which the gate is held against on the first maps that come.
        gate: What it multiplies by.
    """

    def __init__(self, block: nn.Module, gate: Gate) -> None:
        super().__init__()
        self.block, self.gate = block, gate
        self.images = 0
        self._gates = self._maps = torch.zeros((), dtype=torch.float64)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the block's output, and add the gates of these images.

        Raises:
            NoGate: The gate is none.
        """
        if not self.images:
            self.gate.check(self.block, x_BCHW)
        gate = self.gate.of(x_BCHW)
        self._gates = self._gates.to(x_BCHW.device) + _sum(gate) * (len(x_BCHW) / len(gate))
        self._maps = self._maps.to(x_BCHW.device) + _sum(x_BCHW)
        self.images += len(x_BCHW)
        return x_BCHW * gate

    @property
    def mean_gate(self) -> Tensor:
        """Mean gate over all images seen, per channel and place: broadcasts to (1, C, H, W)."""
        return self._gates / self.images

    @property
    def mean_map(self) -> Tensor:
        """Mean of the maps that came, (1, C, H, W)."""
        return self._maps / self.images


def _sum(values_BCHW: Tensor) -> Tensor:
    """Sum over images, so exactly that the mean of equal numbers is that number."""
    return values_BCHW.sum(dim=0, keepdim=True, dtype=torch.float64)


class Frozen(nn.Module):
    """A block whose gate is always the same.

    Args:
        gate: What maps are multiplied by; broadcasts to (1, C, H, W).
    """

    def __init__(self, gate: Tensor) -> None:
        super().__init__()
        self.gate = gate

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the maps times the gate."""
        return x_BCHW * self.gate.to(x_BCHW)


class Lent(nn.Module):
    """A block that gives the second half of a batch the gates of the first half.

    The first half passes as it always does, so that each gate lent is one that its image has in
    the whole network.

    Args:
        gate: What the block multiplies by.
    """

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self.gate = gate

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return both halves times the gates of the first."""
        lenders, borrowers = x_BCHW.chunk(2)
        gate = self.gate.of(lenders)
        return torch.cat([lenders * gate, borrowers * gate])


@contextmanager
def blocks_replaced(
    host: Host, stand_in: Callable[[str, nn.Module], nn.Module]
) -> Iterator[dict[str, nn.Module]]:
    """Put something in the place of each block, by its stage, and put the blocks back at the end.

    Args:
        host: Changed in place.
        stand_in: Makes the replacement, of a stage's name and its block.
    """
    before = dict(host.blocks.items())
    stand_ins = {stage: stand_in(stage, block) for stage, block in before.items()}
    try:
        host.blocks.update(stand_ins)
        yield stand_ins
    finally:
        host.blocks.update(before)
