"""`agfer-bench ablate`: one setting changed, all else shared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agfer_bench.cli.console import catalogue_with_notes, show, show_json, working
from agfer_bench.cli.groups import JsonOption, ModulesOption, grouped
from agfer_bench.run.request import (
    MODULES,
    DataOptions,
    MachineOptions,
    OutputOptions,
    SeedsOptions,
)

if TYPE_CHECKING:
    from agfer_bench.plugin.catalogue import Catalogue
    from agfer_bench.run.settings import RunSettings


@grouped
def ablate(
    setting: Annotated[
        str,
        typer.Argument(
            metavar="SETTING",
            help="guidance, split, colour, stride, init, unit_variance, place, reduction or "
            "learning_rate.",
        ),
    ],
    data: DataOptions,
    protocol: SeedsOptions,
    machine: MachineOptions,
    output: OutputOptions,
    values: Annotated[
        str | None,
        typer.Option(
            metavar="VALUES",
            help="Its values, comma-separated; the others are compared with the first.",
            show_default=False,
        ),
    ] = None,
    modules: ModulesOption = MODULES,
    as_json: JsonOption = False,
) -> None:
    """Train every module with each value of a setting, and print the paired differences.

    guidance: the mask while training, off and on; with several trainings of each fold also what
    guidance, each block, and both add to base. split: folds by subject and by image, whose
    difference is what frames of one person on both sides give away. colour: crops as they are, and
    in grey. stride: 32 and 16. init: Glorot and He. unit_variance: layers as drawn, and rescaled
    before training. place: where in the host the blocks stand. reduction: R of the blocks.
    learning_rate: every module at its own best of five rates, chosen on inner folds.
    """
    from agfer_bench.run.resolve import build_settings
    from agfer_bench.run.studies.ablation import choose_axis

    axis = None if setting == "learning_rate" else choose_axis(setting, values)
    catalogue = catalogue_with_notes()
    plan = build_settings(catalogue, modules, data, protocol, machine, output, controls="none")
    if axis is None:
        _tune_rates(plan, catalogue, values, as_json=as_json)
        return
    from agfer_bench.report import factorial
    from agfer_bench.report.ablation_table import (
        effects_of,
        notes_of,
        rows_of,
        title_of,
        to_rich,
    )
    from agfer_bench.run.studies.ablation import ablate as run_all
    from agfer_bench.run.studies.ablation import write

    with working(output.out) as bars:
        ablation = run_all(axis, plan, catalogue, bars)
        folder = write(ablation, output.out)
    if as_json:
        found, told = effects_of(ablation)
        show_json(
            {
                "folder": str(folder),
                "title": title_of(ablation),
                "notes": [*notes_of(ablation), *told],
                "rows": rows_of(ablation),
                "effects": factorial.rows_of(found),
            }
        )
    else:
        show(to_rich(ablation))
        show(f"Written to {folder}")
    if any(cell.module.error for cell in ablation.cells):
        raise typer.Exit(1)


def _tune_rates(
    plan: RunSettings, catalogue: Catalogue, values: str | None, *, as_json: bool
) -> None:
    """Train every module at its own best learning rate, and print the differences."""
    from agfer_bench.report.learning_rates import to_json, to_rich
    from agfer_bench.run.studies.learning_rate import rates_of, tune_rates, write

    rates = rates_of(plan.protocol, values)
    with working(plan.out) as bars:
        found = tune_rates(rates, plan, catalogue, bars)
        folder = write(found, plan.out)
    if as_json:
        show_json({"folder": str(folder), **to_json(found)})
    else:
        show(to_rich(found))
        show(f"Written to {folder}")
    if any(module.error for module in found.record.modules):
        raise typer.Exit(1)
