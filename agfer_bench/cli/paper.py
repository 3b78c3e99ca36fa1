"""`agfer-bench paper`: the whole study of the paper, beside its numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from agfer_bench.cli.console import catalogue_with_notes, output, show, show_json, working
from agfer_bench.cli.groups import CapOption, JsonOption, ModulesOption, grouped
from agfer_bench.errors import UserError
from agfer_bench.run.request import (
    MODULES,
    DataOptions,
    MachineOptions,
    OutputOptions,
    SeedsOptions,
)


@grouped
def paper(
    data: DataOptions,
    protocol: SeedsOptions,
    machine: MachineOptions,
    results: OutputOptions,
    modules: ModulesOption = MODULES,
    ablations: Annotated[
        str | None,
        typer.Option(
            "--ablate",
            metavar="NAMES",
            help="Further comparisons, comma-separated: guidance, split, colour, stride, "
            "init, unit_variance, place, reduction.",
            show_default=False,
        ),
    ] = None,
    converge: Annotated[
        bool,
        typer.Option(
            "--converge",
            help="Also train every network until nothing more comes: is a block ahead sooner, or "
            "for good? See `agfer-bench converge`.",
        ),
    ] = False,
    cap: CapOption = None,
    base_epochs: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Also train base alone for N epochs; the paper names 450.",
            show_default=False,
        ),
    ] = None,
    examples: Annotated[
        bool,
        typer.Option(
            help="Show a few photographs in the report; licensed ones may not be passed on."
        ),
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Run the study of Arabian et al. 2023 and write its tables and figures beside the published.

    Every module at stride 16 and 32, tested on a second data set. Finished jobs are kept: the same
    command goes on where it was. Every fold is trained once, as in the paper, and then nothing is
    said about blocks: --seeds 3 trains what that takes. With --data the preset is `paper` unless
    you name another; on the drawn default faces it is `quick`.
    """
    from agfer_bench.run.resolve import build_settings
    from agfer_bench.run.studies.ablation import choose_axis

    names = [name.strip() for name in (ablations or "").split(",") if name.strip()]
    for name in names:
        choose_axis(name, None)
    catalogue = catalogue_with_notes()
    if protocol.preset is None and protocol.protocol_file is None and data.data is not None:
        protocol = replace(protocol, preset="paper")
    if protocol.protocol_file is None:  # every fold once, as in the paper; --seeds goes over it
        protocol = replace(protocol, settings=["seeds=1", *(protocol.settings or ())])
    if any(text.split("=")[0].strip() == "stride" for text in protocol.settings or ()):
        raise UserError("the study runs both strides: leave --set stride=... out")
    plan = build_settings(catalogue, modules, data, protocol, machine, results, controls="none")
    from agfer_bench.report.table import to_json, to_rich
    from agfer_bench.run.studies.paper import Longer, run_study

    longer = None
    if converge or cap is not None or base_epochs is not None:
        longer = Longer(converge=converge or cap is not None, cap=cap, base_epochs=base_epochs)

    with working(results.out) as bars:
        study, page = run_study(
            plan, catalogue, bars, ablations=names, longer=longer, examples=examples
        )
    records = [run.record for run in study.runs]
    if as_json:
        show_json({"report": str(page), "runs": [to_json(record) for record in records]})
    else:
        for record in records:
            show(to_rich(record, output().width))
        show(f"Report written to {page}")
    if any(module.error for record in records for module in record.modules):
        raise typer.Exit(1)
