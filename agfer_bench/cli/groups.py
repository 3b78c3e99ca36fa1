"""Groups of options as flags: what `run.request` names, with help, panels, bounds and variables.

A command lists the groups that it takes, and its own flags; `grouped` makes Typer see one flag for
each field of a group.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from agfer_bench.errors import UserError
from agfer_bench.files import CACHE_VARIABLE
from agfer_bench.run.request import ControlsName

DATA = "Data"
PROTOCOL = "Protocol"
MACHINE = "Machine"

ModulesOption = Annotated[
    str,
    typer.Option(
        metavar="NAMES",
        help="Attention blocks, comma-separated, with options: `agfer,cbam:reduction=8`; to train "
        "and compare, classifiers as well: `hog-svm`. `base` is always added. See "
        "`agfer-bench modules`.",
    ),
]
ControlsOption = Annotated[
    ControlsName,
    typer.Option(
        help="Rows that blocks are held against, beside base: `fast` adds a block that does "
        "nothing; `all` also trains, for each block, one with a constant and one with a blind "
        "gate. Each trained network is judged with frozen and with shuffled gates in any case. See "
        "docs/controls.md."
    ),
]
WeightsOption = Annotated[
    bool,
    typer.Option("--save-weights", help="Keep each network's final weights, as safetensors."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
RopeOption = Annotated[
    float,
    typer.Option(
        metavar="POINTS",
        help="Region of practical equivalence: differences of at most so many points count as "
        "none.",
    ),
]
CapOption = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Most epochs until convergence. Default: three times the protocol's.",
        show_default=False,
    ),
]
OutOption = Annotated[Path, typer.Option(help="Where jobs and runs are kept.")]

OPTIONS: dict[str, Any] = {
    "data": typer.Option(
        "--data",
        metavar="NAME[=FOLDER]",
        help="Data set: NAME=FOLDER, or NAME:option=value=FOLDER. See `agfer-bench data list`. "
        "Default: drawn faces.",
        rich_help_panel=DATA,
        show_default=False,
    ),
    "test": typer.Option(
        "--test",
        metavar="NAME[=FOLDER]",
        help="Second data set, on which every trained network is tested; written like --data. "
        "The drawn default data come with drawn test data; `none` leaves them out.",
        rich_help_panel=DATA,
        show_default=False,
    ),
    "labels": typer.Option(
        help="What is classified: `emotions` of faces, or `any` classes of pictures, which are "
        "then taken whole, without mask and mirroring. Default: as the data set has it.",
        rich_help_panel=DATA,
        show_default=False,
    ),
    "cascades": typer.Option(
        help="Folder with your own cascade files, say the paper's.", rich_help_panel=DATA
    ),
    "detector": typer.Option(
        "--detector",
        metavar="NAME[=FILE]",
        help="Find faces with a detector of a plugin in place of the paper's cascades, say "
        "`yunet=FILE.onnx`. See `agfer-bench data detectors`.",
        rich_help_panel=DATA,
        show_default=False,
    ),
    "cache": typer.Option(
        envvar=CACHE_VARIABLE,
        help="Where crops and drawn faces are kept. Default: the user's cache folder.",
        rich_help_panel=DATA,
    ),
    "preset": typer.Option(
        help="`quick` (the default) or `paper`.", rich_help_panel=PROTOCOL, show_default=False
    ),
    "protocol_file": typer.Option(
        "--protocol", help="TOML file with a protocol of your own.", rich_help_panel=PROTOCOL
    ),
    "settings": typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Change any setting of the protocol; may stand several times.",
        rich_help_panel=PROTOCOL,
    ),
    "split": typer.Option(
        help="Folds by image or by subject, or the data set's own division into training and test "
        "part.",
        rich_help_panel=PROTOCOL,
    ),
    "folds": typer.Option(help="Number of folds.", rich_help_panel=PROTOCOL),
    "epochs": typer.Option(help="Passes over the training fold.", rich_help_panel=PROTOCOL),
    "batch_size": typer.Option(help="Images a step.", rich_help_panel=PROTOCOL),
    "learning_rate": typer.Option(help="Constant learning rate.", rich_help_panel=PROTOCOL),
    "seed": typer.Option(help="Seed of everything drawn.", rich_help_panel=PROTOCOL),
    "seeds": typer.Option(
        help="Times that every fold is trained, with seeds from --seed on; averaged within a fold.",
        rich_help_panel=PROTOCOL,
        show_default=False,
    ),
    "image_size": typer.Option(
        help="Side of the crop and the input, in pixels.", rich_help_panel=PROTOCOL
    ),
    "host": typer.Option(
        metavar="NAME",
        help="The network that blocks are put into: `vgg16` (the paper's), or any backbone of timm "
        "as `timm:NAME`, say `timm:resnet18`.",
        rich_help_panel=PROTOCOL,
        show_default=False,
    ),
    "slots": typer.Option(
        metavar="N,N,...",
        help="Stages of the host, counted from 1, that have blocks, or `all`. Default: 2,3,4; with "
        "--place all.",
        rich_help_panel=PROTOCOL,
        show_default=False,
    ),
    "place": typer.Option(
        help="Where blocks go: at the end of each stage; at the end of each residual `branch` (as "
        "published for SE), before (`pre`) or behind it (`post`), or on the way past it "
        "(`identity`); in VGG16 after each convolution (`conv`) or its ReLU (`relu`).",
        rich_help_panel=PROTOCOL,
        show_default=False,
    ),
    "pretrained": typer.Option(
        metavar="timm|FILE",
        help="Start from pretrained weights, with their own input normalisation: VGG16's "
        "convolutions (at --width 1), or all of a timm host but the classifier.",
        rich_help_panel=PROTOCOL,
        show_default=False,
    ),
    "stride": typer.Option(help="Overall stride, 16 or 32.", rich_help_panel=PROTOCOL),
    "width": typer.Option(help="Factor on the host's width.", rich_help_panel=PROTOCOL),
    "guidance": typer.Option(
        "--guidance/--no-guidance",
        help="Lay the mask over the input while training.",
        rich_help_panel=PROTOCOL,
    ),
    "mask": typer.Option(
        metavar="FILE.png",
        help="Your own guidance mask, of the image size, black and white.",
        rich_help_panel=PROTOCOL,
    ),
    "precision": typer.Option(help="Arithmetic of training.", rich_help_panel=PROTOCOL),
    "device": typer.Option(help="Where to train and to time.", rich_help_panel=MACHINE),
    "jobs": typer.Option(
        min=1,
        help="Trainings side by side, each in a process of its own. Default: on the CPU one a core "
        "for small networks, else 1. No number depends on it.",
        show_default=False,
        rich_help_panel=MACHINE,
    ),
    "threads": typer.Option(
        min=1,
        help="Threads of torch on the CPU, for each training and for the timing. Default: 1 for "
        "the training of small networks, else torch's.",
        rich_help_panel=MACHINE,
    ),
    "execution": typer.Option(
        help="How training is executed; `auto` takes what pays on the device.",
        rich_help_panel=MACHINE,
    ),
    "micro_batch": typer.Option(
        min=1,
        help="Most images of one pass: larger batches are split, their gradients added up. "
        "Default: whole batches, halved where memory runs out.",
        rich_help_panel=MACHINE,
    ),
    "workers": typer.Option(
        min=1, help="Threads for reading images. Default: all cores.", rich_help_panel=MACHINE
    ),
    "checkpoint_minutes": typer.Option(
        min=0,
        metavar="MINUTES",
        help="Least time between two checkpoints of a training, from which it goes on if stopped; "
        "0 for none.",
        rich_help_panel=MACHINE,
    ),
    "out": OutOption.__metadata__[0],  # type: ignore[attr-defined]
    "fresh": typer.Option("--fresh", help="Do again what is done already."),
    "track": typer.Option(
        "--track",
        metavar="NAME[=FOLDER]",
        help="Have a tracker follow epochs and runs, say `tensorboard=logs`; may stand several "
        "times.",
        show_default=False,
    ),
    "repeats": typer.Option(
        min=1, help="Fresh processes that all is measured in.", rich_help_panel=PROTOCOL
    ),
    "classes": typer.Option(min=2, max=1000, help="Classes of the last layer."),
    "compiled": typer.Option(
        "--compile/--no-compile",
        help="Try torch.compile for the tuned mode. Default: on a GPU.",
        show_default=False,
    ),
    "camera": typer.Option(
        "--camera/--no-camera", help="Also time the way from a camera's frame to the label."
    ),
    "largest_batch": typer.Option(
        min=1, help="Largest batch size. Default: 64 on a CPU, 1024 on a GPU.", show_default=False
    ),
}
"""The flag of each field of a group, by the field's name."""


def rope_share(points: float) -> float:
    """Return half the region of practical equivalence as a share, 0..1.

    Raises:
        UserError: It is no number of points.
    """
    if not 0 <= points < 100:
        raise UserError(f"--rope {points:g}: give points from 0 to 100, as in --rope 1")
    return points / 100


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command with a flag for each field of the dataclasses that it takes."""
    hints = typing.get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {
        name: kind for name, kind in hints.items() if dataclasses.is_dataclass(kind)
    }
    flags: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        if parameter.name in groups:
            flags += _flags(groups[parameter.name])
        else:
            kind = hints[parameter.name]
            flags.append(parameter.replace(kind=parameter.KEYWORD_ONLY, annotation=kind))

    @functools.wraps(command)
    def flat(**values: Any) -> None:
        for name, group in groups.items():
            own = {field.name: values.pop(field.name) for field in dataclasses.fields(group)}
            values[name] = group(**own)
        command(**values)

    del flat.__wrapped__  # Typer would read the signature of what is wrapped
    flat.__signature__ = inspect.Signature(flags)  # type: ignore[attr-defined]
    flat.__annotations__ = {flag.name: flag.annotation for flag in flags}
    return flat


def _described(kind: Any, name: str) -> Any:
    """Return a field's type with its flag: its own, or the one that commands share."""
    if typing.get_origin(kind) is Annotated:
        return kind
    return Annotated[kind, OPTIONS[name]]


def _flags(group: Any) -> list[inspect.Parameter]:
    types = typing.get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=_described(types[field.name], field.name),
        )
        for field in dataclasses.fields(group)
    ]
