"""`agfer-bench speed`: what modules cost, without training."""

from __future__ import annotations

from dataclasses import replace

import typer

from agfer_bench.cli.console import catalogue_with_notes, output, show, show_json, working
from agfer_bench.cli.groups import JsonOption, ModulesOption, OutOption, grouped
from agfer_bench.run.request import (
    MODULES,
    DeviceOptions,
    HostOptions,
    OutputOptions,
    SourceOptions,
    SpeedOptions,
)

FRAMES = "synthetic:subjects=4"
"""Few enough that drawing them takes seconds."""


@grouped
def speed(
    protocol: HostOptions,
    measuring: SpeedOptions,
    data: SourceOptions,
    machine: DeviceOptions,
    modules: ModulesOption = MODULES,
    out: OutOption = OutputOptions.out,
    as_json: JsonOption = False,
) -> None:
    """Measure what every module costs beside base: latency, throughput, memory, camera to label.

    Nothing is trained: times do not depend on the weights' values.
    """
    from agfer_bench.run.resolve import (
        build_protocol,
        build_source,
        check_out,
        choose_modules,
        prepare_device,
        with_crop,
    )

    resolved = build_protocol(protocol, speed__repeats=measuring.repeats)
    catalogue = catalogue_with_notes()
    chosen = choose_modules(catalogue, modules)
    source = None
    if measuring.camera:
        source = build_source(catalogue, replace(data, data=data.data or FRAMES), machine.workers)
    resolved = with_crop(resolved, source)
    check_out(out)
    where = prepare_device(machine.device, machine.threads)
    from agfer_bench.report.speed_table import to_json, to_rich
    from agfer_bench.run.speed import SpeedSettings, measure

    compiled = where.type == "cuda" if measuring.compiled is None else measuring.compiled
    plan = SpeedSettings(
        modules=chosen,
        protocol=resolved,
        classes=measuring.classes,
        device=where,
        compiled=compiled,
        camera=source,
        out=out,
        largest_batch=measuring.largest_batch,
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
