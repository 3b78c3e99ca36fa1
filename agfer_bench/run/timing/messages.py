"""What one repeat is asked for, and what it gives back: plain data that goes between processes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from agfer_bench.protocol import Protocol
from agfer_bench.records.base import MemoryFormat, OptionValue, Record
from agfer_bench.records.run import BASE
from agfer_bench.records.speed import CameraRecord, PeakRecord
from agfer_bench.records.timing import EAGER, ConditionsRecord, ModeName, SpeedRecord, Trial


class TimedModule(Record):
    """One block to be timed."""

    label: str
    """Name in tables."""
    name: str
    """Name of the block."""
    options: dict[str, OptionValue]
    """Every option, defaults included."""
    distribution: str
    """Distribution that offers the block."""
    memory_format: MemoryFormat
    """How its maps lie in memory."""


class TimedDetector(Record):
    """A detector of a plugin, for another process to load."""

    name: str
    """Name of the detector."""
    options: dict[str, OptionValue]
    """Every option, defaults included."""
    distribution: str
    """Distribution that offers it."""
    file: Path | None
    """The user's file of weights."""


class CameraFrames(Record):
    """Images that stand for a camera's frames."""

    data: str
    """Name of the data set."""
    drawn: bool
    """Whether they are drawn faces."""
    paths: tuple[Path, ...]
    """Their files."""
    cascades: Path | None
    """A folder with the user's own cascades; None for OpenCV's."""
    detector: TimedDetector | None = None
    """What finds faces in place of the cascades."""


class Wanted(Record):
    """What to measure."""

    modes: tuple[ModeName, ...] = (EAGER,)
    """Ways to run the networks."""
    compiled: bool = False
    """Whether `torch.compile` is tried for the tuned mode."""
    largest_batch: int | None = None
    """Bound of the batch sizes over which throughput is measured; None leaves it out."""
    memory: bool = False
    """Whether the peak memory of one image is measured."""
    frames: CameraFrames | None = None
    """Frames for the way from camera to label; None leaves it out."""
    peak: bool = False
    """Whether the device's rates are measured."""


class RepeatJob(Record):
    """One repeat."""

    number: int
    """Which one, counted from 0."""
    modules: tuple[TimedModule, ...]
    """The blocks, base first."""
    protocol: Protocol
    """Every setting."""
    classes: int
    """Classes of the last layer."""
    device: Literal["cpu", "cuda"]
    """Where to time."""
    threads: int
    """Threads of torch's CPU kernels."""
    wanted: Wanted
    """What to measure."""
    ways: dict[str, Trial] = Field(default_factory=dict)
    """The tuned ways that the first repeat found, by label: the others take the same."""
    sizes: dict[str, dict[ModeName, tuple[int, ...]]] = Field(default_factory=dict)
    """The batch sizes that it measured."""

    def of(self, labels: tuple[str, ...]) -> RepeatJob:
        """Return the same job with some of the modules."""
        kept = tuple(module for module in self.modules if module.label in labels)
        return self.model_copy(update={"modules": kept})

    def probe(self, label: str) -> RepeatJob:
        """Return a short job with base and one module, which shows whether it can be timed."""
        speed = self.protocol.speed.model_copy(update={"rounds": 2, "seconds": 0.0})
        return self.of((BASE, label)).model_copy(
            update={
                "protocol": self.protocol.model_copy(update={"speed": speed}),
                "wanted": Wanted(modes=self.wanted.modes, compiled=self.wanted.compiled),
            }
        )


class TimingFailure(Record):
    """Why a module could not be measured."""

    where: str
    """During what."""
    text: str
    """One line."""
    trace: str = ""
    """The traceback."""


class RepeatResult(Record):
    """What one repeat measured."""

    speeds: dict[str, SpeedRecord] = Field(default_factory=dict)
    """By label; each mode with one repeat."""
    failures: dict[str, TimingFailure] = Field(default_factory=dict)
    """By label."""
    conditions: ConditionsRecord | None = None
    """Clocks and load; None where nothing was left to time."""
    camera: CameraRecord | None = None
    """With one repeat."""
    peak: PeakRecord | None = None
    """The device's rates."""
    notes: tuple[str, ...] = ()
    """What went wrong apart from the modules."""
