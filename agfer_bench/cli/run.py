"""`agfer-bench run`: train and compare."""

from __future__ import annotations

import typer

from agfer_bench.cli.console import catalogue_with_notes, output, show, show_json, working
from agfer_bench.cli.groups import ControlsOption, JsonOption, ModulesOption, WeightsOption, grouped
from agfer_bench.run.request import (
    COMPARED,
    DataOptions,
    MachineOptions,
    NetworkOptions,
    OutputOptions,
)


@grouped
def run(
    data: DataOptions,
    protocol: NetworkOptions,
    machine: MachineOptions,
    results: OutputOptions,
    modules: ModulesOption = COMPARED,
    controls: ControlsOption = "fast",
    save_weights: WeightsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train every module on every fold, time them side by side, and print the comparison.

    Finished jobs are kept: the same command again repeats none, and a further module trains alone.
    """
    from agfer_bench.run.resolve import build_settings

    catalogue = catalogue_with_notes()
    plan = build_settings(
        catalogue,
        modules,
        data,
        protocol,
        machine,
        results,
        controls=controls,
        save_weights=save_weights,
    )
    from agfer_bench.report.table import to_json, to_rich
    from agfer_bench.run.runner import run as run_all

    with working(results.out) as bars:
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
