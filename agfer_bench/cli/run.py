"""`agfer-bench run`: train and compare."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from agfer_bench.cli import options as o
from agfer_bench.cli.console import output, show, show_json, working


class Precision(StrEnum):
    """Arithmetic of training and validation."""

    fp32 = "fp32"
    tf32 = "tf32"
    bf16 = "bf16"


def run(
    modules: o.ModulesOption = o.MODULES,
    data: o.DataOption = None,
    test: o.TestOption = None,
    cascades: o.CascadesOption = None,
    cache: o.CacheOption = None,
    preset: o.PresetOption = None,
    protocol_file: o.ProtocolOption = None,
    split: o.SplitOption = None,
    folds: o.FoldsOption = None,
    epochs: o.EpochsOption = None,
    batch_size: o.BatchSizeOption = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Constant learning rate.", rich_help_panel=o.PROTOCOL)
    ] = None,
    image_size: o.ImageSizeOption = None,
    host: o.HostOption = None,
    slots: o.SlotsOption = None,
    pretrained: o.PretrainedOption = None,
    stride: o.StrideOption = None,
    width: o.WidthOption = None,
    guidance: Annotated[
        bool | None,
        typer.Option(
            "--guidance/--no-guidance",
            help="Lay the mask over the input while training.",
            rich_help_panel=o.PROTOCOL,
        ),
    ] = None,
    mask: o.MaskOption = None,
    precision: Annotated[
        Precision | None,
        typer.Option(help="Arithmetic of training.", rich_help_panel=o.PROTOCOL),
    ] = None,
    seed: o.SeedOption = None,
    seeds: o.SeedsOption = None,
    settings: o.SetOption = None,
    device: o.DeviceOption = o.Device.auto,
    jobs: o.JobsOption = 1,
    threads: o.ThreadsOption = None,
    execution: o.ExecutionOption = o.Execution.auto,
    micro_batch: o.MicroBatchOption = None,
    workers: o.WorkersOption = None,
    checkpoint_minutes: o.CheckpointOption = o.CHECKPOINT_MINUTES,
    save_weights: o.WeightsOption = False,
    out: o.OutOption = o.OUT,
    fresh: o.FreshOption = False,
    track: o.TrackOption = None,
    as_json: o.JsonOption = False,
) -> None:
    """Train every module on every fold, time them side by side, and print the comparison.

    Finished jobs are kept: the same command again repeats none, and a further module trains alone.
    """
    flags = {
        "split": split,
        "folds": folds,
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "image_size": image_size,
        "host": host,
        "slots": slots,
        "stride": stride,
        "width": width,
        "guidance": guidance,
        "precision": precision,
        "seed": seed,
        "seeds": seeds,
    }
    catalogue = o.catalogue_with_notes()
    plan = o.build_settings(
        catalogue,
        modules=modules,
        data=data,
        test=test,
        protocol=o.build_protocol(preset, protocol_file, settings, flags),
        mask=mask,
        cascades=cascades,
        cache=cache,
        workers=workers,
        device=device,
        jobs=jobs,
        threads=threads,
        execution=execution,
        micro_batch=micro_batch,
        checkpoint_minutes=checkpoint_minutes,
        save_weights=save_weights,
        out=out,
        fresh=fresh,
        track=track,
        pretrained=pretrained,
        own_input=not any(text.startswith("normalisation=") for text in settings or ()),
    )
    from agfer_bench.report.table import to_json, to_rich
    from agfer_bench.run.runner import run as run_all

    with working(out) as bars:
        record, folder = run_all(plan, catalogue, bars)
    if as_json:
        show_json({"folder": str(folder), **to_json(record)})
    else:
        show(to_rich(record, output().width))
        show(f"Written to {folder}")
        if save_weights:
            show(f"Weights: {folder / 'weights.json'} lists their files")
    if any(module.error for module in record.modules):
        raise typer.Exit(1)
