"""Records of inference times: only what was measured, all else derived from it.

A mode is a way to run a network. ``eager-fp32`` is what the paper's rates compare with: 32 bits, no
TF32, no compiler. ``tuned`` is the fastest way that was found for the network on the device.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Annotated, Final, Literal

import numpy as np
from pydantic import Field

from agfer_bench.records.base import MemoryFormat, Record

ModeName = Literal["eager-fp32", "tuned"]
"""Ways to run a network."""
EAGER: Final = "eager-fp32"
TUNED: Final = "tuned"

Precision = Literal["fp32", "tf32", "bf16"]
"""Arithmetic; `tf32` keeps 32-bit numbers and rounds the factors of products (CUDA alone)."""

Execution = Literal["eager", "graph", "compile", "compile-graph"]
"""As written, recorded into a CUDA graph, by `torch.compile`, or both of these."""

EXECUTION_NAMES: Final[dict[Execution, str]] = {
    "eager": "as written",
    "graph": "CUDA graph",
    "compile": "torch.compile",
    "compile-graph": "torch.compile in a CUDA graph",
}
"""Executions as people read them."""

Times = Annotated[tuple[float, ...], Field(min_length=1)]
"""Milliseconds, one or more."""


class StreamRepeat(Record):
    """Single images one after another, in one process."""

    rounds_ms: tuple[Times, ...] = Field(min_length=1)
    """Every timed pass in milliseconds, from input on the device to the result being there: one
    inner tuple a round. Round k of all modules of a run was timed side by side."""
    warmup: int | None = None
    """Untimed passes before the first round; None where it was not kept (version 1)."""
    settled: bool | None = None
    """Whether the warm-up ended since times had settled; None without one."""

    @property
    def medians_ms(self) -> tuple[float, ...]:
        """Median of each round, in milliseconds."""
        return tuple(statistics.median(times) for times in self.rounds_ms)

    @property
    def all_ms(self) -> list[float]:
        """All passes, in milliseconds."""
        return [time for times in self.rounds_ms for time in times]


class OfflinePoint(Record):
    """Throughput at one batch size."""

    batch_size: int = Field(ge=1)
    """Images a batch."""
    images_per_second: Times
    """Images a second, one value a process: median over its rounds."""

    @property
    def median(self) -> float:
        """Images a second: median over the processes."""
        return statistics.median(self.images_per_second)


class Trial(Record):
    """One way of running a network that was tried for the tuned mode."""

    precision: Precision
    """Arithmetic."""
    memory_format: MemoryFormat
    """How maps lie in memory."""
    execution: Execution
    """How it is run."""
    median_ms: float | None = None
    """Latency of one image over a few passes; None where it failed."""
    error: str | None = None
    """Why it failed, in one line."""


class ModeRecord(Record):
    """One network run in one way."""

    precision: Precision
    """Arithmetic of weights and maps."""
    memory_format: MemoryFormat
    """How maps lie in memory."""
    execution: Execution
    """How the network is run."""
    fallback: str | None = None
    """What a better way failed with; None where there was no better way to fail."""
    trials: tuple[Trial, ...] = ()
    """What was tried to find this way; empty where nothing had to be found."""
    stream: tuple[StreamRepeat, ...] = Field(min_length=1)
    """Single images, once a process (or repeat)."""
    offline: tuple[OfflinePoint, ...] = ()
    """Throughput over batch sizes, smallest first; empty where it was not measured."""
    offline_end: str | None = None
    """Why no larger batch was tried; None where it was not measured."""
    peak_memory_bytes: int | None = None
    """Most bytes that weights, input and maps took at once for one image, run eagerly."""
    peak_memory_method: Literal["cuda-allocator", "tensor-tracker"] | None = None
    """CUDA's allocator, or live tensors counted."""
    largest_difference: float | None = None
    """Largest absolute difference of class probabilities to eager fp32, 0..1."""

    @property
    def median_ms(self) -> float:
        """Median latency of one image over all passes of all repeats, in milliseconds."""
        return statistics.median(self._all())

    @property
    def p95_ms(self) -> float:
        """95th percentile of the latency of one image, in milliseconds."""
        return float(np.percentile(self._all(), 95))

    @property
    def passes(self) -> int:
        """Timed passes of all repeats together."""
        return len(self._all())

    @property
    def p99_ms(self) -> float:
        """99th percentile of the latency of one image, in milliseconds."""
        return float(np.percentile(self._all(), 99))

    @property
    def hz(self) -> float:
        """Images a second, one at a time: 1000 / median latency."""
        return 1000 / self.median_ms

    @property
    def repeatability(self) -> float | None:
        """Largest less smallest median of the repeats, over their median; None for one repeat."""
        return spread([statistics.median(repeat.all_ms) for repeat in self.stream])

    @property
    def best(self) -> OfflinePoint | None:
        """The batch size with the highest throughput; None where it was not measured."""
        return max(self.offline, key=lambda point: point.median, default=None)

    def margin(self, hz: float) -> float:
        """How many times a rate is reached, say a camera's: above 1 it keeps up."""
        return self.hz / hz

    def _all(self) -> list[float]:
        return [time for repeat in self.stream for time in repeat.all_ms]


class SpeedRecord(Record):
    """Inference of one module; all modules of a run are timed side by side."""

    modes: dict[ModeName, ModeRecord] = Field(min_length=1)
    """Each way in which the network was run."""

    @property
    def eager(self) -> ModeRecord | None:
        """The mode that is comparable with the paper; None where it was not measured."""
        return self.modes.get(EAGER)

    @property
    def median_ms(self) -> float | None:
        """Median latency of one image in eager fp32, in milliseconds."""
        return self.eager.median_ms if self.eager else None

    @property
    def p95_ms(self) -> float | None:
        """95th percentile of that."""
        return self.eager.p95_ms if self.eager else None

    @property
    def hz(self) -> float | None:
        """Images a second in eager fp32: 1000 / median latency."""
        return self.eager.hz if self.eager else None


class DeviceState(Record):
    """What the driver and the system tell at one moment; None for what they do not tell."""

    load_average: float | None = None
    """Runnable processes, mean over a minute."""
    cpu_mhz: float | None = None
    """Mean clock of the cores, in MHz."""
    sm_mhz: float | None = None
    """Clock of the GPU's multiprocessors, in MHz."""
    sm_max_mhz: float | None = None
    """Highest such clock, in MHz."""
    temperature: float | None = None
    """Of the GPU, in degrees Celsius."""
    power: float | None = None
    """Drawn by the GPU, in watts."""
    throttling: tuple[str, ...] | None = None
    """Why the driver holds the GPU's clock down; empty where it does not."""


class ConditionsRecord(Record):
    """Around the measurements of one repeat."""

    process: Literal["own", "shared"]
    """A process started for this repeat, or the one that ran everything else."""
    threads: int
    """Threads of torch's CPU kernels."""
    before: DeviceState
    """After the warm-up, right before the first round."""
    after: DeviceState
    """Right after the last."""


def spread(values: Sequence[float]) -> float | None:
    """Return largest less smallest over the median; None for fewer than two values.

    >>> spread([1.0, 2.0, 2.5])
    0.75
    """
    if len(values) < 2:
        return None
    return (max(values) - min(values)) / statistics.median(values)
