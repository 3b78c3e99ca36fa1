"""What modules cost, without training: `agfer-bench speed`."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from agfer_bench.errors import PluginError
from agfer_bench.faces.data import DataSource
from agfer_bench.faces.drawn import is_drawn
from agfer_bench.faces.table import read_table
from agfer_bench.files import replacing_all
from agfer_bench.measure.environment import describe_environment
from agfer_bench.network.build import slots_of
from agfer_bench.network.trial import try_block
from agfer_bench.plugin.catalogue import Catalogue, Chosen
from agfer_bench.plugin.specs import AttentionSpec, FaceTable, Place
from agfer_bench.progress import Reporter
from agfer_bench.protocol import Protocol, fingerprint
from agfer_bench.records.files import RECORD, dump
from agfer_bench.records.speed import SpeedRow, SpeedRun
from agfer_bench.records.timing import EAGER, TUNED
from agfer_bench.report.speed_table import frame_of, to_markdown
from agfer_bench.run.costs import measure_costs
from agfer_bench.run.identity import identity_of
from agfer_bench.run.jobs.record_builder import RecordBuilder
from agfer_bench.run.store.address import measure_sha256
from agfer_bench.run.store.locks import Locks
from agfer_bench.run.store.store import Store
from agfer_bench.run.timing.messages import CameraFrames, TimedDetector, Wanted
from agfer_bench.text import to_csv, visible

FRAMES = 20
"""Images that stand for a camera's frames."""
LARGEST_BATCH = {"cpu": 64, "cuda": 1024}
"""Bound of the batch sizes, by kind of device."""


@dataclass(frozen=True, kw_only=True)
class SpeedSettings:
    """What to measure."""

    modules: tuple[Chosen[AttentionSpec], ...]
    """The rows, base first."""
    protocol: Protocol
    """Every setting."""
    classes: int
    """Classes of the networks' last layer."""
    device: torch.device
    """Where to measure."""
    compiled: bool
    """Whether `torch.compile` is tried for the tuned mode."""
    camera: DataSource | None
    """Images that stand for a camera's frames; None leaves the way from frame to label out."""
    out: Path
    """Where the record is kept."""
    largest_batch: int | None = field(default=None)
    """Bound of the batch sizes; None for the device's."""


def measure(
    settings: SpeedSettings, catalogue: Catalogue, reporter: Reporter
) -> tuple[SpeedRun, Path]:
    """Measure size and speed of every module, and write the comparison.

    Returns:
        The record, and the folder that it was written to.

    Raises:
        UserError: The frames cannot be read, or the output folder cannot be written.
    """
    store = Store(settings.out)
    store.probe()
    rows = [RecordBuilder(chosen=chosen) for chosen in settings.modules]
    for row, block in zip(rows, settings.modules, strict=True):
        _try_block(row, block, settings)
    frames = _frames(settings.camera, reporter) if settings.camera else None
    locks = Locks(store.locks, reporter.note)
    # Two comparisons at once would disturb each other's times.
    with locks, locks.holding("speed", "another comparison of speed on this folder"):
        return _measure(settings, catalogue, reporter, rows, frames)


def _measure(
    settings: SpeedSettings,
    catalogue: Catalogue,
    reporter: Reporter,
    rows: list[RecordBuilder],
    frames: CameraFrames | None,
) -> tuple[SpeedRun, Path]:
    measured = measure_costs(
        rows,
        settings.protocol,
        classes=settings.classes,
        device=settings.device,
        wanted=Wanted(
            modes=(EAGER, TUNED),
            compiled=settings.compiled,
            largest_batch=settings.largest_batch or LARGEST_BATCH[settings.device.type],
            memory=True,
            frames=frames,
            peak=True,
        ),
        reporter=reporter,
    )
    record = SpeedRun(
        protocol=settings.protocol,
        environment=describe_environment(settings.device),
        classes=settings.classes,
        rows=tuple(_row(row) for row in rows),
        conditions=measured.conditions,
        camera=measured.camera,
        peak=measured.peak,
        problems=(*(str(problem) for problem in catalogue.problems), *measured.notes),
        finished=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )
    folder = settings.out / _name(record, settings)
    traces = [f"== {row.chosen.label} ==\n{row.trace}" for row in rows if row.trace]
    with replacing_all(folder) as place:
        place(RECORD).write_text(dump(record), encoding="utf-8")
        place("table.md").write_text(visible(to_markdown(record)), encoding="utf-8")
        place("table.csv").write_text(to_csv(frame_of(record)), encoding="utf-8")
        if traces:
            place("errors.log").write_text("\n".join(traces), encoding="utf-8")
    if not traces:
        (folder / "errors.log").unlink(missing_ok=True)
    return record, folder


def _try_block(row: RecordBuilder, block: Chosen[AttentionSpec], settings: SpeedSettings) -> None:
    slots = slots_of(settings.protocol, settings.classes)
    try:
        trial = try_block(block, slots)
        row.memory_format, row.memory_format_reason = trial.memory_format, trial.reason
        row.identity = identity_of(block, slots)
    except PluginError as error:
        row.fail("", error)


def _row(row: RecordBuilder) -> SpeedRow:
    entry = row.chosen.entry
    return SpeedRow(
        label=row.chosen.label,
        name=entry.spec.name,
        options=row.chosen.values,
        distribution=entry.distribution,
        version=entry.version,
        package_sha256=row.identity.code_sha256,
        source=entry.spec.source,
        size=row.size,
        speed=row.speed,
        error=row.error,
    )


def _frames(source: DataSource, reporter: Reporter) -> CameraFrames:
    """Choose images that stand for a camera's frames, evenly over the set."""
    spec = source.chosen.entry.spec
    place = Place(
        folder=source.folder,
        cache=source.cache,
        workers=source.workers,
        progress=reporter.progress,
    )
    table: FaceTable = read_table(source.chosen, place, source.readers)
    count = len(table.images)
    detector = source.detector
    picked = np.unique(np.linspace(0, count - 1, min(FRAMES, count)).round().astype(int))
    return CameraFrames(
        data=spec.name,
        drawn=spec.drawn or is_drawn(table),
        paths=tuple(table.images[index].path.absolute() for index in picked),
        cascades=source.cascades,
        detector=TimedDetector(
            name=detector.chosen.entry.spec.name,
            options=detector.chosen.values,
            distribution=detector.chosen.entry.distribution,
            file=detector.file and detector.file.absolute(),
        )
        if detector
        else None,
    )


def _name(record: SpeedRun, settings: SpeedSettings) -> str:
    """Name the folder: the same for the same comparison."""
    content = {
        "protocol": record.protocol.model_dump(mode="json"),
        "classes": record.classes,
        "modules": [
            [row.label, row.distribution, row.version, row.package_sha256] for row in record.rows
        ],
        "device": record.environment.device_name,
        "threads": record.environment.threads,
        "compiled": settings.compiled,
        "largest_batch": settings.largest_batch,
        "camera": [settings.camera.chosen.label, str(settings.camera.folder)]
        if settings.camera
        else None,
        "measure": measure_sha256(),
    }
    return f"speed-{record.protocol.preset}-{fingerprint(content)[:10]}"
