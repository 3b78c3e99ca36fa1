"""The protocol: every setting that can move a number, and the presets.

Two rows of a table compare only where their protocols have the same fingerprint.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Container, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from agfer_bench.errors import UserError
from agfer_bench.files import read_whole
from agfer_bench.text import nearest

PRESETS = ("quick", "paper")

VGG16: Final = "vgg16"
"""The paper's host."""

STAGE: Final = "stage"
"""The place of a block that closes a stage."""

PLACES_OF_VGG16: Final = (STAGE, "conv", "relu")
"""Where blocks can go in VGG16."""

PLACES_OF_RESIDUAL: Final = (STAGE, "branch", "pre", "post", "identity")
"""Where blocks can go in a residual network."""

SCRATCH: Final = "none"
"""Stands for no pretrained weights."""

CASCADES: Final = "viola-jones"
"""The paper's way to crop: cascades find face, eye and mouth."""

WHOLE: Final = "none"
"""Stands for images that are taken whole."""

CROPS: Final = (CASCADES, WHOLE)
"""The ways to crop that need no detector of a plugin."""

_CROP = (
    r"^(viola-jones|none|"
    r"[a-z0-9][a-z0-9-]*(:[A-Za-z_][A-Za-z0-9_]*=[A-Za-z0-9_.+-]*)*@sha256:[0-9a-f]{64})$"
)
"""The ways to crop: a detector has a name, options that differ from their defaults, and weights."""

_HOST = r"^(vgg16|timm:[a-z0-9_]+)$"
"""The names of hosts."""


OFFICIAL: Final = "official"
"""The split that a data set's authors made."""

ONE_DIVISION: Final = (
    "split=official is one division, the data set's own, and has folds=1; any other split has two "
    "folds or more"
)
"""Why a number of folds does not go with a split."""

RESCALES_DRAWN: Final = (
    "unit_variance=true rescales weights that the harness drew: it needs initialisation=glorot or "
    "he, and no pretrained weights"
)
"""Why layers are not rescaled under other weights."""


Duplicates = Literal["group", "keep", "drop"]
"""What is done with copies of a picture."""


class SpeedProtocol(BaseModel):
    """How inference is timed. Moves timings only, so no trained job depends on it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    repeats: int = Field(default=3, ge=1, le=1_000)
    """Times that everything is measured."""
    fresh: bool = True
    """Whether each repeat runs in a process of its own. Without, blocks that no installed plugin
    offers can be timed, and a crash takes everything with it."""
    warmup: int = Field(default=10, ge=0, le=100_000)
    """Least untimed passes of each network before the first round; more follow until times have
    settled. 0 does without any."""
    rounds: int = Field(default=10, ge=2, le=100_000)
    """Least rounds a repeat; each times every network in turn, so that drift hits all alike."""
    passes: int = Field(default=5, ge=1, le=100_000)
    """Timed passes of one image by each network in each round."""
    seconds: float = Field(default=0.25, ge=0, le=3600)
    """Least time that each network's passes take together in each repeat: rounds are added."""


_MOVES_NOTHING = {"preset", "speed", "curve_every"}
"""Settings that move no accuracy of a trained network."""

_AS_BEFORE = {"place": STAGE, "colour": "rgb"}
"""Settings that came later, each with the value that says what was done before. With it they are
left out of fingerprints, so that a protocol keeps the one it had."""


def _counted(settings: Mapping[str, Any], without: Container[str] = ()) -> dict[str, Any]:
    """Return the settings that a fingerprint is made of, as JSON."""
    return {
        name: value
        for name, value in settings.items()
        if name not in _MOVES_NOTHING
        and name not in without
        and not (name in _AS_BEFORE and value == _AS_BEFORE[name])
    }


def _whole(value: Any) -> Any:
    """Read digits as a number: pydantic's literals do not, and `--set stride=32` is text."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _numbers(value: Any) -> Any:
    """Read `2,3,4` as numbers, and `all` as none: `--set slots=2,3` is text."""
    if not isinstance(value, str):
        return value
    return [] if value.strip() == "all" else [part.strip() for part in value.split(",")]


def _crop(value: str) -> str:
    """Accept the name of a way to crop."""
    if not is_crop(value):
        raise ValueError(
            "choose viola-jones or none; a detector is named by --detector, and stands here with "
            "the hash of its weights, as in yunet@sha256:…"
        )
    return value


def _host(value: str) -> str:
    """Accept the name of a host."""
    if re.fullmatch(_HOST, value):
        return value
    name, _, tag = value.removeprefix("timm:").strip().lower().partition(".")
    if not re.fullmatch(r"[a-z0-9_]+", name):
        raise ValueError("give vgg16, or timm:NAME with a name that timm.list_models() has")
    known = "vgg16" if name in ("vgg", VGG16) and not value.startswith("timm:") else f"timm:{name}"
    weights = f"; .{tag} names weights, which --pretrained timm takes" if tag else ""
    raise ValueError(f"type {known}{weights}")


def is_crop(value: str) -> bool:
    """Tell whether a text is the name of a way to crop, as `Protocol.crop` has it."""
    return re.fullmatch(_CROP, value) is not None


def is_detector(crop: str) -> bool:
    """Tell whether a protocol's `crop` names a detector of a plugin."""
    return crop not in CROPS


def told_crop(crop: str) -> str:
    """Write a way to crop for people: a hash by its beginning."""
    return re.sub(r"(sha256:[0-9a-f]{8})[0-9a-f]+", r"\1…", crop)


def _typed(value: Any) -> str:
    """Write a setting's value as users type it."""
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "all"
    return told_crop(str(value))


class Protocol(BaseModel):
    """Every setting that can move a number. Frozen and validated; unknown settings are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    preset: str = "custom"
    """Name of the preset that the settings started from; not part of the fingerprint."""

    crop: Annotated[str, AfterValidator(_crop), Field(json_schema_extra={"pattern": _CROP})] = (
        CASCADES
    )
    """How a photograph becomes a face: the paper's cascades (`viola-jones`), the whole image as it
    is (`none`), or a detector of a plugin, by its name, options and the hash of its weights."""
    image_size: int = Field(default=224, ge=32, le=1024)
    """Side of the square crop and of the network's input, in pixels."""
    colour: Literal["rgb", "grey"] = "rgb"
    """Whether crops keep their colours or become grey: three equal channels. Where few photographs
    of one set and most of another are in colour, networks take colour for what tells them apart."""
    split: Literal["image", "subject", "official"] = "image"
    """Folds draw single images (the paper's) or whole subjects; or there is one division, the data
    set's own: trained on its training part, judged on its test part, or where it has none, on its
    validation part."""
    folds: int = Field(default=5, ge=1, le=1_000)
    """Number of folds: two or more, or the one of `split=official`."""
    duplicates: Duplicates = "group"
    """What is done with copies, equal files and nearly equal pictures: a group of them stands on
    one side of each fold, or they are kept as any other images (and a note says so), or all but
    the first are dropped. Without copies the folds are the same."""

    host: Annotated[str, AfterValidator(_host), Field(json_schema_extra={"pattern": _HOST})] = VGG16
    """The network that blocks are put into: `vgg16` (the paper's), or `timm:NAME`, any backbone of
    timm whose stages give maps."""
    slots: Annotated[tuple[Annotated[int, Field(ge=1)], ...], BeforeValidator(_numbers)] = (2, 3, 4)
    """Stages of the host, counted from 1, that have slots for blocks; none (`all`) stands for every
    stage that can have one."""
    place: Literal["stage", "branch", "pre", "post", "identity", "conv", "relu"] = STAGE
    """Where blocks go in these stages: one closes each stage (the paper's). In residual hosts one
    stands at each residual branch: at its end, before the addition (`branch`, as published for
    SE); at its beginning (`pre`); behind the addition and its activation (`post`); or on the way
    past the branch (`identity`). In VGG16 one stands after each convolution, before its ReLU
    (`conv`) or behind it (`relu`)."""
    stride: Annotated[Literal[16, 32], BeforeValidator(_whole)] = 16
    """Overall stride of VGG16: 16 without the last pool (the paper's), 32 with it. Other hosts have
    their own, and 16 here."""
    width: float = Field(default=1.0, gt=0, le=4)
    """Factor on VGG16's channels and fully connected units; other hosts have 1."""
    dropout: float = Field(default=0.5, ge=0, lt=1)
    """Dropout after each of VGG16's first two fully connected layers; before the classifier of
    other hosts."""
    initialisation: Literal["glorot", "he", "own"] = "glorot"
    """Initial weights of the host; `own` leaves those that timm gives its networks."""
    unit_variance: bool = False
    """Whether each of the host's layers, as drawn, is rescaled before training to outputs of
    variance 1, with the blocks in their places, on the first batch (Mishkin & Matas 2016,
    arXiv:1511.06422)."""
    pretrained: str = Field(default=SCRATCH, pattern=r"^(none|.+@sha256:[0-9a-f]{64})$")
    """Weights that the host starts from in place of random ones: `none`, or where they are from and
    the hash of their values. VGG16 takes its convolutions from them, at width 1; other hosts all
    but the classifier."""
    normalisation: Literal["zero-centre", "standardise", "pretrained"] = "zero-centre"
    """Pixels 0..255 less the training fold's channel means, or also divided by its deviations; or
    as the pretrained weights want them."""

    guidance: bool = True
    """Whether the mask is laid over the input while training (section 2.3)."""
    alpha: float = Field(default=0.125, ge=0)
    """The alpha of equation 1."""
    guidance_share: float = Field(default=1.0, gt=0, le=1)
    """Share of the training images that the mask is laid over, drawn anew each epoch: 1 is the
    paper's. Below 1 a network also learns from images as it is judged on, without the mask."""
    mask: str = "default"
    """`default`, or the SHA-256 of the user's mask as `sha256:<hex>`."""
    class_weights: bool = True
    """Whether the loss is weighted by equation 2."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of each label that is spread evenly over all classes. With class weights each class's
    part of the loss is weighted by that class's own weight, as torch does it."""

    epochs: int = Field(default=100, ge=1, le=1_000_000)
    """Passes over the training fold; the last one counts, never the best."""
    batch_size: int = Field(default=128, ge=1, le=1_000_000)
    """Images a step."""
    shuffle: Literal["once", "every-epoch"] = "once"
    """Whether the order of images is drawn once (MATLAB's default) or anew each epoch."""
    drop_last: bool = True
    """Whether an incomplete last batch is dropped (MATLAB's habit)."""
    optimiser: Literal["sgd", "adamw"] = "sgd"
    """Stochastic gradient descent with momentum (the paper's), or AdamW."""
    learning_rate: float = Field(default=1e-4, gt=0)
    """Learning rate; where it changes while training, its largest value."""
    schedule: Literal["constant", "cosine"] = "constant"
    """How the learning rate goes on after the warm-up: as it is, or down to 0 along half a cosine,
    step by step."""
    warmup: float = Field(default=0.0, ge=0, lt=1)
    """Share of all steps in which the learning rate first rises linearly; 0 for none."""
    clip_norm: float = Field(default=0.0, ge=0)
    """Largest norm of the gradient of all weights together; a longer one is scaled down to it
    before the step. 0 for no limit."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Momentum of SGD; AdamW ignores it."""
    weight_decay: float = Field(default=1e-4, ge=0)
    """L2 factor on weights, not on biases (SGD: added to the gradient; AdamW: decoupled)."""
    precision: Literal["fp32", "tf32", "bf16"] = "fp32"
    """Arithmetic of training and validation: fp32 (the reference), products rounded to TF32 (CUDA
    GPUs), or bf16 where autocast uses it; weights and loss stay fp32."""
    augmentation: Literal["none", "flip"] = "none"
    """What is done to training images: nothing, or half of them are mirrored, drawn anew each
    epoch."""
    curve_every: int = Field(default=1, ge=0, le=1_000_000)
    """Epochs from one point of the learning curve to the next; 0 draws none. A point is a pass
    over the validation fold; it chooses nothing and moves no other number."""

    seed: int = Field(default=0, ge=0, lt=2**32)
    """Seeds of folds, weights, batch order and dropout are derived from it."""
    seeds: int = Field(default=1, ge=1, le=100)
    """Times that every fold is trained: with `seed`, `seed` + 1 and so on for weights, batch order
    and dropout, on the same folds. Accuracies are averaged within a fold; they are no replicates.
    """
    speed: SpeedProtocol = SpeedProtocol()
    """How inference is timed."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if list(self.slots) != sorted(set(self.slots)):
            raise ValueError("slots are stages in rising order, or all")
        places = PLACES_OF_VGG16 if self.host == VGG16 else PLACES_OF_RESIDUAL
        if self.place not in places:
            other = "residual hosts, such as timm:resnet18" if self.host == VGG16 else "vgg16"
            raise ValueError(
                f"place={self.place} is for {other}; {self.host} has {', '.join(places)}"
            )
        if (self.split == OFFICIAL) != (self.folds == 1):
            raise ValueError(ONE_DIVISION)
        if self.host == VGG16:
            if self.initialisation == "own":
                raise ValueError("initialisation=own: VGG16 has none of its own; glorot or he")
            if self.pretrained != SCRATCH and self.width != 1:
                raise ValueError(
                    f"pretrained weights are of width 1, not {self.width:g}: add --width 1"
                )
        elif self.width != 1 or self.stride != 16:
            raise ValueError(
                "width and stride are settings of vgg16; other hosts have width=1 and stride=16"
            )
        if self.unit_variance and (self.initialisation == "own" or self.pretrained != SCRATCH):
            raise ValueError(RESCALES_DRAWN)
        if self.seed + self.seeds > 2**32:
            raise ValueError("seed and seeds: the last seed must stay below 2^32")
        if self.normalisation == "pretrained" and self.pretrained == SCRATCH:
            raise ValueError("normalisation=pretrained needs pretrained weights: --pretrained")
        return self

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of every setting that moves a trained network's numbers."""
        return settings_fingerprint(self.model_dump(mode="json"))

    @property
    def ground(self) -> str:
        """SHA-256 (hex) of the same but for the number of trainings: accuracies compare on it."""
        return fingerprint(_counted(self.model_dump(mode="json"), without={"seeds"}))

    def of_seed(self, number: int) -> Protocol:
        """Return the settings of one training of a fold, the `number`-th from 0."""
        return self.model_copy(update={"seed": self.seed + number, "seeds": 1})

    def changes(self) -> dict[str, Any]:
        """Return the settings that differ from those of the preset of the same name."""
        if self.preset not in PRESETS:
            return {}
        origin = load_preset(self.preset)
        return {
            name: value
            for name, value in self.model_dump().items()
            if name not in _MOVES_NOTHING and value != getattr(origin, name)
        }

    def told_changes(self, without: Container[str] = ()) -> str:
        """Return the changes as users type them, but for some; a hash by its beginning."""
        changes = {name: value for name, value in self.changes().items() if name not in without}
        return ", ".join(f"{name}={_typed(value)}" for name, value in changes.items())

    def with_settings(self, settings: Mapping[str, Any]) -> Protocol:
        """Return a copy with some settings changed, validated.

        Raises:
            UserError: A setting is unknown or its value is not allowed.
        """
        return build_protocol(
            {**self.model_dump(), **implied(settings), **settings}, where="protocol"
        )


def implied(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a change of split, place, host or weights brings with it."""
    found: dict[str, Any] = {"folds": 1} if settings.get("split") == OFFICIAL else {}
    if settings.get("place", STAGE) != STAGE:
        found["slots"] = ()
    as_drawn = {"unit_variance": False}
    if settings.get("host", VGG16) != VGG16:
        return found | {"width": 1.0, "stride": 16, "initialisation": "own"} | as_drawn
    return found | (as_drawn if settings.get("pretrained", SCRATCH) != SCRATCH else {})


def fingerprint(content: Any) -> str:
    """SHA-256 (hex) of JSON-able content, whatever the order of its keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def settings_fingerprint(settings: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of those of a protocol's settings that move a trained network's numbers.

    Args:
        settings: A protocol as JSON, of this version or an earlier one with fewer settings.
    """
    return fingerprint(_counted(settings))


def load_preset(name: str) -> Protocol:
    """Load a preset that the package ships.

    Raises:
        UserError: There is no such preset.
    """
    if name not in PRESETS:
        raise UserError(f"unknown preset {name!r}{nearest(name, PRESETS)}")
    text = (files("agfer_bench") / "presets" / f"{name}.toml").read_text(encoding="utf-8")
    return build_protocol({**tomllib.loads(text), "preset": name}, where=f"preset {name}")


def read_settings(path: Path) -> dict[str, Any]:
    """Read the settings that a TOML file names itself, not validated.

    Raises:
        UserError: The file cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(read_whole(path).decode("utf-8"))
    except OSError as error:
        raise UserError(f"cannot read protocol {path}: {error.strerror}") from None
    except ValueError as error:  # no TOML, no UTF-8, or a number of thousands of digits
        raise UserError(f"protocol {path} is not valid TOML: {error}") from None
    except RecursionError:
        raise UserError(f"protocol {path} is not valid TOML: nested too deeply") from None


def load_protocol(path: Path) -> Protocol:
    """Load a protocol from a TOML file; its `preset`, if it names one, gives the rest.

    Raises:
        UserError: The file cannot be read, is not TOML, or holds a setting that is not allowed.
    """
    settings = read_settings(path)
    base: dict[str, Any] = {}
    if "preset" in settings:
        base = load_preset(str(settings["preset"])).model_dump()
        if isinstance(settings.get("speed"), dict):
            settings["speed"] = {**base["speed"], **settings["speed"]}
    return build_protocol({**base, **implied(settings), **settings}, where=f"protocol {path}")


def build_protocol(settings: Mapping[str, Any], *, where: str) -> Protocol:
    """Validate settings into a protocol.

    Args:
        settings: Names and values.
        where: Where they come from, for messages.

    Raises:
        UserError: One line that names each setting at fault.
    """
    try:
        return Protocol.model_validate(settings)
    except ValidationError as error:
        raise UserError(f"{where}: {'; '.join(map(_complaint, error.errors()))}") from None


def _complaint(error: Any) -> str:
    name = ".".join(str(part) for part in error["loc"])
    if not name:
        return str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        known = SpeedProtocol if name.startswith("speed.") else Protocol
        return f"unknown setting {name!r}{nearest(name.split('.')[-1], known.model_fields)}"
    return f"{name} = {error['input']!r}: {str(error['msg']).removeprefix('Value error, ')}"
