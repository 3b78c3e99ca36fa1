"""Networks made ready: in eager fp32 as they were built, or copied into another type and layout.

Shapes in names: B batch, C channels, H height, W width.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from agfer_bench.measure.execution import Bound, Forward, bind
from agfer_bench.measure.precision import DTYPES, exact_fp32
from agfer_bench.network.build import Network
from agfer_bench.network.vgg16 import Vgg16
from agfer_bench.records.base import MemoryFormat
from agfer_bench.records.timing import Execution, Precision, Trial

_FORMATS: dict[MemoryFormat, torch.memory_format] = {
    "channels_last": torch.channels_last,
    "contiguous": torch.contiguous_format,
}


@dataclass(frozen=True, kw_only=True)
class Way:
    """How a network is run."""

    precision: Precision
    """Arithmetic."""
    memory_format: MemoryFormat
    """How maps lie in memory."""
    execution: Execution
    """As written, compiled or recorded."""


@dataclass(frozen=True, kw_only=True)
class PreparedMode:
    """A network that can be run in one way."""

    way: Way
    """The way."""
    network: Network
    """The network with weights of that precision, in evaluation mode."""
    forward: Forward
    """The network as it is called."""
    settings: Callable[[], AbstractContextManager[None]]
    """Puts torch's global settings in place for it."""
    trials: tuple[Trial, ...] = ()
    """What was tried to find this way."""
    fallback: str | None = None
    """What a better way failed with."""
    largest_difference: float | None = None
    """Largest absolute difference of class probabilities to eager fp32, 0..1."""

    def input(self, batch_size: int, image_size: int) -> Tensor:
        """Return a random batch as the network takes it."""
        return random_batch(batch_size, image_size, self.way, next(self.network.parameters()))

    def bind(self, x_BCHW: Tensor) -> Bound:
        """Return a pass of a tensor through the network."""
        return bind(self.forward, x_BCHW, self.way.execution)


def random_batch(batch_size: int, image_size: int, way: Way, like: Tensor) -> Tensor:
    """Return the same random batch for all networks, on the device and in the type of a way."""
    x_BCHW = torch.randn(
        (batch_size, 3, image_size, image_size), generator=torch.Generator().manual_seed(0)
    )
    return x_BCHW.to(like.device, DTYPES[way.precision]).contiguous(
        memory_format=_FORMATS[way.memory_format]
    )


def eager_fp32(network: Network, device: torch.device) -> PreparedMode:
    """Return a network as it was built: 32 bits, no TF32, no compiler."""
    way = Way(precision="fp32", memory_format=network.memory_format, execution="eager")
    network.eval()
    return PreparedMode(
        way=way, network=network, forward=network, settings=lambda: exact_fp32(device)
    )


class Recast:
    """Makes copies of networks in other types and layouts; networks of one host share its copy."""

    def __init__(self) -> None:
        self._copies: dict[tuple[int, torch.dtype, MemoryFormat], nn.Module] = {}
        self._kept: list[nn.Module] = []

    def __call__(self, network: Network, way: Way) -> Network:
        """Return a network with weights in the way's type and layout; the blocks are copied."""
        host, dtype = network.host, DTYPES[way.precision]
        memo: dict[int, Any] = {}
        if isinstance(host, Vgg16):  # other hosts' layers know their own blocks
            memo = {id(part): self._copied(part, way) for part in host.own_layers()}
        clone = copy.deepcopy(host, memo).to(dtype)
        guidance = copy.deepcopy(network.guidance)
        return Network(guidance, clone, way.memory_format).eval()

    def _copied(self, part: nn.Module, way: Way) -> nn.Module:
        dtype = DTYPES[way.precision]
        flat = isinstance(part, nn.Sequential)  # the head reads vectors: no layout of maps
        memory_format: MemoryFormat = "channels_last" if flat else way.memory_format
        if dtype == torch.float32 and memory_format == "channels_last":
            return part
        key = (id(part), dtype, memory_format)
        if key not in self._copies:
            self._kept.append(part)  # while it lives its id is not given to another
            self._copies[key] = copy.deepcopy(part).to(dtype)
            if not flat:
                self._copies[key].to(memory_format=_FORMATS[memory_format])
        return self._copies[key]
