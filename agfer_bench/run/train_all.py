"""All trainings of a run: taken from the store, done here, or side by side in other processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from agfer_bench.network.build import CPU
from agfer_bench.records import EpochRecord, JobRecord
from agfer_bench.run.address import Address
from agfer_bench.run.job import Job
from agfer_bench.run.outcome import AnyJob, Done, Failure, Outcome, attempt
from agfer_bench.run.parcel import is_installed
from agfer_bench.run.pool import Pool
from agfer_bench.run.reporter import Reporter
from agfer_bench.run.row import Row
from agfer_bench.run.store import Store
from agfer_bench.run.worker import Terms


@dataclass(kw_only=True, eq=False)
class Task:
    """A job, and the row that its outcome belongs to."""

    row: Row
    """The module's row."""
    job: AnyJob
    """The training."""
    seed: int = 0
    """Which of the protocol's seeds it is trained with, from 0."""
    address: Address
    """All that its numbers depend on."""
    outcome: Outcome | None = None
    """What became of it; None before, and where the row failed earlier."""


OnEpoch = Callable[[Task, int, EpochRecord], None]
"""Hears of each epoch as it ends: its task, its number, from 0, and what was measured."""


def train_all(
    tasks: Sequence[Task],
    *,
    jobs: int,
    fresh: bool,
    done: set[str],
    store: Store,
    reporter: Reporter,
    on_epoch: OnEpoch | None = None,
) -> None:
    """Run every job, or take it from the store, and fill in the rows.

    Rows come out the same however many jobs run side by side, given the same threads a job: a row
    holds the folds before the first one that failed, and what failed there. No further fold of it
    is started; one that was under way ends, and if it ends well only the store keeps it.

    Args:
        tasks: Fold by fold, each with all modules in turn.
        jobs: Trainings at a time. One at a time runs in this process; several run in processes of
            their own, those of modules that no installed distribution offers in this one at the
            end.
        fresh: Whether jobs in the store are done again.
        done: Keys of the jobs that `fresh` does not do again; grows.
        store: Where jobs are kept as they end.
        reporter: Hears of each epoch, counted over all jobs.
        on_epoch: Hears of each epoch of the jobs that are run.

    Raises:
        UserError: A job cannot be kept, or a process cannot be started.
    """
    work = _Work(tasks, fresh, done, store, reporter, on_epoch)
    found = {task.row.chosen.label: is_installed(task.row.chosen.entry) for task in tasks}
    movable = [task for task in tasks if found[task.row.chosen.label]]
    here = tasks
    if jobs > 1:
        _side_by_side(movable, jobs, work)
        here = [task for task in tasks if task not in movable]
    noted: set[str] = set()
    for job in work.to_do(here):
        label = job.chosen.label
        if jobs > 1 and label not in noted:
            noted.add(label)
            reporter.note(f"{label} is of no installed distribution: trained one job at a time")
        outcome = attempt(job, partial(work.epoch, job))
        work.end(job, outcome)
        if isinstance(outcome, Failure) and outcome.lost:  # no kernel runs in this process any more
            reporter.note(f"{label}: {outcome.text}; processes of their own train what is left")
            _side_by_side(movable, jobs, work)
    work.settle()


def _side_by_side(tasks: Sequence[Task], jobs: int, work: _Work) -> None:
    if tasks:
        Pool(jobs, _terms(tasks), work.epoch, work.end).run(work.to_do(tasks))


def _terms(tasks: Sequence[Task]) -> Terms:
    devices = [task.job.device for task in tasks if isinstance(task.job, Job)]
    device = devices[0] if devices else CPU
    gpu = None
    if device.type == "cuda":
        gpu = torch.cuda.current_device() if device.index is None else device.index
    return Terms(threads=torch.get_num_threads(), gpu=gpu)


class _Work:
    """The tasks of a run, what became of them, and how far they are."""

    def __init__(
        self,
        tasks: Sequence[Task],
        fresh: bool,
        done: set[str],
        store: Store,
        reporter: Reporter,
        on_epoch: OnEpoch | None,
    ) -> None:
        self._tasks = {task.job.key: task for task in tasks}
        self._fresh = fresh
        self._done = done
        self._store = store
        self._reporter = reporter
        self._on_epoch = on_epoch
        self._failed = {task.row.chosen.label for task in tasks if task.row.error is not None}
        self._epochs = Counter[str]()
        self._total = sum(task.job.steps for task in tasks)
        self._folds = 1 + max((task.job.fold.number for task in tasks), default=0)
        self._seeds = 1 + max((task.seed for task in tasks), default=0)

    def to_do(self, tasks: Sequence[Task]) -> Iterator[AnyJob]:
        """Yield the jobs to run, each looked up in the store only when it is its turn."""
        for task in tasks:
            job = task.job
            if task.row.chosen.label in self._failed:
                self._epochs[job.key] = job.steps
                continue
            self._report(job)
            kept = None
            if not self._fresh or job.key in self._done:
                kept = self._store.load_job(job.key)
            if kept is None:
                yield job
            else:
                self._note(task, Done(fold=kept[0].fold, predictions=kept[1]))

    def epoch(self, job: AnyJob, number: int, record: EpochRecord) -> None:
        """Take notice of an epoch's end."""
        self._epochs[job.key] = number + 1
        self._report(job, f", loss {record.loss:.3f}")
        if self._on_epoch is not None:
            self._on_epoch(self._tasks[job.key], number, record)

    def end(self, job: AnyJob, outcome: Outcome) -> None:
        """Keep what became of a job.

        Raises:
            UserError: The folder cannot be written.
        """
        task = self._tasks[job.key]
        if isinstance(outcome, Done):
            record = JobRecord(address=task.address, fold=outcome.fold)
            try:
                self._store.save_job(record, outcome.predictions)
            except KeyboardInterrupt:
                self._store.save_job(record, outcome.predictions)  # it is done: not lost
                raise
        self._note(task, outcome)

    def settle(self) -> None:
        """Fill in the rows: folds in order, up to the first that failed."""
        for task in self._tasks.values():
            if isinstance(task.outcome, Failure):
                task.row.fail(self._where(task), task.outcome)
            elif task.outcome is not None and task.row.error is None:
                task.row.keep(task.seed, task.outcome.fold)
                task.row.predictions.append(task.outcome.predictions)
        self._reporter.progress("training", self._total, self._total)

    def _where(self, task: Task) -> str:
        fold = f"fold {task.job.fold.number + 1}"
        return f"{fold}, seed {task.seed + 1}" if self._seeds > 1 else fold

    def _note(self, task: Task, outcome: Outcome) -> None:
        task.outcome = outcome
        if isinstance(outcome, Failure):
            self._failed.add(task.row.chosen.label)
        self._epochs[task.job.key] = task.job.steps
        self._done.add(task.job.key)

    def _report(self, job: AnyJob, more: str = "") -> None:
        detail = f"{job.chosen.label}, fold {job.fold.number + 1} of {self._folds}"
        if self._seeds > 1:
            detail += f", seed {self._tasks[job.key].seed + 1} of {self._seeds}"
        detail += more
        self._reporter.progress("training", self._epochs.total(), self._total, detail)
