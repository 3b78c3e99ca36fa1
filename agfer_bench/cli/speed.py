"""`agfer-bench speed`: what modules cost, without training."""

from __future__ import annotations

from typing import Annotated

import typer

from agfer_bench.cli import options as o
from agfer_bench.cli.console import output, show, show_json, working

FRAMES = "synthetic:subjects=4"
"""Few enough that drawing them takes seconds."""


def speed(
    modules: o.ModulesOption = o.MODULES,
    preset: o.PresetOption = None,
    protocol_file: o.ProtocolOption = None,
    settings: o.SetOption = None,
    image_size: o.ImageSizeOption = None,
    host: o.HostOption = None,
    slots: o.SlotsOption = None,
    stride: o.StrideOption = None,
    width: o.WidthOption = None,
    repeats: Annotated[
        int | None,
        typer.Option(
            min=1, help="Fresh processes that all is measured in.", rich_help_panel=o.PROTOCOL
        ),
    ] = None,
    classes: Annotated[int, typer.Option(min=2, max=1000, help="Classes of the last layer.")] = 7,
    compiled: Annotated[
        bool | None,
        typer.Option(
            "--compile/--no-compile",
            help="Try torch.compile for the tuned mode. Default: on a GPU.",
            show_default=False,
        ),
    ] = None,
    camera: Annotated[
        bool,
        typer.Option(
            "--camera/--no-camera", help="Also time the way from a camera's frame to the label."
        ),
    ] = True,
    largest_batch: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Largest batch size. Default: 64 on a CPU, 1024 on a GPU.",
            show_default=False,
        ),
    ] = None,
    data: o.DataOption = None,
    cascades: o.CascadesOption = None,
    cache: o.CacheOption = None,
    device: o.DeviceOption = o.Device.auto,
    threads: o.ThreadsOption = None,
    workers: o.WorkersOption = None,
    out: o.OutOption = o.OUT,
    as_json: o.JsonOption = False,
) -> None:
    """Measure what every module costs beside base: latency, throughput, memory, camera to label.

    Nothing is trained: times do not depend on the weights' values.
    """
    flags = {
        "image_size": image_size,
        "host": host,
        "slots": slots,
        "stride": stride,
        "width": width,
        "speed.repeats": repeats,
    }
    protocol = o.build_protocol(preset, protocol_file, settings, flags)
    catalogue = o.catalogue_with_notes()
    chosen = o.choose_modules(catalogue, modules)
    source = None
    if camera:
        source = o.build_source(
            catalogue, data or FRAMES, cascades=cascades, cache=cache, workers=workers
        )
    o.check_out(out)
    where = o.prepare_device(device, threads)
    from agfer_bench.report.speed import to_json, to_rich
    from agfer_bench.run.speed import SpeedSettings, measure

    plan = SpeedSettings(
        modules=chosen,
        protocol=protocol,
        classes=classes,
        device=where,
        compiled=where.type == "cuda" if compiled is None else compiled,
        camera=source,
        out=out,
        largest_batch=largest_batch,
    )
    with working() as bars:
        record, folder = measure(plan, catalogue, bars)
    if as_json:
        show_json({"folder": str(folder), **to_json(record)})
    else:
        show(to_rich(record, output().width))
        show(f"Written to {folder}")
    if any(row.error for row in record.rows):
        raise typer.Exit(1)
