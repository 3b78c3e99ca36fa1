"""Arguments that several commands share, and what becomes of them."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agfer_bench.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from agfer_bench.catalogue import Catalogue, Chosen
    from agfer_bench.protocol import Protocol
    from agfer_bench.run.data import Source
    from agfer_bench.run.settings import RunSettings
    from agfer_bench.specs import AttentionSpec, ModuleSpec

DATA = "Data"
PROTOCOL = "Protocol"
MACHINE = "Machine"


class Split(StrEnum):
    """What folds divide."""

    image = "image"
    subject = "subject"


class Device(StrEnum):
    """Where to train and to time."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Execution(StrEnum):
    """How passes of training are executed."""

    auto = "auto"
    eager = "eager"
    compile = "compile"
    graph = "graph"


DataOption = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="NAME[=FOLDER]",
        help="Data set: NAME=FOLDER, or NAME:option=value=FOLDER. See `agfer-bench data list`. "
        "Default: drawn faces.",
        rich_help_panel=DATA,
        show_default=False,
    ),
]
TestOption = Annotated[
    str | None,
    typer.Option(
        "--test",
        metavar="NAME[=FOLDER]",
        help="Second data set, on which every trained network is tested; written like --data. "
        "The drawn default data come with drawn test data; `none` leaves them out.",
        rich_help_panel=DATA,
        show_default=False,
    ),
]
CascadesOption = Annotated[
    Path | None,
    typer.Option(help="Folder with your own cascade files, say the paper's.", rich_help_panel=DATA),
]
CACHE_VARIABLE = "AGFER_BENCH_CACHE"
CacheOption = Annotated[
    Path | None,
    typer.Option(
        envvar=CACHE_VARIABLE,
        help="Where crops and drawn faces are kept. Default: the user's cache folder.",
        rich_help_panel=DATA,
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        min=1, help="Threads for reading images. Default: all cores.", rich_help_panel=MACHINE
    ),
]
PresetOption = Annotated[
    str | None,
    typer.Option(
        help="`quick` (the default) or `paper`.", rich_help_panel=PROTOCOL, show_default=False
    ),
]
ProtocolOption = Annotated[
    Path | None,
    typer.Option(
        "--protocol", help="TOML file with a protocol of your own.", rich_help_panel=PROTOCOL
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Change any setting of the protocol; may stand several times.",
        rich_help_panel=PROTOCOL,
    ),
]
SplitOption = Annotated[
    Split | None,
    typer.Option(help="Folds by image or by subject.", rich_help_panel=PROTOCOL),
]
FoldsOption = Annotated[int | None, typer.Option(help="Number of folds.", rich_help_panel=PROTOCOL)]
EpochsOption = Annotated[
    int | None, typer.Option(help="Passes over the training fold.", rich_help_panel=PROTOCOL)
]
BatchSizeOption = Annotated[
    int | None, typer.Option(help="Images a step.", rich_help_panel=PROTOCOL)
]
SeedOption = Annotated[
    int | None, typer.Option(help="Seed of everything drawn.", rich_help_panel=PROTOCOL)
]
SeedsOption = Annotated[
    int | None,
    typer.Option(
        help="Times that every fold is trained, with seeds from --seed on; averaged within a fold.",
        rich_help_panel=PROTOCOL,
        show_default=False,
    ),
]
ImageSizeOption = Annotated[
    int | None,
    typer.Option(help="Side of the crop and the input, in pixels.", rich_help_panel=PROTOCOL),
]
StrideOption = Annotated[
    int | None, typer.Option(help="Overall stride, 16 or 32.", rich_help_panel=PROTOCOL)
]
WidthOption = Annotated[
    float | None, typer.Option(help="Factor on the host's width.", rich_help_panel=PROTOCOL)
]
HostOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The network that blocks are put into: `vgg16` (the paper's), or any backbone of timm "
        "as `timm:NAME`, say `timm:resnet18`.",
        rich_help_panel=PROTOCOL,
        show_default=False,
    ),
]
SlotsOption = Annotated[
    str | None,
    typer.Option(
        metavar="N,N,...",
        help="Stages of the host, counted from 1, that a block closes. Default: 2,3,4.",
        rich_help_panel=PROTOCOL,
        show_default=False,
    ),
]
PretrainedOption = Annotated[
    str | None,
    typer.Option(
        metavar="timm|FILE",
        help="Start from pretrained weights, with their own input normalisation: VGG16's "
        "convolutions (at --width 1), or all of a timm host but the classifier.",
        rich_help_panel=PROTOCOL,
        show_default=False,
    ),
]
MODULES = "agfer,se,cbam"
ModulesOption = Annotated[
    str,
    typer.Option(
        metavar="NAMES",
        help="Attention blocks, comma-separated, with options: `agfer,cbam:reduction=8`; to train "
        "and compare, classifiers as well: `hog-svm`. `base` is always added. See "
        "`agfer-bench modules`.",
    ),
]
MaskOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.png",
        help="Your own guidance mask, of the image size, black and white.",
        rich_help_panel=PROTOCOL,
    ),
]
DeviceOption = Annotated[
    Device, typer.Option(help="Where to train and to time.", rich_help_panel=MACHINE)
]
JobsOption = Annotated[
    int,
    typer.Option(
        min=1,
        help="Trainings side by side, each in a process of its own.",
        rich_help_panel=MACHINE,
    ),
]
ThreadsOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Threads of torch on the CPU, for each training and for the timing. Default: torch's; "
        "with --jobs on the CPU, the cores divided by it.",
        rich_help_panel=MACHINE,
    ),
]
ExecutionOption = Annotated[
    Execution,
    typer.Option(
        help="How training is executed; `auto` takes what pays on the device.",
        rich_help_panel=MACHINE,
    ),
]
MicroBatchOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Most images of one pass: larger batches are split, their gradients added up. "
        "Default: whole batches, halved where memory runs out.",
        rich_help_panel=MACHINE,
    ),
]
CHECKPOINT_MINUTES = 5.0
CheckpointOption = Annotated[
    float,
    typer.Option(
        min=0,
        metavar="MINUTES",
        help="Least time between two checkpoints of a training, from which it goes on if stopped; "
        "0 for none.",
        rich_help_panel=MACHINE,
    ),
]
WeightsOption = Annotated[
    bool,
    typer.Option("--save-weights", help="Keep each network's final weights, as safetensors."),
]
OUT = Path("results")
OutOption = Annotated[Path, typer.Option(help="Where jobs and runs are kept.")]
FreshOption = Annotated[bool, typer.Option("--fresh", help="Do again what is done already.")]
TrackOption = Annotated[
    list[str] | None,
    typer.Option(
        "--track",
        metavar="NAME[=FOLDER]",
        help="Have a tracker follow epochs and runs, say `tensorboard=logs`; may stand several "
        "times.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cache_folder(cache: Path | None = None) -> Path:
    """Return the cache folder: the user's choice, or the system's place for caches."""
    from platformdirs import user_cache_path

    chosen = cache or os.environ.get(CACHE_VARIABLE)
    return Path(chosen) if chosen else user_cache_path("agfer-bench")


DEFAULT_DATA, DEFAULT_TEST = "synthetic", "synthetic-faces"
"""What is trained and tested on where the user names nothing."""


def build_sources(
    catalogue: Catalogue, data: str | None, test: str | None, **rest: Any
) -> tuple[Source, Source | None]:
    """Resolve `--data` and `--test`; the drawn test set goes with the default data alone.

    Raises:
        UserError: A data set or an option is unknown, or both are the same.
    """
    if test is None and data is None:
        test = DEFAULT_TEST
    first = build_source(catalogue, data or DEFAULT_DATA, **rest)
    if test is None or test == "none":
        return first, None
    second = build_source(catalogue, test, flag="--test", **rest)
    where = [one.folder.resolve() if one.folder else None for one in (first, second)]
    if first.chosen.label == second.chosen.label and where[0] == where[1]:
        raise UserError(
            "--test is the same as --data: a network cannot be tested on what it was trained on; "
            "name another set, or --test none"
        )
    return first, second


def build_source(
    catalogue: Catalogue,
    data: str,
    *,
    flag: str = "--data",
    cascades: Path | None,
    cache: Path | None,
    workers: int | None,
) -> Source:
    """Resolve `--data` or `--test` and what goes with it.

    Raises:
        UserError: The data set or an option of it is unknown.
    """
    from agfer_bench.options import parse_choice
    from agfer_bench.run.data import Source

    choice = parse_choice(data, folder=True)
    chosen = catalogue.choose_dataset(choice)
    if choice.folder == "":
        raise UserError(f"{flag} {data} names no folder after the =")
    return Source(
        chosen=chosen,
        folder=Path(choice.folder).expanduser() if choice.folder else None,
        readers=catalogue.datasets,
        cascades=cascades,
        cache=cache_folder(cache),
        workers=workers or cores(),
    )


def catalogue_with_notes() -> Catalogue:
    """Load the catalogue, and warn of plugins that are left out."""
    from agfer_bench.catalogue import load_catalogue
    from agfer_bench.cli.apart import set_apart
    from agfer_bench.cli.console import warn

    set_apart()
    catalogue = load_catalogue()
    for problem in catalogue.problems:
        warn(str(problem))
    return catalogue


def build_settings(
    catalogue: Catalogue,
    *,
    modules: str,
    data: str | None,
    test: str | None,
    protocol: Protocol,
    mask: Path | None,
    cascades: Path | None,
    cache: Path | None,
    workers: int | None,
    device: Device,
    jobs: int,
    threads: int | None,
    execution: Execution,
    micro_batch: int | None,
    out: Path,
    fresh: bool,
    track: list[str] | None,
    checkpoint_minutes: float = CHECKPOINT_MINUTES,
    save_weights: bool = False,
    pretrained: str | None = None,
    own_input: bool = True,
) -> RunSettings:
    """Resolve all that a run needs, and start trackers; `base` is added to the modules, first.

    Raises:
        UserError: Something is unknown, missing or contradicts something else.
    """
    chosen = choose_rows(catalogue, modules)
    source, second = build_sources(
        catalogue, data, test, cascades=cascades, cache=cache, workers=workers
    )
    check_out(out)

    from agfer_bench.network.build import find_pretrained
    from agfer_bench.run.settings import RunSettings

    protocol, weights = find_pretrained(
        protocol, pretrained, cache_folder(cache), own_input=own_input
    )
    where = prepare_device(device, threads)
    if threads is None and jobs > 1 and where.type == "cpu":
        prepare_device(device, max(1, cores() // jobs))
    if execution is Execution.graph and where.type != "cuda":
        raise UserError("--execution graph: CUDA graphs need a CUDA GPU; use --execution auto")
    protocol, pixels = guidance_mask(protocol, mask)
    for text in track or ():
        catalogue.track(text)
    return RunSettings(
        modules=chosen,
        source=source,
        test=second,
        protocol=protocol,
        mask=pixels,
        device=where,
        execution=execution.value,
        micro_batch=micro_batch,
        out=out,
        fresh=fresh,
        checkpoint_seconds=60 * checkpoint_minutes or None,
        save_weights=save_weights,
        jobs=jobs,
        pretrained=weights,
    )


def choose_rows(catalogue: Catalogue, text: str) -> tuple[Chosen[ModuleSpec], ...]:
    """Resolve `--modules` where classifiers may stand as well; `base` comes first.

    Raises:
        UserError: Something is unknown or malformed.
    """
    chosen = catalogue.choose_rows(text)
    if all(one.label != "base" for one in chosen):
        chosen = [*catalogue.choose_modules("base"), *chosen]
    return tuple(sorted(chosen, key=lambda one: one.label != "base"))


def choose_modules(catalogue: Catalogue, text: str) -> tuple[Chosen[AttentionSpec], ...]:
    """Resolve `--modules` where all must be networks; `base` is added and comes first.

    Raises:
        UserError: Something is unknown or malformed, or a classifier of its own.
    """
    chosen = catalogue.choose_modules(text)
    if all(one.label != "base" for one in chosen):
        chosen = [*catalogue.choose_modules("base"), *chosen]
    return tuple(sorted(chosen, key=lambda one: one.label != "base"))


def check_out(out: Path) -> None:
    """Find out before any work whether `--out` is a folder.

    Raises:
        UserError: It is a file.
    """
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {out} is a file; name a folder")


def prepare_device(device: Device, threads: int | None) -> torch.device:
    """Choose the device and set the number of threads.

    Raises:
        UserError: CUDA is asked for and not there.
    """
    import torch

    from agfer_bench.run.environment import choose_device

    where = choose_device(device)
    if threads is not None:
        torch.set_num_threads(threads)
    return where


def build_protocol(
    preset: str | None, file: Path | None, settings: list[str] | None, flags: dict[str, Any]
) -> Protocol:
    """Put a protocol together: preset or file, then `--set`, then flags.

    Args:
        preset: Name of a preset.
        file: A TOML file; excludes a preset.
        settings: `NAME=VALUE` texts.
        flags: Values of flags by the setting's name; None for those not given.

    Raises:
        UserError: Something is unknown or not allowed.
    """
    from agfer_bench.protocol import load_preset, load_protocol

    if preset is not None and file is not None:
        raise UserError("give --preset or --protocol, not both; the file may name a preset itself")
    protocol = load_protocol(file) if file is not None else load_preset(preset or "quick")
    changes: dict[str, Any] = {}
    for text in settings or []:
        name, sign, value = text.partition("=")
        if not sign:
            raise UserError(f"--set {text!r}: expected NAME=VALUE")
        if name.strip() == "preset":
            raise UserError("--set preset=... would only rename the protocol; use --preset")
        changes[name.strip()] = value.strip()
    changes |= {name: value for name, value in flags.items() if value is not None}
    speed = {
        name.removeprefix("speed."): changes.pop(name)
        for name in list(changes)
        if name.startswith("speed.")
    }
    if speed:
        changes["speed"] = {**protocol.speed.model_dump(), **speed}
    return protocol.with_settings(changes) if changes else protocol


def guidance_mask(protocol: Protocol, file: Path | None) -> tuple[Protocol, NDArray[np.bool_]]:
    """Return the mask, and the protocol that names it.

    Raises:
        UserError: The file is no mask of the right size, or the protocol names another.
    """
    from agfer_bench.faces.mask import default_mask, mask_digest, read_mask

    if file is None:
        if protocol.mask != "default":
            raise UserError(
                f"the protocol's mask is the file with {protocol.mask[:19]}…; give it with --mask"
            )
        return protocol, default_mask(protocol.image_size)
    mask = read_mask(file, protocol.image_size)
    digest = mask_digest(mask)
    if protocol.mask not in ("default", digest):
        raise UserError(f"--mask {file} is not the mask that the protocol names")
    return protocol.with_settings({"mask": digest}), mask
