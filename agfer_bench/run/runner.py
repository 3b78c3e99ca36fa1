"""A run from end to end: data, folds, jobs, size and speed, record."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from agfer_bench.errors import PluginError, UserError
from agfer_bench.faces.cross_database import TestSet, load_test_set
from agfer_bench.faces.data import FaceData, load_data
from agfer_bench.faces.folds import Fold, make_folds
from agfer_bench.faces.official import official_fold
from agfer_bench.files import replacing_all, sweep
from agfer_bench.measure.environment import describe_environment
from agfer_bench.network.build import slots_of
from agfer_bench.network.trial import OWN_LOSS, try_block
from agfer_bench.plugin.catalogue import Catalogue, is_block, is_classifier
from agfer_bench.progress import Reporter
from agfer_bench.protocol import OFFICIAL, Protocol
from agfer_bench.records.files import RECORD, dump
from agfer_bench.records.run import RunRecord
from agfer_bench.records.timing import ConditionsRecord
from agfer_bench.report.rows import comparison
from agfer_bench.report.table import to_markdown
from agfer_bench.run.costs import keep_costs, measure_costs, same_run
from agfer_bench.run.identity import identity_of, identity_of_classifier
from agfer_bench.run.jobs.classifier import try_classifier
from agfer_bench.run.jobs.network import batch_order
from agfer_bench.run.jobs.record_builder import RecordBuilder
from agfer_bench.run.pool.epoch_events import announcer
from agfer_bench.run.pool.job_queue import Task
from agfer_bench.run.pool.scheduler import train_all
from agfer_bench.run.settings import RunSettings, Timing
from agfer_bench.run.store.address import harness_sha256
from agfer_bench.run.store.locks import Locks
from agfer_bench.run.store.store import PREDICTIONS, Store
from agfer_bench.run.store.weights_index import list_weights
from agfer_bench.run.tasks import make_tasks
from agfer_bench.run.timing.messages import Wanted
from agfer_bench.seeds import derive_seed
from agfer_bench.text import to_csv, visible
from agfer_bench.training.arithmetic import check_precision

ERRORS, TABLE, FRAME = "errors.log", "table.md", "table.csv"
_TRIAL_CLASSES = 7


def run(settings: RunSettings, catalogue: Catalogue, reporter: Reporter) -> tuple[RunRecord, Path]:
    """Train and measure every module on every fold, and write the comparison.

    A module that fails is a row that says why; the others stand. Each job is kept as it ends, so
    a run that was broken off goes on where it was.

    Returns:
        The record, and the folder that it was written to.

    Raises:
        UserError: The data, the folds or the output folder are at fault.
    """
    protocol = settings.protocol
    check_precision(protocol.precision, settings.device)
    store = Store(settings.out)
    store.probe()
    rows = [RecordBuilder(chosen=chosen) for chosen in settings.modules]
    try_modules(rows, protocol)
    data = load_data(settings.source, protocol, reporter)
    test = None
    if settings.test is not None:
        data, test = load_test_set(settings.test, protocol, data, reporter)
    folds = folds_of(data, protocol)
    for fold in folds:
        batch_order(protocol, fold)  # an impossible batch size is known before any training
    locks = Locks(store.locks, reporter.note)
    with locks:
        tasks = list(make_tasks(rows, folds, data, test, settings))
        train(tasks, settings, locks, catalogue, reporter)

    conditions: tuple[ConditionsRecord, ...] = ()

    def record() -> RunRecord:
        found = record_of(rows, settings, data, test, catalogue)
        return found.model_copy(update={"conditions": conditions})

    folder = store.run_folder(record(), settings.execution, settings.micro_batch)
    # Two equal commands would disturb each other's timing, and mix their files.
    with locks.holding(f"run-{folder.name}", f"{folder}, which another process measures"):
        if locks.able:
            sweep(folder)
        before = None if settings.timing == "measure" else store.find_run(folder)
        if before is not None:
            keep_costs(rows, before)
            conditions = before.conditions
        if _lacks_costs(rows, settings.timing):
            timed = settings.timing != "skip"
            measured = measure_costs(
                rows,
                protocol,
                classes=len(data.record.classes),
                device=settings.device,
                wanted=Wanted() if timed else None,
                reporter=reporter,
            )
            conditions = measured.conditions if timed else conditions
        result = record()
        if before is not None and same_run(before, result):
            list_weights(before, folder, store)
            return before, folder
        _write(result, rows, folder)
        list_weights(result, folder, store)
    for problem in catalogue.listeners.run_finished(result, folder):
        reporter.note(str(problem))
    return result, folder


def folds_of(data: FaceData, protocol: Protocol) -> list[Fold]:
    """Divide the images that are not left out into the protocol's folds.

    Raises:
        UserError: As `make_folds` or `official_fold`.
    """
    if protocol.split == OFFICIAL:
        return [official_fold(data.labels, data.parts, data.left_out, data.record.classes)]
    used = np.setdiff1d(np.arange(len(data.labels)), data.left_out)
    folds = make_folds(
        data.labels[used],
        [data.subjects[index] for index in used],
        split=protocol.split,
        folds=protocol.folds,
        seed=derive_seed(protocol.seed, "folds"),
        classes=data.record.classes,
        copies=None if data.copies is None else data.copies[used],
        duplicates=protocol.duplicates,
    )
    return [
        replace(fold, train=used[fold.train], validation=used[fold.validation]) for fold in folds
    ]


def train(
    tasks: list[Task],
    settings: RunSettings,
    locks: Locks,
    catalogue: Catalogue,
    reporter: Reporter,
) -> None:
    """Do jobs, or take them from the store, and keep what they found in their rows."""
    train_all(
        tasks,
        jobs=settings.jobs,
        threads=settings.training_threads,
        fresh=settings.fresh,
        done=settings.done,
        store=Store(settings.out),
        locks=locks,
        reporter=reporter,
        on_epoch=announcer(catalogue.listeners, settings.protocol, reporter),
    )


def record_of(
    rows: list[RecordBuilder],
    settings: RunSettings,
    data: FaceData,
    test: TestSet | None,
    catalogue: Catalogue,
) -> RunRecord:
    """Return what is known of some rows as the record of a run."""
    return RunRecord(
        protocol=settings.protocol,
        data=data.record,
        test=test.record if test else None,
        environment=describe_environment(
            settings.device, harness_sha256(), _training_threads(settings)
        ),
        modules=tuple(row.record() for row in rows),
        problems=tuple(str(problem) for problem in catalogue.problems),
        finished=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )


def _training_threads(settings: RunSettings) -> int | None:
    """Return the threads of each training, where they are others than those of the timing."""
    other = settings.training_threads != torch.get_num_threads()
    return settings.training_threads if other and settings.device.type == "cpu" else None


def _lacks_costs(rows: list[RecordBuilder], timing: Timing) -> bool:
    """Tell whether sizes or times must be measured; times are so side by side, for all rows."""
    alive = [row for row in rows if row.error is None and is_block(row.chosen)]
    if timing == "keep":
        return any(row.size is None or row.speed is None for row in alive)
    return timing == "measure" or any(row.size is None for row in alive)


def try_modules(rows: list[RecordBuilder], protocol: Protocol) -> None:
    """Try every module before any data are read; an option that is out of range ends the run."""
    slots = slots_of(protocol, _TRIAL_CLASSES)
    for row in rows:
        chosen = row.chosen
        try:
            if is_block(chosen):
                trial = try_block(chosen, slots)
                if trial.own_loss and protocol.preset == "paper":
                    raise UserError(
                        f"{chosen.label} {OWN_LOSS}, which the paper's networks are not: leave "
                        "the option out, or use another preset"
                    )
                row.memory_format, row.marks = trial.memory_format, trial.marks
                row.memory_format_reason = trial.reason
                row.identity = identity_of(chosen, slots)
            elif is_classifier(chosen):
                try_classifier(chosen)
                row.identity = identity_of_classifier(chosen)
        except PluginError as error:
            row.fail("", error)


def _write(record: RunRecord, rows: list[RecordBuilder], folder: Path) -> None:
    """Write the files of a run together, so that none is of another run than the rest.

    Raises:
        UserError: The folder cannot be written; what was there still is.
    """
    predictions = [part for row in rows for part in row.predictions]
    traces = [f"== {row.chosen.label} ==\n{row.trace}" for row in rows if row.trace]
    with replacing_all(folder) as place:
        place(RECORD).write_text(dump(record), encoding="utf-8")
        if traces:
            place(ERRORS).write_text("\n".join(traces), encoding="utf-8")
        place(TABLE).write_text(visible(to_markdown(record)), encoding="utf-8")
        place(FRAME).write_text(to_csv(comparison(record)), encoding="utf-8")
        if predictions:
            whole = pd.concat(predictions, ignore_index=True)
            whole.to_parquet(place(PREDICTIONS), index=False)
    if not traces:
        (folder / ERRORS).unlink(missing_ok=True)
    if not predictions:
        (folder / PREDICTIONS).unlink(missing_ok=True)
