"""The trainings of a run: what is left to do, what became of each, and how far they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from agfer_bench.errors import UserError
from agfer_bench.progress import Reporter
from agfer_bench.records.run import EpochRecord, JobRecord
from agfer_bench.run.jobs.guarded import AnyJob, Done, JobFailure, JobResult
from agfer_bench.run.jobs.network import Job
from agfer_bench.run.jobs.record_builder import RecordBuilder
from agfer_bench.run.store.address import Address
from agfer_bench.run.store.locks import Locks
from agfer_bench.run.store.store import Store


@dataclass(kw_only=True, eq=False)
class Task:
    """A job, and the row that its outcome belongs to."""

    row: RecordBuilder
    """The module's row."""
    job: AnyJob
    """The training."""
    seed: int = 0
    """Which of the protocol's seeds it is trained with, from 0."""
    address: Address
    """All that its numbers depend on."""
    outcome: JobResult | None = None
    """What became of it; None before, and where the row failed earlier."""


OnEpoch = Callable[[Task, int, EpochRecord], None]
"""Hears of each epoch as it ends: its task, its number, from 0, and what was measured."""


class Work:
    """The tasks of a run.

    Arguments are those of `train_all`.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        fresh: bool,
        done: set[str],
        store: Store,
        locks: Locks,
        reporter: Reporter,
        on_epoch: OnEpoch | None,
    ) -> None:
        self._on_epoch = on_epoch
        self._tasks = {task.job.key: task for task in tasks}
        self._places = {task.job.key: place for place, task in enumerate(tasks)}
        self._fresh = fresh
        self._done = done
        self._store = store
        self._locks = locks
        self._reporter = reporter
        self._failed = {task.row.chosen.label: -1 for task in tasks if task.row.error is not None}
        self._later: dict[str, Task] = {}
        self._told: set[str] = set()
        self._epochs = Counter[str]()
        self._total = sum(task.job.steps for task in tasks)
        self._folds = 1 + max((task.job.fold.number for task in tasks), default=0)
        self._seeds = 1 + max((task.seed for task in tasks), default=0)

    def to_do(self, tasks: Sequence[Task]) -> Iterator[AnyJob]:
        """Yield the jobs to run, each looked up in the store only when it is its turn.

        This process then holds the job's lock, until `end` is told of its outcome.
        """
        for task in tasks:
            job = task.job
            if task.outcome is not None:
                continue
            if self._is_after_a_failure(task):
                self._epochs[job.key] = job.steps
                continue
            self._report(job)
            if self._take_kept(task):
                continue
            if not self._locks.take(job.key):
                self._later[job.key] = task
                continue
            if self._take_kept(task):  # another process did it meanwhile
                self._locks.free(job.key)
                continue
            if self._locks.able:
                self._store.sweep_job(job.key)
            if self._fresh:
                self._store.forget_progress(job.key)
            yield job

    def put_off(self) -> list[Task]:
        """Return the tasks that other processes were at, in order, and forget that they were."""
        left = sorted(self._later.values(), key=lambda task: self._places[task.job.key])
        self._later.clear()
        return [task for task in left if task.outcome is None]

    def epoch(self, job: AnyJob, number: int, record: EpochRecord) -> None:
        """Take notice of an epoch's end."""
        self._epochs[job.key] = number + 1
        self._report(job, f", loss {record.loss:.3f}")
        if self._on_epoch is not None:
            self._on_epoch(self._tasks[job.key], number, record)

    def note(self, job: AnyJob, text: str) -> None:
        """Pass on what the user should know about a job."""
        self.tell(text, self._name(job))

    def tell(self, text: str, of: str = "") -> None:
        """Tell the user something, once, of whichever job it is heard first."""
        if text not in self._told:
            self._told.add(text)
            self._reporter.note(f"{of}: {text}" if of else text)

    def tell_of_waiting(self, task: Task) -> None:
        """Tell which job is waited for, and who does it."""
        name, holder = self._name(task.job), self._locks.holder(task.job.key)
        self.tell(f"waiting for {name}: another process trains it ({holder})")

    def end(self, job: AnyJob, outcome: JobResult) -> None:
        """Keep what became of a job.

        Raises:
            UserError: The folder cannot be written.
        """
        task = self._tasks[job.key]
        weights = job.weights if isinstance(job, Job) else None
        if isinstance(outcome, Done):
            record = JobRecord(address=task.address, fold=outcome.fold)
            try:
                self._store.save_job(record, outcome.predictions, weights)
            except KeyboardInterrupt:  # it is done: not lost
                kept = self._store.load_job(job.key)
                if kept is None or kept[0] != record:
                    self._store.save_job(record, outcome.predictions, weights)
                raise
        self._locks.free(job.key)
        self._note(task, outcome)
        if isinstance(outcome, Done) and weights and self._store.weights(job.key) is None:
            raise UserError(
                f"the weights of {self._name(job)} could not be written to {self._store.out}: free "
                "space; the same command trains it again"
            )

    def sweep(self) -> None:
        """Remove what processes that were ended left half-written of jobs that this one holds."""
        for task in self._tasks.values():
            if task.outcome is None and self._locks.holds(task.job.key):
                self._store.sweep_job(task.job.key)

    def settle(self) -> None:
        """Fill in the rows: folds in order, up to the first that failed."""
        for task in self._tasks.values():
            if isinstance(task.outcome, JobFailure):
                task.row.fail(self._where(task), task.outcome)
            elif task.outcome is not None and task.row.error is None:
                task.row.keep(task.seed, task.outcome.fold)
                task.row.predictions.append(task.outcome.predictions)
        self._reporter.progress("training", self._total, self._total)

    def _take_kept(self, task: Task) -> bool:
        """Take a job from the store; tell whether it is there and may be used."""
        job = task.job
        if self._fresh and job.key not in self._done:
            return False
        kept = self._store.load_job(job.key)
        if kept is None:
            return False
        if isinstance(job, Job) and job.weights and self._store.weights(job.key) is None:
            self.tell("jobs that were done without --save-weights are trained again for it")
            return False
        self._note(task, Done(fold=kept[0].fold, predictions=kept[1]))
        # Say, of a --fresh that was broken off, or of a process killed when it had just kept it.
        left = self._store.has_progress(job.key) or self._locks.is_noted(job.key)
        if left and self._locks.take(job.key):
            self._store.forget_progress(job.key)
            self._locks.free(job.key)
        return True

    def _is_after_a_failure(self, task: Task) -> bool:
        failed = self._failed.get(task.row.chosen.label)
        return failed is not None and self._places[task.job.key] > failed

    def _where(self, task: Task) -> str:
        fold = f"fold {task.job.fold.number + 1}"
        return f"{fold}, seed {task.seed + 1}" if self._seeds > 1 else fold

    def _name(self, job: AnyJob) -> str:
        return f"{job.chosen.label}, {self._where(self._tasks[job.key])}"

    def _note(self, task: Task, outcome: JobResult) -> None:
        task.outcome = outcome
        label, place = task.row.chosen.label, self._places[task.job.key]
        if isinstance(outcome, JobFailure):
            self._failed[label] = min(place, self._failed.get(label, place))
        self._epochs[task.job.key] = task.job.steps
        self._done.add(task.job.key)

    def _report(self, job: AnyJob, more: str = "") -> None:
        detail = f"{job.chosen.label}, fold {job.fold.number + 1} of {self._folds}"
        if self._seeds > 1:
            detail += f", seed {self._tasks[job.key].seed + 1} of {self._seeds}"
        detail += more
        self._reporter.progress("training", self._epochs.total(), self._total, detail)
