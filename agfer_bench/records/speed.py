"""What `agfer-bench speed` leaves behind: sizes and times of modules, without training."""

from __future__ import annotations

import statistics
from typing import Final, Literal

from pydantic import Field

from agfer_bench.protocol import Protocol
from agfer_bench.records.base import OptionValue, Record
from agfer_bench.records.run import BASE, EnvironmentRecord, SizeRecord
from agfer_bench.records.timing import ConditionsRecord, ModeName, SpeedRecord, Times

SPEED_SCHEMA_VERSION: Final = 1


class PeakRecord(Record):
    """The best of several matrix products and copies: what no network gets beyond."""

    side: int
    """Rows and columns of the matrices."""
    fp32: float
    """Floating-point operations a second in 32 bits, nothing rounded: 2 n³ a product."""
    tf32: float | None
    """The same with factors rounded to TF32; None where the device cannot."""
    bf16: float | None
    """The same in bf16; None where the device has none of its own."""
    copied_bytes: int
    """Size of the copied buffer, in bytes."""
    bytes_per_second: float
    """Bytes read and written a second."""


class CameraTimes(Record):
    """One mode of one module on the way from frame to label."""

    infer_ms: tuple[Times, ...] = Field(min_length=1)
    """From the crop to the label on the host, normalising and copying included, in milliseconds:
    one inner tuple a repeat, with a value a frame."""

    @property
    def median_ms(self) -> float:
        """Median over all frames of all repeats, in milliseconds."""
        return _median(self.infer_ms)


class CameraRecord(Record):
    """The whole way from a camera's frame to a label, one frame at a time."""

    data: str
    """Name of the data set whose images stand for frames."""
    drawn: bool
    """Whether they are drawn faces."""
    width: int
    """Width of the first frame, in pixels."""
    height: int
    """Height of the first frame, in pixels."""
    frames: int
    """Frames with a face: all times are of these."""
    without_face: int
    """Frames that gave no crop or could not be read: left out."""
    decode_ms: tuple[Times, ...] = Field(min_length=1)
    """From the file's bytes to pixels, in milliseconds: one inner tuple a repeat."""
    crop_ms: tuple[Times, ...] = Field(min_length=1)
    """From pixels to the crop, the search for the face included, in milliseconds."""
    modules: dict[str, dict[ModeName, CameraTimes]]
    """By label and mode."""

    def total_ms(self, label: str, mode: ModeName) -> float | None:
        """Median over frames of the sum of all steps, in milliseconds; None where not measured."""
        times = self.modules.get(label, {}).get(mode)
        if times is None:
            return None
        steps = (self.decode_ms, self.crop_ms, times.infer_ms)
        return statistics.median(
            sum(frame) for repeat in zip(*steps, strict=True) for frame in zip(*repeat, strict=True)
        )

    @property
    def decode_median_ms(self) -> float:
        """Median time of decoding a frame, in milliseconds."""
        return _median(self.decode_ms)

    @property
    def crop_median_ms(self) -> float:
        """Median time of finding and cutting the face, in milliseconds."""
        return _median(self.crop_ms)


class SpeedRow(Record):
    """One module."""

    label: str
    """Name in tables: the block and the options that differ from their defaults."""
    name: str
    """Name of the block."""
    options: dict[str, OptionValue]
    """Every option, defaults included."""
    distribution: str
    """Distribution that offers the block."""
    version: str
    """Version of that distribution."""
    package_sha256: str
    """Hash of the code that the block consists of, as `ModuleRecord.package_sha256`."""
    source: str
    """Where the block is published."""
    size: SizeRecord | None = None
    """Parameters, operations, layers; None where the block failed before."""
    speed: SpeedRecord | None = None
    """Inference times; None where the block failed."""
    error: str | None = None
    """Why the row is incomplete, in one line."""


class SpeedRun(Record):
    """Modules side by side: what each costs."""

    kind: Literal["speed"] = "speed"
    """Tells this record from that of a run with training."""
    schema_version: Literal[1] = SPEED_SCHEMA_VERSION
    """Version of this layout."""
    protocol: Protocol
    """Every setting; those of training moved nothing here."""
    environment: EnvironmentRecord
    """The machine and the software."""
    classes: int
    """Classes of the networks' last layer."""
    rows: tuple[SpeedRow, ...]
    """The modules, base first."""
    conditions: tuple[ConditionsRecord, ...]
    """Clocks, load and the like around each repeat."""
    camera: CameraRecord | None
    """The way from frame to label; None where it was not measured."""
    peak: PeakRecord | None
    """What the device can do at best; None where it was not measured."""
    problems: tuple[str, ...]
    """What went wrong around plugins and frames."""
    finished: str
    """When it ended: ISO 8601, UTC."""

    @property
    def base(self) -> SpeedRow | None:
        """The row that the others are compared with; None where there is none."""
        return next((row for row in self.rows if row.label == BASE), None)


def _median(repeats: tuple[tuple[float, ...], ...]) -> float:
    return statistics.median(time for repeat in repeats for time in repeat)
