"""Clocks: the host's on a CPU; on CUDA the host's for single images, events for throughput."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Protocol

import torch

Call = Callable[[], object]
"""One pass through a network."""


class Clock(Protocol):
    """Times calls on one device, in milliseconds."""

    def single(self, call: Call, passes: int) -> tuple[float, ...]:
        """Time calls one by one, each until its result is there: the next waits for it."""

    def queued(self, call: Call, passes: int) -> tuple[float, ...]:
        """Time calls handed over one after another, without waiting in between."""

    def survive(self, error: BaseException) -> None:
        """Go on after an error, or raise `TimingDeviceLost` where the device no longer answers."""


class TimingDeviceLost(BaseException):
    """An error has taken the device from the whole process: nothing else can be measured in it.

    No `Exception`, so that nothing that goes on after a network's fault takes it for one.
    """


def clock_for(device: torch.device) -> Clock:
    """Return the clock of a device."""
    return CudaClock(device) if device.type == "cuda" else HostClock()


class HostClock:
    """`perf_counter_ns`; a CPU's call returns when its result is there."""

    def single(self, call: Call, passes: int) -> tuple[float, ...]:
        """Time calls one by one."""
        times = []
        for _ in range(passes):
            started = time.perf_counter_ns()
            call()
            times.append((time.perf_counter_ns() - started) / 1e6)
        return tuple(times)

    def queued(self, call: Call, passes: int) -> tuple[float, ...]:
        """Time calls one by one: on a CPU nothing is queued."""
        return self.single(call, passes)

    def survive(self, error: BaseException) -> None:
        """Go on: an exception leaves a CPU as it was."""


class CudaClock:
    """Waits for events of the current stream.

    A single image counts from the host's call to the host's knowing that the result is there: two
    events would leave out what the host takes to launch and to wake up. Throughput is the time
    between events on the device; the host waits once, after the last.

    Args:
        device: The GPU.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def single(self, call: Call, passes: int) -> tuple[float, ...]:
        """Time calls one by one, each with the wait for its result."""
        torch.cuda.synchronize(self._device)
        times = []
        for _ in range(passes):
            done = torch.cuda.Event()
            started = time.perf_counter_ns()
            call()
            done.record()
            done.synchronize()
            times.append((time.perf_counter_ns() - started) / 1e6)
        return tuple(times)

    def queued(self, call: Call, passes: int) -> tuple[float, ...]:
        """Time calls between events, and wait for the last alone."""
        torch.cuda.synchronize(self._device)
        events = [torch.cuda.Event(enable_timing=True) for _ in range(passes + 1)]
        events[0].record()
        for event in events[1:]:
            call()
            event.record()
        events[-1].synchronize()
        return tuple(float(before.elapsed_time(after)) for before, after in pairwise(events))

    def survive(self, error: BaseException) -> None:
        """Go on, unless the error has broken the process's hold on the GPU."""
        try:
            torch.cuda.synchronize(self._device)
        except Exception as lost:
            raise TimingDeviceLost(str(lost)) from error
