"""`agfer-bench converge`: is a block ahead sooner, or for good?"""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated

import typer

from agfer_bench.cli.console import catalogue_with_notes, show, show_json, working
from agfer_bench.cli.groups import CapOption, JsonOption, ModulesOption, grouped
from agfer_bench.run.request import (
    MODULES,
    DataOptions,
    MachineOptions,
    NetworkOptions,
    OutputOptions,
    SourceOptions,
)


@grouped
def converge(
    data: SourceOptions,
    protocol: NetworkOptions,
    machine: MachineOptions,
    output: OutputOptions,
    modules: ModulesOption = MODULES,
    cap: CapOption = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="PERCENT,...",
            help="Accuracies whose operations and seconds are told; no verdict rests on them. "
            "Default: 50, 75 and 90 % of the way from chance to base's at convergence.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Train until nothing more comes: is a block ahead sooner (faster), or for good (higher)?

    Every network is trained to the cap at a constant learning rate and judged after each epoch.
    Blocks are held against base at equal epochs, at equal operations and at convergence, by rules
    that are fixed beforehand. Verdicts are over new trainings on these folds of these people, not
    over new people. It needs --seeds 2 or more. Finished jobs are kept; nothing is timed.
    """
    from agfer_bench.run.resolve import build_settings
    from agfer_bench.run.studies.convergence import Asked, read_accuracies

    asked = Asked(cap=cap, to=read_accuracies(to))
    catalogue = catalogue_with_notes()
    source = {field.name: getattr(data, field.name) for field in fields(data)}
    where = DataOptions(**source, test="none")
    plan = build_settings(catalogue, modules, where, protocol, machine, output, controls="none")
    from agfer_bench.report.convergence_table import to_json, to_rich
    from agfer_bench.run.studies.convergence import converge as run_all
    from agfer_bench.run.studies.convergence import write

    with working(output.out) as bars:
        found, run = run_all(plan, catalogue, bars, asked)
        folder = write(found, run, output.out)
    if as_json:
        show_json({"folder": str(folder), "run": run, **to_json(found)})
    else:
        show(to_rich(found))
        show(f"Written to {folder}; its run is in {output.out / run}")
    if found.failed:
        raise typer.Exit(1)
