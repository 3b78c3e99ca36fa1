"""Memory that one image takes on its way through a network: weights, input and maps."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Literal

import torch
from torch import Tensor, nn

from agfer_bench.measure.memory import TensorTracker


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """Bytes at their peak."""

    total: int
    """Weights, input and maps, those alive at once."""
    maps: int
    """The same without weights and input."""
    method: Literal["cuda-allocator", "tensor-tracker"]
    """How it was found."""


def measure_footprint(network: nn.Module, x_BCHW: Tensor) -> Footprint:
    """Run a batch through a network and note the most bytes alive at once.

    On CUDA the allocator tells what the pass took beyond what was there, other networks' weights
    included; on the CPU live tensors are counted (see `TensorTracker`).

    Args:
        network: In evaluation mode, on the input's device.
        x_BCHW: The input.
    """
    own = {id(t): t for t in chain(network.parameters(), network.buffers(), [x_BCHW])}
    known = sum(tensor.nbytes for tensor in own.values())
    device = x_BCHW.device
    with torch.inference_mode():
        if device.type == "cuda":
            network(x_BCHW)  # kernels' own workspaces are asked for once
            torch.cuda.synchronize(device)
            before = torch.cuda.memory_allocated(device)
            torch.cuda.reset_peak_memory_stats(device)
            network(x_BCHW)
            torch.cuda.synchronize(device)
            maps = torch.cuda.max_memory_allocated(device) - before
            return Footprint(total=known + maps, maps=maps, method="cuda-allocator")
        tracker = TensorTracker(own.values())
        with tracker:
            network(x_BCHW)
    # Views share a storage and storages may be larger than a tensor: the tracker counts storages.
    return Footprint(
        total=tracker.peak_bytes,
        maps=max(tracker.peak_bytes - known, 0),
        method="tensor-tracker",
    )
