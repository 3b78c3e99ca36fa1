"""All trainings of a run: taken from the store, done here, or side by side in other processes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch

from agfer_bench.network.build import CPU
from agfer_bench.progress import Reporter
from agfer_bench.run.jobs.guarded import JobFailure, attempt
from agfer_bench.run.jobs.network import Job
from agfer_bench.run.pool.job_queue import OnEpoch, Task, Work
from agfer_bench.run.pool.pickling import is_installed
from agfer_bench.run.pool.pool import Pool
from agfer_bench.run.pool.worker import Terms
from agfer_bench.run.store.locks import POLL, Locks
from agfer_bench.run.store.store import Store


def train_all(
    tasks: Sequence[Task],
    *,
    jobs: int,
    threads: int,
    fresh: bool,
    done: set[str],
    store: Store,
    locks: Locks,
    reporter: Reporter,
    on_epoch: OnEpoch | None = None,
) -> None:
    """Run every job, or take it from the store, and fill in the rows.

    Rows come out the same however many jobs run side by side: a row holds the folds before the
    first one that failed, and what failed there. No further fold of it is started; one that was
    under way ends, and if it ends well only the store keeps it.

    A job that another process trains is put off: the others go first, then it is waited for.

    Args:
        tasks: Fold by fold, each with all modules in turn.
        jobs: Trainings at a time. One at a time runs in this process; several run in processes of
            their own, those of modules that no installed distribution offers in this one at the
            end.
        threads: Threads of torch that each job has on the CPU.
        fresh: Whether jobs in the store are done again.
        done: Keys of the jobs that `fresh` does not do again; grows.
        store: Where jobs are kept as they end.
        locks: Those of the jobs under way are held by this process.
        reporter: Hears of each epoch, counted over all jobs.
        on_epoch: Hears of each epoch of the jobs that are run.

    Raises:
        UserError: A job cannot be kept, or a process cannot be started.
    """
    work = Work(tasks, fresh, done, store, locks, reporter, on_epoch)
    left, waited = list(tasks), False
    while left:
        _train(left, jobs, threads, work)
        left = work.put_off()
        if left:
            if waited:  # not where the other process was just done with it
                work.tell_of_waiting(left[0])
            waited = True
            time.sleep(POLL)
    work.settle()


def _train(tasks: Sequence[Task], jobs: int, threads: int, work: Work) -> None:
    """Do the jobs that no other process does."""
    found = {task.row.chosen.label: is_installed(task.row.chosen.entry) for task in tasks}
    movable = [task for task in tasks if found[task.row.chosen.label]]
    here = tasks
    if jobs > 1:
        _side_by_side(movable, jobs, threads, work)
        here = [task for task in tasks if task not in movable]
    for job in work.to_do(here):
        label = job.chosen.label
        if jobs > 1:
            work.tell(f"{label} is of no installed distribution: trained one job at a time")
        with _threads(threads):
            outcome = attempt(job, partial(work.epoch, job), partial(work.note, job))
        work.end(job, outcome)
        if (
            isinstance(outcome, JobFailure) and outcome.lost
        ):  # no kernel runs in this process any more
            work.tell(f"{label}: {outcome.text}; processes of their own train what is left")
            _side_by_side(movable, jobs, threads, work)


@contextmanager
def _threads(threads: int) -> Iterator[None]:
    """Give torch's kernels of this process so many threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _side_by_side(tasks: Sequence[Task], jobs: int, threads: int, work: Work) -> None:
    if not tasks:
        return
    try:
        Pool(jobs, _terms(tasks, threads), work.epoch, work.end, work.note).run(work.to_do(tasks))
    finally:
        work.sweep()


def _terms(tasks: Sequence[Task], threads: int) -> Terms:
    devices = [task.job.device for task in tasks if isinstance(task.job, Job)]
    device = devices[0] if devices else CPU
    gpu = None
    if device.type == "cuda":
        gpu = torch.cuda.current_device() if device.index is None else device.index
    return Terms(threads=threads, gpu=gpu)
