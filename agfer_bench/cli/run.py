"""`agfer-bench run`: train and compare."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from agfer_bench.cli import options as o
from agfer_bench.cli.console import ProgressBars, output, show, show_json, warn
from agfer_bench.errors import UserError


class Device(StrEnum):
    """Where to train and to time."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Split(StrEnum):
    """What folds divide."""

    image = "image"
    subject = "subject"


class Precision(StrEnum):
    """Arithmetic of training and validation."""

    fp32 = "fp32"
    bf16 = "bf16"


def run(
    modules: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="Attention blocks, comma-separated, with options: `agfer,cbam:reduction=8`. "
            "`base` is always added. See `agfer-bench modules`.",
        ),
    ] = "agfer,se,cbam",
    data: o.DataOption = None,
    test: o.TestOption = None,
    cascades: o.CascadesOption = None,
    cache: o.CacheOption = None,
    preset: o.PresetOption = None,
    protocol_file: o.ProtocolOption = None,
    split: Annotated[
        Split | None,
        typer.Option(help="Folds by image or by subject.", rich_help_panel=o.PROTOCOL),
    ] = None,
    folds: Annotated[
        int | None, typer.Option(help="Number of folds.", rich_help_panel=o.PROTOCOL)
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Passes over the training fold.", rich_help_panel=o.PROTOCOL)
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Images a step.", rich_help_panel=o.PROTOCOL)
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Constant learning rate.", rich_help_panel=o.PROTOCOL)
    ] = None,
    image_size: o.ImageSizeOption = None,
    stride: Annotated[
        int | None, typer.Option(help="Overall stride, 16 or 32.", rich_help_panel=o.PROTOCOL)
    ] = None,
    width: Annotated[
        float | None, typer.Option(help="Factor on the host's width.", rich_help_panel=o.PROTOCOL)
    ] = None,
    guidance: Annotated[
        bool | None,
        typer.Option(
            "--guidance/--no-guidance",
            help="Lay the mask over the input while training.",
            rich_help_panel=o.PROTOCOL,
        ),
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png",
            help="Your own guidance mask, of the image size, black and white.",
            rich_help_panel=o.PROTOCOL,
        ),
    ] = None,
    precision: Annotated[
        Precision | None,
        typer.Option(help="Arithmetic of training.", rich_help_panel=o.PROTOCOL),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of everything drawn.", rich_help_panel=o.PROTOCOL)
    ] = None,
    settings: o.SetOption = None,
    device: Annotated[
        Device, typer.Option(help="Where to train and to time.", rich_help_panel=o.MACHINE)
    ] = Device.auto,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1, help="Threads of torch on the CPU. Default: torch's.", rich_help_panel=o.MACHINE
        ),
    ] = None,
    workers: o.WorkersOption = None,
    out: Annotated[Path, typer.Option(help="Where jobs and runs are kept.")] = Path("results"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Do again what is done already.")] = False,
    as_json: o.JsonOption = False,
) -> None:
    """Train every module on every fold, time them side by side, and print the comparison.

    Finished jobs are kept: the same command again repeats none, and a further module trains alone.
    """
    from agfer_bench.catalogue import load_catalogue

    catalogue = load_catalogue()
    for problem in catalogue.problems:
        warn(str(problem))
    chosen = catalogue.choose_modules(modules)
    if all(one.label != "base" for one in chosen):
        chosen = [*catalogue.choose_modules("base"), *chosen]
    chosen.sort(key=lambda one: one.label != "base")
    flags = {
        "split": split,
        "folds": folds,
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "image_size": image_size,
        "stride": stride,
        "width": width,
        "guidance": guidance,
        "precision": precision,
        "seed": seed,
    }
    protocol = o.build_protocol(preset, protocol_file, settings, flags)
    source, second = o.build_sources(
        catalogue, data, test, cascades=cascades, cache=cache, workers=workers
    )

    import torch

    from agfer_bench.report.table import to_json, to_rich
    from agfer_bench.run.environment import choose_device
    from agfer_bench.run.runner import RunSettings
    from agfer_bench.run.runner import run as run_all

    where = choose_device(device)
    protocol, pixels = o.guidance_mask(protocol, mask)
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {out} is a file; name a folder")
    if threads is not None:
        torch.set_num_threads(threads)
    plan = RunSettings(
        modules=tuple(chosen),
        source=source,
        test=second,
        protocol=protocol,
        mask=pixels,
        device=where,
        out=out,
        fresh=fresh,
    )
    try:
        with ProgressBars() as bars:
            record, folder = run_all(plan, catalogue, bars)
    except KeyboardInterrupt:
        warn("stopped; finished jobs are kept, the same command goes on from there")
        raise typer.Exit(130) from None
    if as_json:
        show_json({"folder": str(folder), **to_json(record)})
    else:
        show(to_rich(record, output().width))
        show(f"Written to {folder}")
    if any(module.error for module in record.modules):
        raise typer.Exit(1)
