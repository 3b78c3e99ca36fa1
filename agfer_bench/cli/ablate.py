"""`agfer-bench ablate`: one setting changed, all else shared."""

from __future__ import annotations

from typing import Annotated

import typer

from agfer_bench.cli import options as o
from agfer_bench.cli.console import show, show_json, working


def ablate(
    setting: Annotated[
        str,
        typer.Argument(metavar="SETTING", help="guidance, split, stride, init or reduction."),
    ],
    values: Annotated[
        str | None,
        typer.Option(
            metavar="VALUES",
            help="Its values, comma-separated; the others are compared with the first.",
            show_default=False,
        ),
    ] = None,
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
    seed: o.SeedOption = None,
    seeds: o.SeedsOption = None,
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
    """Train every module with each value of a setting, and print the paired differences.

    guidance: the mask while training, off and on. split: folds by subject and by image, whose
    difference is what frames of one person on both sides give away. stride: 32 and 16. init: Glorot
    and He. reduction: R of the blocks.
    """
    from agfer_bench.run.ablation import choose_axis

    axis = choose_axis(setting, values)
    catalogue = o.catalogue_with_notes()
    flags = {
        "split": split,
        "folds": folds,
        "epochs": epochs,
        "batch_size": batch_size,
        "seed": seed,
        "seeds": seeds,
    }
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
    from agfer_bench.report.ablation import notes_of, rows_of, title_of, to_rich
    from agfer_bench.run.ablation import ablate as run_all
    from agfer_bench.run.ablation import write

    with working(out) as bars:
        ablation = run_all(axis, plan, catalogue, bars)
        folder = write(ablation, out)
    if as_json:
        rows = rows_of(ablation)
        show_json(
            {
                "folder": str(folder),
                "title": title_of(ablation),
                "notes": notes_of(ablation),
                "rows": rows,
            }
        )
    else:
        show(to_rich(ablation))
        show(f"Written to {folder}")
    if any(cell.module.error for cell in ablation.cells):
        raise typer.Exit(1)
