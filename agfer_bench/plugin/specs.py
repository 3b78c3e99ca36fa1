"""What a plugin hands to the harness: blocks, classifiers, data sets, detectors and trackers.

Nothing here imports torch, NumPy or pandas: a listing or `--help` must not pay for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from agfer_bench.errors import UserError
from agfer_bench.plugin.glance import Fit, Glance

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

EMOTIONS = (
    "anger",
    "contempt",
    "disgust",
    "fear",
    "happiness",
    "neutral",
    "sadness",
    "surprise",
)
"""The emotion names that data sets may use, in the order in which classes are numbered."""

PARTS = ("train", "validation", "test")
"""The parts into which a data set's authors may have divided it."""

DRAWN_MARKER = "DRAWN.txt"
"""A file of this name says that the images beside and below it are drawn, no photographs.

Whatever reader they are read with, results on them then carry a notice. Its text is for people.
"""


class InputImage:
    """Marks an argument of a block's `forward` that is to be the image that the host is given.

    ``def forward(self, x_BCHW: Tensor, image_B3SS: Annotated[Tensor, InputImage])``. The image is
    normalised, and with guidance masked as the host's is; its side is ``slot.image_size``.
    """


class PreviousMap:
    """Marks an argument of a block's `forward` that is to be what left the slot before.

    ``def forward(self, x_BCHW: Tensor, previous: Annotated[Tensor, PreviousMap])``. It is the map
    behind that slot's block, of shape (B, ``*slot.previous``); at the first slot it is the image
    that the host is given.
    """


@dataclass(frozen=True, kw_only=True)
class Slot:
    """The place in the host network that a block is built for."""

    channels: int
    """Channels C of the feature map, before and after the block."""
    height: int
    """Rows of the feature map at the protocol's image size, in pixels."""
    width: int
    """Columns of the feature map at the protocol's image size, in pixels."""
    classes: int
    """Classes m that the network tells apart."""
    stage: int
    """The stage of the host that the block closes or stands in, counted from 1 (VGG16: 2, 3, 4)."""
    number: int = 0
    """Which of the host's slots it is, in the order of execution, counted from 0."""
    position: int = 1
    """Which of the stage's slots it is, counted from 1; 1 where the block closes the stage."""
    place: str = "stage"
    """The protocol's `place`: at the end of the stage, or where in it."""
    slots: int = 1
    """Number of slots of the host: so many blocks the network gets."""
    host: str = ""
    """The host, as `--host` names it; empty where nobody tells."""
    image_size: int = 0
    """Side of the square image that the host is given, in pixels; 0 where nobody tells."""
    stages: int = 1
    """Number of the host's stages that have slots."""
    stage_number: int = 0
    """Which of those the slot's stage is, counted from 0."""
    previous: tuple[int, int, int] = (3, 0, 0)
    """Channels, height and width of a `PreviousMap`; of the image at the first slot."""
    entering: tuple[int, int, int] = (0, 0, 0)
    """Channels, height and width of the map that enters the stage; zeros inside a stage, and
    where no block can stand in place of the stage (`AttentionSpec.replaces`)."""
    replaces: bool = False
    """Whether the block stands in place of the stage's own layers (`AttentionSpec.replaces`)."""

    @property
    def given(self) -> tuple[int, int, int]:
        """Channels, height and width of the map that `forward` is given.

        Those of the slot, or what enters the stage for a block that replaces it.
        """
        return self.entering if self.replaces else (self.channels, self.height, self.width)


@dataclass(frozen=True, kw_only=True)
class AttentionSpec:
    """An attention block on offer.

    ``build(slot, **options)`` returns a fresh ``nn.Module`` that maps a float tensor of shape
    (B, slot.channels, slot.height, slot.width) to one of the same shape. Its keyword arguments
    after ``slot`` are the block's options: each needs a type and a default, and both are shown to
    users, who set them as ``NAME:option=value``.
    """

    name: str
    """What users type: lower-case letters, digits and dashes."""
    build: Callable[..., nn.Module]
    """Builds one block for one slot. The harness never re-initialises what it returns."""
    source: str
    """Where the block is published: a DOI, an arXiv number or a URL."""
    summary: str
    """One line for listings."""
    formula: str = ""
    """Learnable parameters of one block, as an expression in Python: of C, H and W (the map), M
    (classes), I (channels of the map that it is given: C, unless it replaces its stage), P
    (channels of the slot's `previous`), the block's options by name, and `max`, `min`, `ceil`,
    `log2`, say ``2 * C * max(1, C // reduction)``. Shown to users and held against the count; may
    be empty."""
    replaces: bool = False
    """Whether the block stands in place of its stage's own layers: it is given what enters the
    stage, (B, ``*slot.entering``), and returns (B, slot.channels, slot.height, slot.width)."""

    def at(self, slot: Slot) -> Slot:
        """Return the slot as `build` is given it.

        Raises:
            UserError: The block replaces its stage, and the slot is inside one, or the host has
                layers of that stage that cannot be taken out.
        """
        if not self.replaces:
            return slot
        if slot.place != "stage":
            raise UserError(
                f"{self.name} replaces its stage, which place={slot.place} leaves where it is: use "
                "--place stage"
            )
        if not all(slot.entering):
            raise UserError(
                f"{self.name} replaces its stage, and {slot.host or 'the host'} has layers of "
                f"stage {slot.stage} outside the module that timm lists; choose other stages with "
                "--slots"
            )
        return replace(slot, replaces=True)


class FaceClassifier(Protocol):
    """A classifier of its own, without the host: what `ClassifierSpec.build` returns.

    It is fitted once and then asked, always on the CPU. Crops are 8 bit RGB, as the protocol cuts
    them; there is no guidance mask. N images, H x W pixels, C = 3 channels, M classes.
    """

    def fit(
        self,
        pixels_NHWC: NDArray[np.uint8],
        labels_N: NDArray[np.int64],
        weights_N: NDArray[np.float64] | None,
    ) -> None:
        """Learn from a training fold.

        Args:
            pixels_NHWC: (N, H, W, 3) crops of the training fold; a copy of its own.
            labels_N: (N,) classes 0..M-1, each of which occurs.
            weights_N: (N,) weight of each image: its class's by equation 2 of Arabian et al.
                (2023); None where the protocol's `class_weights` is off.
        """

    def predict(self, pixels_NHWC: NDArray[np.uint8]) -> NDArray[Any]:
        """Judge images, which may come in several parts.

        Returns:
            (N, M) probabilities, each row summing to 1, or decisions: 1 for the class, else 0.
        """


@dataclass(frozen=True, kw_only=True)
class ClassifierSpec:
    """A whole classifier on offer, to stand in the table beside the networks.

    ``build(seed, **options)`` returns a fresh `FaceClassifier`, untrained; ``seed`` is a whole
    number, 0 <= seed < 2**32, that depends on the protocol's seed and the fold. Keyword arguments
    after it are the classifier's options, as those of a block are. Names are shared with attention
    blocks.
    """

    name: str
    """What users type: lower-case letters, digits and dashes."""
    build: Callable[..., FaceClassifier]
    """Builds one classifier for one fold."""
    source: str
    """Where the method is published: a DOI, an arXiv number or a URL."""
    summary: str
    """One line for listings."""


ModuleSpec = AttentionSpec | ClassifierSpec
"""What may be a row of the comparison."""


@dataclass(frozen=True, kw_only=True)
class FaceImage:
    """One labelled photograph."""

    path: Path
    """The image file."""
    emotion: str
    """One of `EMOTIONS`; of a table with classes of its own, one of these."""
    subject: str | None = None
    """Who is shown, unique within the data set; None where it is not known."""
    sequence: str | None = None
    """The recording that a frame belongs to, unique within the data set."""
    frame: int | None = None
    """Place in the sequence, counted from 0."""
    age_group: str | None = None
    """`young`, `middle` or `old`, where the data set tells."""
    sex: str | None = None
    """`female` or `male`, where the data set tells."""
    take: str | None = None
    """Which of several portraits of one person with one emotion, where the data set tells."""
    part: str | None = None
    """The part that the data set's authors put it into, one of `PARTS`; None where they did not.
    `--split official` trains and judges by it."""


@dataclass(frozen=True, kw_only=True)
class FaceTable:
    """The photographs of one data set."""

    root: Path
    """The folder that the images' names are relative to."""
    images: tuple[FaceImage, ...]
    """All labelled images, in an order that does not depend on the machine."""
    notes: tuple[str, ...] = ()
    """What the reader left out or found odd, with counts: shown to the user and recorded."""
    classes: tuple[str, ...] | None = None
    """What is classified, where that is not emotions: names, in the order in which they are
    numbered. None for emotions."""

    def name(self, image: FaceImage) -> str:
        """Name of an image in records: its path relative to `root`, with forward slashes."""
        return image.path.relative_to(self.root).as_posix()


def _silent(what: str, done: int, total: int) -> None:
    """Report progress to nobody."""


def _alone(name: str, folder: Path, **options: object) -> FaceTable:
    """Refuse to read for another plugin: a place made by hand knows no catalogue."""
    raise UserError(f"this place cannot read {folder} with the reader of {name}")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a data set is read from, and what its reader may use."""

    folder: Path | None
    """The folder that the user named; None where none was."""
    cache: Path
    """A folder that the reader may fill with derived files; kept between runs."""
    workers: int = 1
    """Processes or threads that the reader may use."""
    progress: Callable[[str, int, int], None] = field(default=_silent, compare=False)
    """Called with (what is being done, how many are done, of how many)."""
    read: Callable[..., FaceTable] = field(default=_alone, compare=False)
    """``read(name, folder, **options)`` reads a folder with the reader of another data set."""


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """A set of labelled face photographs on offer.

    ``read(place, **options)`` returns a `FaceTable`. Keyword arguments after ``place`` are the
    data set's options, set by users as ``NAME:option=value=FOLDER``. What the user can mend (a
    missing folder, another layout) is raised as `UserError`.
    """

    name: str
    """What users type: lower-case letters, digits and dashes."""
    read: Callable[..., FaceTable]
    """Reads the table; opens no image."""
    summary: str
    """One line for listings: what it is, and the layout that is expected."""
    source: str = ""
    """Where the data set is described or to be had."""
    needs_folder: bool = True
    """Whether the user must name a folder."""
    drawn: bool = False
    """True for synthetic faces: everything that shows a result on them says so."""
    layout: str = ""
    """For drawn faces: the data set in whose layout `draw` writes them."""
    draw: Callable[..., None] | None = None
    """For drawn faces: ``draw(place, **options)`` writes them into the empty folder
    ``place.folder``, for `agfer-bench data synthesise`. None where they cannot be had as files.
    The harness adds the file `DRAWN_MARKER`, which the readers of the layout must not mind."""
    faces: bool = True
    """False for pictures of other things, whose tables have classes of their own. They are taken
    whole, without mask and mirroring, unless the user asks for these."""
    settings: Mapping[str, bool | int | float | str] = field(default_factory=dict)
    """Settings of the protocol that suit the set, such as ``{"split": "image"}`` where nobody knows
    who is shown. Those that the user names come before them."""
    licence: str = ""
    """The licence or the terms of use, in a few words; empty where they are not known."""
    pictures_may_be_published: bool = False
    """Whether the terms let users of the data set publish pictures of it. False also where nobody
    knows: shown in lists and kept in records."""
    fits: Callable[[Glance], Fit | None] | None = None
    """``fits(glance)`` says how well a folder fits the layout that `read` expects, or None where
    nothing of it is there. It opens no file. None where the reader does not tell."""


Point = tuple[float, float]
"""x and y in pixels, from the upper left corner of the picture; fractions are kept."""


@dataclass(frozen=True, kw_only=True)
class FoundFace:
    """The face that counts in a photograph, as a detector sees it, and five points in it.

    All in pixels of the picture that the detector was given; what lies outside of it may be
    given, too. Left and right are those of the picture, not of the person.
    """

    box: tuple[float, float, float, float]
    """x and y of the upper left corner, width and height."""
    left_eye: Point
    """Centre of the eye at the left of the picture."""
    right_eye: Point
    """Centre of the other eye."""
    nose: Point
    """Tip of the nose."""
    left_mouth: Point
    """Corner of the mouth at the left of the picture."""
    right_mouth: Point
    """The other corner."""


@dataclass(frozen=True, kw_only=True)
class NoFace:
    """Why a photograph gives no face: it is left out, and counted under the reason."""

    reason: Literal["no face", "no eye", "no mouth"] = "no face"
    """What was not found."""
    detail: str = ""
    """One line on that."""


class FaceDetector(Protocol):
    """A detector at work: what `DetectorSpec.load` returns. One thread alone asks it."""

    @property
    def weights(self) -> str:
        """What names the weights in records where the user gives no file: a version, or a hash.

        A detector that is loaded from a file is known by that file's hash, and need not have this.
        """

    def detect(self, pixels_HWC: NDArray[np.uint8]) -> FoundFace | NoFace:
        """Find the largest face, and five points in it.

        Args:
            pixels_HWC: (H, W, 3) RGB of an upright photograph, shrunk to at most 640 pixels a side
                and with a border of repeated edge pixels around it, as for the paper's cascades;
                a copy of its own.
        """


@dataclass(frozen=True, kw_only=True)
class DetectorSpec:
    """A face detector on offer, in place of the paper's cascades: `--detector NAME=FILE`.

    ``load(file, **options)`` returns a `FaceDetector`; it is called once for each thread that
    crops, with the same arguments. ``file`` is the ``Path`` that the user named, or None. Keyword
    arguments after it are the detector's options, set as ``NAME:option=value=FILE``. What the user
    can mend (a file of another kind, a library that is missing) is raised as `UserError`.
    """

    name: str
    """What users type: lower-case letters, digits and dashes."""
    load: Callable[..., FaceDetector]
    """Reads the weights and makes a detector ready."""
    summary: str
    """One line for listings."""
    source: str = ""
    """Where the detector is published: a DOI, an arXiv number or a URL."""
    needs_file: bool = True
    """Whether the user must name a file of weights; a detector that needs none takes none."""


@dataclass(frozen=True, kw_only=True)
class EpochEvent:
    """One pass over a training fold has ended."""

    module: str
    """The module's name in tables, with the options that differ from their defaults."""
    fold: int
    """Number of the fold, counted from 0."""
    seed: int
    """Which of the protocol's seeds the network is trained with, counted from 0."""
    epoch: int
    """Number of the epoch, counted from 0. One comes again where a training starts again, say with
    smaller parts of a batch because memory ran out."""
    epochs: int
    """Epochs of the whole training."""
    loss: float
    """Mean training loss over the epoch's images, as optimised."""
    validation_accuracy: float | None
    """Mean per-class recall on the validation fold, 0..1; None where the protocol's `curve_every`
    passes the epoch over."""
    seconds: float
    """Wall-clock time of the epoch's training, in seconds; judging it is not in it."""
    job: str
    """SHA-256 that names the training by all that its numbers depend on; `FoldRecord.job`."""
    protocol: str
    """SHA-256 of every setting that moves a number; `RunRecord.protocol_fingerprint`."""


@dataclass(frozen=True, kw_only=True)
class TrackerSpec:
    """A tracker on offer, which follows a run when the user asks for it: `--track NAME=FOLDER`.

    ``start(folder, **options)`` is called once, before any work, and returns an object with methods
    that are marked with ``hookimpl``: `epoch_finished`, `run_finished`, or both. ``folder`` is the
    ``Path`` that the user named, or None. Keyword arguments after it are the tracker's options, set
    as ``NAME:option=value=FOLDER``. What the user can mend is raised as `UserError`.
    """

    name: str
    """What users type: lower-case letters, digits and dashes."""
    start: Callable[..., object]
    """Starts to follow; writes nothing before something happens."""
    summary: str
    """One line for listings."""
