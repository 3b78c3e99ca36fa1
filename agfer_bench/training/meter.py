"""The training's peak memory, measured at little cost."""

from __future__ import annotations

import gc
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

from agfer_bench.measure.memory import TensorTracker

_TRACKED_STEPS = 2
"""Steps whose memory is counted on the CPU: the optimiser's state appears in the first."""


class MemoryMeter:
    """Measures the peak: CUDA's allocator keeps it by itself; on the CPU two steps are tracked."""

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        self._device = device
        self._tracker: TensorTracker | None = None
        self._left = _TRACKED_STEPS
        self._before = 0
        if device.type == "cuda":
            gc.collect()  # a network in a reference cycle may still hold the last job's memory
            torch.cuda.reset_peak_memory_stats(device)
        else:
            self._tracker = TensorTracker([*network.parameters(), *network.buffers()])

    def step(self) -> AbstractContextManager[object]:
        """Return the context of a training step."""
        if self._tracker is None or self._left == 0:
            return nullcontext()
        self._left -= 1
        return self._tracker

    @property
    def settled(self) -> bool:
        """Whether no step is left whose memory is to be counted, so that `resume` may go on."""
        return self._tracker is None or self._left == 0

    def resume(self, peak_bytes: int) -> None:
        """Go on with a peak that an earlier process measured of the same training."""
        self._before = peak_bytes
        self._left = 0

    def peak_bytes(self) -> int:
        """Return the peak so far, in bytes."""
        if self._tracker is None:
            return max(self._before, torch.cuda.max_memory_allocated(self._device))
        return max(self._before, self._tracker.peak_bytes)
