"""`agfer-bench calibrate`: do verdicts find differences where there are none?"""

from __future__ import annotations

from typing import Annotated

import typer

from agfer_bench.cli.console import catalogue_with_notes, show, show_json, working
from agfer_bench.cli.groups import JsonOption, RopeOption, grouped, rope_share
from agfer_bench.run.request import (
    BLOCKS,
    DataOptions,
    MachineOptions,
    NetworkOptions,
    OutputOptions,
)


@grouped
def calibrate(
    data: DataOptions,
    protocol: NetworkOptions,
    machine: MachineOptions,
    output: OutputOptions,
    blocks: Annotated[
        int, typer.Option(metavar="N", help="Blocks that do nothing, 2 to 1000.")
    ] = BLOCKS,
    rope: RopeOption = 1.0,
    as_json: JsonOption = False,
) -> None:
    """Train blocks that do nothing, and count how often they are called better or worse.

    Also tells how far trainings of the same network lie apart, and how many seeds a difference
    takes. It needs --seeds 2 or more. Finished jobs are kept, those of base shared with `run`;
    nothing is timed.
    """
    from agfer_bench.run.resolve import build_settings
    from agfer_bench.run.studies.calibration import modules_of

    share = rope_share(rope)
    modules = modules_of(blocks)
    catalogue = catalogue_with_notes()
    plan = build_settings(catalogue, modules, data, protocol, machine, output, controls="none")
    from agfer_bench.report.calibration_table import to_json, to_rich
    from agfer_bench.run.studies.calibration import calibrate as run_all

    with working(output.out) as bars:
        record, folder = run_all(plan, catalogue, bars, share)
    if as_json:
        show_json({"folder": str(folder), **to_json(record)})
        return
    show(to_rich(record))
    show(f"Written to {folder}; its run is in {output.out / record.run}")
