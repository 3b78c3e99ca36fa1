"""`agfer-bench paper`: the whole study of the paper, beside its numbers."""

from __future__ import annotations

from typing import Annotated

import typer

from agfer_bench.cli import options as o
from agfer_bench.cli.console import output, show, show_json, working
from agfer_bench.errors import UserError


def paper(
    modules: o.ModulesOption = o.MODULES,
    data: o.DataOption = None,
    test: o.TestOption = None,
    ablations: Annotated[
        str | None,
        typer.Option(
            "--ablate",
            metavar="NAMES",
            help="Further comparisons, comma-separated: guidance, split, stride, init, reduction.",
            show_default=False,
        ),
    ] = None,
    examples: Annotated[
        bool,
        typer.Option(
            help="Show a few photographs in the report; licensed ones may not be passed on."
        ),
    ] = True,
    cascades: o.CascadesOption = None,
    cache: o.CacheOption = None,
    preset: o.PresetOption = None,
    protocol_file: o.ProtocolOption = None,
    split: o.SplitOption = None,
    folds: o.FoldsOption = None,
    epochs: o.EpochsOption = None,
    batch_size: o.BatchSizeOption = None,
    seed: o.SeedOption = None,
    mask: o.MaskOption = None,
    settings: o.SetOption = None,
    device: o.DeviceOption = o.Device.auto,
    jobs: o.JobsOption = 1,
    threads: o.ThreadsOption = None,
    execution: o.ExecutionOption = o.Execution.auto,
    micro_batch: o.MicroBatchOption = None,
    workers: o.WorkersOption = None,
    checkpoint_minutes: o.CheckpointOption = o.CHECKPOINT_MINUTES,
    out: o.OutOption = o.OUT,
    fresh: o.FreshOption = False,
    track: o.TrackOption = None,
    as_json: o.JsonOption = False,
) -> None:
    """Run the study of Arabian et al. 2023 and write its tables and figures beside the published.

    Every module at stride 16 and 32, tested on a second data set. Finished jobs are kept: the same
    command goes on where it was. With --data the preset is `paper` unless you name another; on the
    drawn default faces it is `quick`.
    """
    from agfer_bench.run.ablation import choose_axis

    names = [name.strip() for name in (ablations or "").split(",") if name.strip()]
    for name in names:
        choose_axis(name, None)
    catalogue = o.catalogue_with_notes()
    if preset is None and protocol_file is None and data is not None:
        preset = "paper"
    flags = {
        "split": split,
        "folds": folds,
        "epochs": epochs,
        "batch_size": batch_size,
        "seed": seed,
    }
    if any(text.split("=")[0].strip() == "stride" for text in settings or ()):
        raise UserError("the study runs both strides: leave --set stride=... out")
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
        out=out,
        fresh=fresh,
        track=track,
    )
    from agfer_bench.report.table import to_json, to_rich
    from agfer_bench.run.study import run_study

    with working(out) as bars:
        study, page = run_study(plan, catalogue, bars, ablations=names, examples=examples)
    records = [run.record for run in study.runs]
    if as_json:
        show_json({"report": str(page), "runs": [to_json(record) for record in records]})
    else:
        for record in records:
            show(to_rich(record, output().width))
        show(f"Report written to {page}")
    if any(module.error for record in records for module in record.modules):
        raise typer.Exit(1)
