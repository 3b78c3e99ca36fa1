"""What a run leaves behind: pydantic models, versioned, validated when read back.

Only what was measured is stored. Accuracies, means and deviations are derived from the stored
confusion matrices and times, so that no number can disagree with its source.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, JsonValue, model_validator

from agfer_bench.metrics import mean_recall, recall, single_class
from agfer_bench.protocol import Duplicates, Protocol
from agfer_bench.records.base import MemoryFormat as MemoryFormat
from agfer_bench.records.base import OptionValue
from agfer_bench.records.base import Record as Record
from agfer_bench.records.migrate import migrate_run
from agfer_bench.records.timing import ConditionsRecord, Execution, SpeedRecord

SCHEMA_VERSION: Final = 1
RUN_SCHEMA_VERSION: Final = 9

BASE: Final = "base"
"""Label of the row that the others are compared with: the host without a block."""

NULL: Final = "null"
"""Name of the block that does nothing."""

OVERFIT_POINTS = 5.0
"""A gap of this many points between training and validation accuracy counts as over-fit."""

Residence = Literal["mapped", "resident", "streamed"]
"""Where crops lie while training: in a memory map, in the GPU's memory, or read ahead of it."""

ALL_AGES: Final = "all"
"""Stands for the age group where a data set knows none."""


UNKNOWN_AGE: Final = "unknown"
"""Stands for the age group of images without one, in a data set that knows age groups."""


def _square(counts: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
    if any(len(row) != len(counts) or min(row) < 0 for row in counts) or not any(map(any, counts)):
        raise ValueError("a confusion matrix is square and counts images")
    return counts


Confusion = Annotated[tuple[tuple[int, ...], ...], Field(min_length=2), AfterValidator(_square)]
"""Image counts: rows are true classes, columns predicted ones."""


class EpochRecord(Record):
    """One pass over the training fold."""

    loss: float
    """Mean training loss over the epoch's images, masked and with dropout, as optimised."""
    seconds: float
    """Wall-clock time of the epoch's training, in seconds; judging it is not in it."""
    validation_accuracy: float | None = None
    """Mean per-class recall on the validation fold after the epoch, 0..1; None where the protocol's
    `curve_every` passes the epoch over. It chooses nothing."""


class PlaceboRecord(Record):
    """The validation fold as a trained network judges it with other gates than its own."""

    confusion: Confusion
    """Image counts: rows are true classes, columns predicted ones."""
    recognised: dict[str, tuple[int, ...]] | None
    """Images that were recognised, as `FoldRecord.recognised`."""


class GateRecord(Record):
    """The gates of a block's network, and what becomes of its judgments without them."""

    how: Literal["offered", "traced"] | None = None
    """Whether the block offers its gate as a method, or it was read off its forward pass."""
    why_not: str | None = None
    """Why nothing is known of its gates, in one line; None where something is."""
    start: tuple[float, ...] = ()
    """Mean gate of each slot before training, over images, channels and places."""
    frozen: PlaceboRecord | None = None
    """With each gate at its mean over the training fold, per channel and place."""
    shuffled: PlaceboRecord | None = None
    """With the gates of other images of the validation fold."""


class FoldRecord(Record):
    """One module trained on one fold.

    What only a network has is None for a classifier of its own, and `history` is empty.
    """

    fold: int
    """Number of the fold, counted from 0."""
    job: str
    """SHA-256 of the job's address: all that its numbers depend on."""
    train_images: int
    """Images trained on."""
    validation_images: int
    """Images of the validation fold."""
    confusion: Confusion
    """Image counts on the validation fold: rows are true classes, columns predicted ones."""
    train_confusion: Confusion
    """The same on the training fold, in evaluation mode, unmasked, after the last epoch."""
    masked_confusion: Confusion | None
    """The same on the validation fold with the guidance mask on; None without guidance."""
    class_weights: tuple[float, ...] | None
    """Equation 2, from the training fold; None where the loss is not weighted."""
    channel_mean: tuple[float, float, float] | None
    """Mean of red, green and blue that the input was normalised with, 0..255: over the training
    fold, or, with `normalisation=pretrained`, that of the weights."""
    channel_std: tuple[float, float, float] | None
    """Standard deviation of red, green and blue, likewise."""
    history: tuple[EpochRecord, ...]
    """Every epoch, in order; empty for a classifier of its own."""
    fit_seconds: float | None = None
    """Wall-clock time of a classifier's `fit`, in seconds; None for a network, whose epochs are
    timed."""
    peak_memory_bytes: int | None
    """Most bytes that tensors took at once while training."""
    peak_memory_method: Literal["cuda-allocator", "tensor-tracker"] | None
    """CUDA's allocator over the whole training, or live tensors counted over two steps (CPU)."""
    host_weights_sha256: str | None
    """Host weights as they were drawn: equal for all modules of a fold."""
    batch_order_sha256: str | None
    """Order of the training images over all epochs: equal for all modules of a fold."""
    final_weights_sha256: str | None = None
    """Weights of the whole network after training; None for a classifier, and in older records."""
    split_sha256: str
    """Names of the validation images: equal for all modules of a fold."""
    recognised: dict[str, tuple[int, ...]] | None = None
    """Validation images that were recognised, per subject and class: a subject's number (its place
    among the sorted names of all subjects, from 0) and a count for each class. None where subjects
    are not known, and in older records. Comparisons over subjects rest on it."""
    micro_batch: int | None = None
    """Most images of one pass, where batches were split; gradients of the parts are added up. None
    where each batch was one pass."""
    micro_batch_reason: str | None = None
    """Why batches were split, where that was not asked for."""
    execution: Execution | None = "eager"
    """How the passes of training were executed."""
    execution_fallback: str | None = None
    """Why they were not executed as was wanted; None where they were."""
    preparation_seconds: float = 0.0
    """What compiling or capturing took before the first epoch; 0 for eager execution."""
    residence: Residence = "mapped"
    """Where the crops lay."""
    test_confusions: Annotated[dict[str, Confusion], Field(min_length=1)] | None = None
    """Image counts on the second data set, which had no part in training, per age group: rows are
    true classes, columns predicted ones, over the classes of training. `all` where the set knows
    no age groups; None where there is no second set."""

    test_recognised: dict[str, dict[str, tuple[int, ...]]] | None = None
    """Images of the second data set that were recognised, per age group, subject and class: as
    `recognised`, with the second set's own numbers of subjects. None where its subjects are not
    known, where there is no second set, and in older records."""

    gate: GateRecord | None = None
    """What the gates of the block are worth; None for base, for twins of blocks, for a classifier
    and in older records."""

    @property
    def accuracy(self) -> float:
        """Mean per-class recall, 0..1: the paper's "average of the true-positive accuracies"."""
        return mean_recall(_array(self.confusion))

    @property
    def train_accuracy(self) -> float:
        """Mean per-class recall on the training fold, 0..1."""
        return mean_recall(_array(self.train_confusion))

    @property
    def masked_accuracy(self) -> float | None:
        """Mean per-class recall on the validation fold with the mask on, 0..1."""
        return mean_recall(_array(self.masked_confusion)) if self.masked_confusion else None

    @property
    def recalls(self) -> tuple[float, ...]:
        """Recall of each class, 0..1; NaN for one without images in the fold."""
        return tuple(float(value) for value in recall(_array(self.confusion)))

    @property
    def test_accuracies(self) -> dict[str, float]:
        """Mean recall over the classes that the second data set has, per age group, 0..1."""
        return {group: mean_recall(_array(c)) for group, c in (self.test_confusions or {}).items()}

    @property
    def test_accuracy(self) -> float | None:
        """Mean of the age groups' accuracies, each counting alike, 0..1.

        Images without an age group are no group: they count only where there is nothing else.
        """
        groups = self.test_accuracies
        known = [accuracy for group, accuracy in groups.items() if group != UNKNOWN_AGE]
        return statistics.mean(known or groups.values()) if groups else None

    @property
    def training_seconds(self) -> float:
        """Time of learning and of preparing it, in seconds; validation is not in it."""
        epochs = sum(epoch.seconds for epoch in self.history)
        return self.preparation_seconds + (self.fit_seconds or 0.0) + epochs


class SizeRecord(Record):
    """What a network weighs, whatever the machine."""

    parameters: int
    """Learnable parameters of the whole network."""
    block_parameters: int
    """Learnable parameters of its attention blocks."""
    frozen_parameters: int = 0
    """Further parameters of the blocks that are not trained, and not counted above."""
    macs: int | None
    """Multiply-accumulates of convolutions and matrix products for one image; None where an
    operator has no count."""
    layers: int | None
    """Layers in the paper's count; None where a block cannot be traced."""
    uncounted: tuple[str, ...] = ()
    """Operators without a count, by torch's names, say `aten::_fft_r2c`."""


class ModuleRecord(Record):
    """One row: an attention block or a classifier with its options, over all folds."""

    kind: Literal["attention", "classifier"] = "attention"
    """Whether it is a block in the host, or a classifier of its own without size or speed."""
    label: str
    """Name in tables: the module and the options that differ from their defaults."""
    name: str
    """Name of the module."""
    options: dict[str, OptionValue]
    """Every option, defaults included."""
    distribution: str
    """Distribution that offers the module."""
    version: str
    """Version of that distribution."""
    package_sha256: str
    """Hash of the code that the module consists of: its own source files and those that they
    import, and the versions of the libraries below. Before version 9, of its package's files."""
    memory_format: MemoryFormat | None
    """How its maps lie in memory; None where the block failed before, and for a classifier."""
    memory_format_reason: str | None = None
    """Why they are contiguous, and what its author may write instead; None for channels last, and
    in older records."""
    source: str
    """Where the module is published."""
    folds: tuple[FoldRecord, ...] = ()
    """The folds that were trained, in order."""
    size: SizeRecord | None = None
    """Parameters, operations, layers; None where the block failed before, and for a classifier."""
    speed: SpeedRecord | None = None
    """Inference times; None where the block failed before, and for a classifier."""
    repeats: tuple[tuple[FoldRecord, ...], ...] = ()
    """The same folds trained with further seeds, a tuple for each (protocol's `seeds`)."""
    marks: tuple[str, ...] = ()
    """What a reader should know of the block beside its numbers, each in words that follow its
    name. Not known before version 9."""
    error: str | None = None
    """Why the row is incomplete, in one line."""

    @model_validator(mode="after")
    def _folds_are_of_its_kind(self) -> Self:
        for fold in self.trainings:
            trained = (fold.channel_mean, fold.peak_memory_bytes, fold.execution)
            paired = (fold.host_weights_sha256, fold.batch_order_sha256)
            if self.kind == "attention" and None in (*trained, *paired):
                raise ValueError(f"{self.label}: fold {fold.fold} lacks what a network's has")
            if self.kind == "classifier" and fold.fit_seconds is None:
                raise ValueError(f"{self.label}: fold {fold.fold} does not tell its fit's seconds")
        return self

    @property
    def control(self) -> str | None:
        """Which control it is: `null`, `scale` or `blind`; None for any other row."""
        return control_of(self.name, self.options)

    @property
    def seeds(self) -> tuple[tuple[FoldRecord, ...], ...]:
        """The folds as trained with each seed."""
        return (self.folds, *self.repeats)

    @property
    def trainings(self) -> tuple[FoldRecord, ...]:
        """Every fold with every seed."""
        return tuple(fold for folds in self.seeds for fold in folds)

    def over_folds(self, read: Callable[[FoldRecord], float]) -> tuple[float, ...]:
        """Return a number for each fold: its mean over seeds, NaN left out.

        Seeds are averaged within a fold first, since they are no replicates of it.
        """
        by_fold: dict[int, list[float]] = {}
        for fold in self.trainings:
            by_fold.setdefault(fold.fold, []).append(read(fold))
        # In the order of the folds, whatever that of the record: folds are compared in pairs.
        return tuple(_mean_of_known(values) for _, values in sorted(by_fold.items()))

    @property
    def accuracies(self) -> tuple[float, ...]:
        """Accuracy of each fold, 0..1, averaged over its seeds."""
        return self.over_folds(lambda fold: fold.accuracy)

    def complete(self, protocol: Protocol) -> bool:
        """Tell whether every fold was trained with every seed."""
        return len(self.seeds) == protocol.seeds and all(
            len(folds) == protocol.folds for folds in self.seeds
        )

    @property
    def single_class_folds(self) -> tuple[int, ...]:
        """Folds, counted from 1, in which every image was given the same class."""
        stuck = {f.fold + 1 for f in self.trainings if single_class(_array(f.confusion))}
        return tuple(sorted(stuck))

    @property
    def overfit(self) -> bool:
        """The paper's criterion: the gap to training accuracy is 5 points or more (section 2.6)."""
        gap = statistics.mean(fold.train_accuracy - fold.accuracy for fold in self.trainings)
        return 100 * gap >= OVERFIT_POINTS


def control_of(name: str, options: Mapping[str, object]) -> str | None:
    """Tell which control a module with its options is; None for one that is none."""
    asked = str(options.get("control", "none"))
    if asked != "none":
        return asked
    changed = options.get("residual") or options.get("neutral")
    return NULL if name == NULL and not changed else None


class CopiesRecord(Record):
    """Copies among the images of a set, and what was done with them."""

    duplicates: Duplicates
    """What was done: see the protocol's setting."""
    groups: int = Field(default=0, ge=0)
    """Groups of images that are copies of each other."""
    exact: int = Field(default=0, ge=0)
    """Images whose bytes are those of an image before them."""
    near: int = Field(default=0, ge=0)
    """Other images of groups, less one for each group: nearly the same picture as another, found
    by a perceptual hash and confirmed by pixels."""
    conflicts: int = Field(default=0, ge=0)
    """Groups whose labels contradict each other."""
    two_subjects: int = Field(default=0, ge=0)
    """Groups whose pictures bear more than one subject."""
    crowded: int = Field(default=0, ge=0)
    """Images that look like more others than each was compared with: copies may be missed."""
    shared: int | None = Field(default=None, ge=0)
    """Of the set of the cross-database test: images that are nearly the same picture as one of
    training; None of the set of training."""

    @property
    def copies(self) -> int:
        """Images that are copies of another, the first of each group not counted."""
        return self.exact + self.near


class DataRecord(Record):
    """The data of a run."""

    name: str
    """Name of the data set."""
    options: dict[str, OptionValue]
    """Its options, defaults included."""
    drawn: bool
    """True for synthetic faces: no result on them tells about people."""
    licence: str = ""
    """The data set's licence or terms of use, as its reader names them; empty where it names none,
    and in older records."""
    pictures_may_be_published: bool | None = None
    """Whether these terms let pictures of it be published; None in older records."""
    fingerprint: str
    """SHA-256 of images, labels and crop settings."""
    pixels_sha256: str
    """SHA-256 of the crops' pixels, which also depend on the image libraries."""
    classes: tuple[str, ...]
    """Emotions or other classes, in the order in which confusion matrices number them."""
    labels: Literal["emotions", "any"] = "emotions"
    """Whether emotions of faces are classified, or anything else."""
    images_read: dict[str, int]
    """Images per class before cropping."""
    images_kept: dict[str, int]
    """Images per class after cropping."""
    excluded: dict[str, int]
    """Images left out, per reason."""
    subjects: int | None
    """Number of subjects; None where they are not known."""
    groups: dict[str, int] = Field(default_factory=dict)
    """Images per age group after cropping; empty where the set knows none."""
    notes: tuple[str, ...]
    """What the reader of the data set left out or found odd."""
    copies: CopiesRecord | None = None
    """Copies among the images after cropping; None in older records, where none were looked
    for."""


class EnvironmentRecord(Record):
    """Where and with what a run was made."""

    device: Literal["cpu", "cuda"]
    """Kind of the device."""
    device_name: str
    """Name of the processor or GPU."""
    threads: int
    """Threads of torch's CPU kernels while inference was timed."""
    training_threads: int | None = None
    """Threads of torch's CPU kernels in each training, on which its numbers depend; None where
    trainings had `threads`, and in older records."""
    platform: str
    """Operating system and machine."""
    python: str
    """Python version."""
    harness_sha256: str | None = None
    """Hash of the harness's code that moves a trained network's numbers; None in older records."""
    packages: dict[str, str]
    """Versions of the distributions that numbers depend on."""
    revision: str | None
    """Git revision of the harness's own checkout; None where it is not one."""
    dirty: bool | None
    """Whether that checkout had uncommitted changes."""


class RunRecord(Record):
    """A comparison: modules side by side, on one protocol and one data set."""

    schema_version: Literal[9] = RUN_SCHEMA_VERSION
    """Version of this layout; records of versions 1 to 5 are read as well."""
    protocol: Protocol
    """Every setting."""
    protocol_fingerprint: str = Field(default_factory=lambda fields: _fingerprint(fields))
    """SHA-256 of every setting that moves a trained network's numbers. It follows from `protocol`
    and stands here so that records can be sorted without this library."""
    data: DataRecord
    """The images."""
    test: DataRecord | None = None
    """The images of the cross-database test; None where there was none."""
    environment: EnvironmentRecord
    """The machine and the software."""
    modules: tuple[ModuleRecord, ...]
    """The rows, base first."""
    problems: tuple[str, ...]
    """What went wrong around plugins, each line naming a distribution."""
    conditions: tuple[ConditionsRecord, ...] = ()
    """Clocks, load and the like around each repeat of the timing; empty where nothing was timed."""
    finished: str
    """When the run ended: ISO 8601, UTC."""

    @model_validator(mode="before")
    @classmethod
    def _migrate(cls, content: Any) -> Any:
        return migrate_run(content)

    @property
    def base(self) -> ModuleRecord | None:
        """The row that the others are compared with; None where there is none."""
        return next((module for module in self.modules if module.label == BASE), None)

    @property
    def drawn(self) -> bool:
        """Whether any of the faces are drawn."""
        return self.data.drawn or (self.test is not None and self.test.drawn)

    @property
    def absent_classes(self) -> tuple[str, ...]:
        """Classes of training that the second data set lacks; none where there is no second set."""
        if self.test is None:
            return ()
        return tuple(name for name in self.data.classes if name not in self.test.classes)

    @model_validator(mode="after")
    def _confusions_fit_the_classes(self) -> Self:
        if len(self.data.classes) < 2:
            raise ValueError("a comparison has at least two classes")
        for module in self.modules:
            for fold in module.trainings:
                matrices = [fold.confusion, *(fold.test_confusions or {}).values()]
                if any(len(matrix) != len(self.data.classes) for matrix in matrices):
                    raise ValueError(f"{module.label}: confusion does not fit the classes")
                counts = [*(fold.recognised or {}).values()]
                for group in (fold.test_recognised or {}).values():
                    counts += group.values()
                if any(len(one) != len(self.data.classes) for one in counts):
                    raise ValueError(f"{module.label}: recognised images do not fit the classes")
                groups = set(self.test.groups or {ALL_AGES}) if self.test else set()
                if set(fold.test_confusions or {}) != groups:
                    raise ValueError(f"{module.label}: age groups differ from the second set's")
        return self


class JobRecord(Record):
    """What a finished job keeps for later runs."""

    schema_version: Literal[1] = SCHEMA_VERSION
    """Version of this layout."""
    address: dict[str, JsonValue]
    """All that the job's numbers depend on; its SHA-256 names the job's folder."""
    fold: FoldRecord
    """The numbers."""


def _mean_of_known(values: list[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return statistics.mean(known) if known else math.nan


def _fingerprint(fields: dict[str, Any]) -> str:
    protocol = fields.get("protocol")
    return protocol.fingerprint if isinstance(protocol, Protocol) else ""


def _array(confusion: Confusion) -> NDArray[np.int64]:
    return np.asarray(confusion, dtype=np.int64)
