"""What the networks of a run cost: size of each, speed of all side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch

from agfer_bench.measure.device_memory import release_memory
from agfer_bench.measure.size import measure_size
from agfer_bench.network.build import CPU
from agfer_bench.plugin.catalogue import Chosen, is_block
from agfer_bench.plugin.specs import AttentionSpec
from agfer_bench.progress import Reporter
from agfer_bench.protocol import Protocol
from agfer_bench.records.run import RunRecord
from agfer_bench.run.jobs.record_builder import RecordBuilder
from agfer_bench.run.timing.messages import RepeatJob, TimedModule, Wanted
from agfer_bench.run.timing.networks import SharedHost
from agfer_bench.run.timing.schedule import Measured, measure_speed


def measure_costs(
    rows: Sequence[RecordBuilder],
    protocol: Protocol,
    *,
    classes: int,
    device: torch.device,
    wanted: Wanted | None,
    reporter: Reporter,
) -> Measured:
    """Measure size and speed of the networks that trained, all timed side by side.

    Args:
        rows: Filled in; those that failed before, and classifiers of their own, are passed over.
        protocol: Every setting.
        classes: Number of classes.
        device: Where to time.
        wanted: What to measure beside the sizes; None for nothing.
        reporter: Hears of progress.

    Returns:
        What was measured beside the rows: conditions and the like.
    """
    hosts = SharedHost(protocol, classes, CPU)
    for row, block in _alive(rows):
        try:
            network = hosts.build(block, row.memory_format)
            row.size = measure_size(network, protocol)
        except (Exception, SystemExit) as error:
            row.fail("measuring its size", error)
    del hosts
    alive = {block.label: row for row, block in _alive(rows)}
    if wanted is None or not alive:
        return Measured(speeds={}, failures={})
    release_memory()  # a process of its own cannot use what this one keeps
    job = RepeatJob(
        number=0,
        modules=tuple(_timed(row) for row in alive.values()),
        protocol=protocol,
        classes=classes,
        device=_kind(device),
        threads=torch.get_num_threads(),
        wanted=wanted,
    )
    blocks = {block.label: block for _, block in _alive(rows)}
    measured = measure_speed(job, blocks, reporter)
    reporter.progress("timing", 1, 1)
    for label, speed in measured.speeds.items():
        alive[label].speed = speed
    for label, failure in measured.failures.items():
        alive[label].strike_out(failure.where, failure.text, failure.trace)
    return measured


def _alive(rows: Sequence[RecordBuilder]) -> list[tuple[RecordBuilder, Chosen[AttentionSpec]]]:
    """Return the rows of networks that have not failed, each with its block."""
    chosen = [(row, row.chosen) for row in rows if row.error is None]
    return [(row, block) for row, block in chosen if is_block(block)]


def _timed(row: RecordBuilder) -> TimedModule:
    entry = row.chosen.entry
    return TimedModule(
        label=row.chosen.label,
        name=entry.spec.name,
        options=row.chosen.values,
        distribution=entry.distribution,
        memory_format=row.memory_format,
    )


def _kind(device: torch.device) -> Literal["cpu", "cuda"]:
    return "cuda" if device.type == "cuda" else "cpu"


def keep_costs(rows: Sequence[RecordBuilder], before: RunRecord) -> None:
    """Fill in size and speed of the rows whose folds are those of a finished run."""
    known = {module.label: module for module in before.modules}
    for row in rows:
        module = known.get(row.chosen.label)
        if module is not None and row.error is None and module.seeds == row.record().seeds:
            row.size, row.speed = module.size, module.speed


def same_run(before: RunRecord, now: RunRecord) -> bool:
    """Tell whether a run says what is there already, whenever and by which revision it was made."""
    kept = {"finished": before.finished, "environment": before.environment}
    return before == now.model_copy(update=kept)
