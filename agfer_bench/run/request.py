"""What a user asks for, as groups of options: their names, types and defaults, given once.

The command line makes its flags of these (`cli.groups`), and `run.resolve` turns them into
settings, so that a run started from Python has the same names and defaults. A command that takes
fewer options takes a smaller group.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

SplitName = Literal["image", "subject", "official"]
PlaceName = Literal["stage", "branch", "pre", "post", "identity", "conv", "relu"]
LabelsName = Literal["emotions", "any"]
DeviceName = Literal["auto", "cpu", "cuda"]
PrecisionName = Literal["fp32", "tf32", "bf16"]
ExecutionName = Literal["auto", "eager", "compile", "graph"]
ControlsName = Literal["none", "fast", "all"]
"""Which controls are trained beside the blocks: none; a block that does nothing; or twins of each
block as well."""

MODULES = "agfer,se,cbam"
"""The blocks that are compared where the user names nothing."""

COMPARED = f"{MODULES},linear,hog-svm"
"""What `run` compares where the user names nothing: the blocks, and what does without a network."""

BLOCKS = 12
"""Blocks that do nothing in a calibration where the user gives no number."""


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """A data set, and how its photographs are cropped."""

    data: str | None = None
    """`NAME[:option=value]...[=FOLDER]`; None for drawn faces."""
    labels: LabelsName | None = None
    """What is classified; None leaves it to the data set."""
    cascades: Path | None = None
    """Folder with other cascade files."""
    detector: str | None = None
    """`NAME[:option=value]...[=FILE]` in place of the cascades; None for them."""
    cache: Path | None = None
    """Where crops are kept; None for the user's cache folder."""


@dataclass(frozen=True, kw_only=True)
class DataOptions(SourceOptions):
    """The data set to train on, and the one to test on."""

    test: str | None = None
    """Second data set; None for the drawn one beside drawn data, `none` for none."""


@dataclass(frozen=True, kw_only=True)
class ProtocolOptions:
    """A protocol: a preset or a file, with changes."""

    preset: str | None = None
    """Name of a preset; None for `quick`."""
    protocol_file: Path | None = None
    """A TOML file in place of a preset."""
    settings: list[str] | None = None
    """Changes, each `NAME=VALUE`."""


@dataclass(frozen=True, kw_only=True)
class TrainingOptions(ProtocolOptions):
    """Folds and training; None leaves a setting as the protocol has it."""

    split: SplitName | None = None
    folds: int | None = None
    epochs: int | None = None
    batch_size: int | None = None
    seed: int | None = None
    mask: Path | None = None
    """PNG file with a guidance mask."""


@dataclass(frozen=True, kw_only=True)
class SeedsOptions(TrainingOptions):
    """Training with several seeds."""

    seeds: int | None = None


@dataclass(frozen=True, kw_only=True)
class HostOptions(ProtocolOptions):
    """The host network; None leaves a setting as the protocol has it."""

    image_size: int | None = None
    host: str | None = None
    slots: str | None = None
    place: PlaceName | None = None
    stride: int | None = None
    width: float | None = None


@dataclass(frozen=True, kw_only=True)
class NetworkOptions(SeedsOptions, HostOptions):
    """All that has a flag: folds, training and the host network."""

    learning_rate: float | None = None
    pretrained: str | None = None
    """`timm`, or a file with weights."""
    guidance: bool | None = None
    precision: PrecisionName | None = None


@dataclass(frozen=True, kw_only=True)
class DeviceOptions:
    """The device, and what may be used of it."""

    device: DeviceName = "auto"
    threads: int | None = None
    """Threads of torch on the CPU, for each training and for the timing.

    None: as many as pay for each training, torch's default for the timing."""
    workers: int | None = None
    """Threads that read images; None for all cores."""


@dataclass(frozen=True, kw_only=True)
class MachineOptions(DeviceOptions):
    """How training uses the machine.

    None of these moves a number but by rounding, and `jobs` none at all.
    """

    jobs: int | None = None
    """Training jobs in parallel; None: as many as pay on the device."""
    execution: ExecutionName = "auto"
    micro_batch: int | None = None
    """Maximum images per pass."""
    checkpoint_minutes: float = 5.0
    """Minimum time between checkpoints; 0 for none."""


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """Where results go, and who follows them."""

    out: Path = Path("results")
    fresh: bool = False
    """Whether finished jobs are run again."""
    track: list[str] | None = None
    """Trackers, each `NAME[:option=value]...[=FOLDER]`."""


@dataclass(frozen=True, kw_only=True)
class SpeedOptions:
    """What a speed comparison measures."""

    repeats: int | None = None
    """Fresh processes; None leaves the protocol's number."""
    classes: int = 7
    """Classes of the last layer."""
    compiled: bool | None = None
    """Whether torch.compile is tried for the tuned mode; None: on a GPU."""
    camera: bool = True
    """Whether the way from a camera's frame to the label is timed as well."""
    largest_batch: int | None = None
    """Largest batch size; None for 64 on a CPU, 1024 on a GPU."""
