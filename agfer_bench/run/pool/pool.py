"""Trainings side by side, each in a process of its own that does one job after another.

A process that dies takes its job with it and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from multiprocessing import connection as connections

from agfer_bench.errors import UserError
from agfer_bench.records.run import EpochRecord
from agfer_bench.run.jobs.guarded import AnyJob, JobFailure, JobResult
from agfer_bench.run.pool.worker import Epoch, Note, Terms, WorkerReady
from agfer_bench.run.pool.worker_handle import Handle
from agfer_bench.run.store.address import harness_sha256

_LOOK = 1.0
"""Seconds after which processes are looked after though nothing was heard of them."""


class Pool:
    """Trains jobs in other processes, as many at a time as there are processes.

    Args:
        size: Processes at most.
        terms: What they share with this process.
        on_epoch: Hears of each epoch: job, number from 0, its record.
        on_end: Is handed each job with its outcome as it ends.
        on_note: Hears of what the user should know: job, text.
    """

    def __init__(
        self,
        size: int,
        terms: Terms,
        on_epoch: Callable[[AnyJob, int, EpochRecord], None],
        on_end: Callable[[AnyJob, JobResult], None],
        on_note: Callable[[AnyJob, str], None] = lambda job, text: None,
    ) -> None:
        self._size = size
        self._terms = terms
        self._on_epoch = on_epoch
        self._on_end = on_end
        self._on_note = on_note
        self._handles: list[Handle] = []

    def run(self, jobs: Iterator[AnyJob]) -> None:
        """Do all jobs; each is asked for when a process is free for it.

        An interruption ends the processes at once; a job that has just ended is still handed on.

        Raises:
            UserError: A process cannot be started, or finds other code than this one.
        """
        try:
            while self._fill(jobs):
                self._listen()
            for handle in self._handles:
                handle.dismiss()
            for handle in self._handles:
                handle.wait()
        except KeyboardInterrupt:
            for handle in tuple(self._handles):
                self._hear(handle)
            raise
        finally:
            for handle in self._handles:
                handle.kill()
            for handle in self._handles:
                handle.wait()

    def _fill(self, jobs: Iterator[AnyJob]) -> bool:
        """Give each free process a job; tell whether any has one."""
        for handle in tuple(self._handles):
            if handle.job is None and (job := next(jobs, None)) is not None:
                handle.job = job
                if not handle.begin():  # it died after its last job
                    self._retire(handle)
                    self._start(job)
        while len(self._handles) < self._size and (job := next(jobs, None)) is not None:
            self._start(job)
        return any(handle.job is not None for handle in self._handles)

    def _start(self, job: AnyJob) -> None:
        handle = Handle(self._terms, job)
        self._handles.append(handle)  # known before it runs, so that it is always ended
        handle.start()

    def _listen(self) -> None:
        """Wait for something to happen, and see to it."""
        busy = [handle for handle in self._handles if handle.job is not None]
        connections.wait([end for handle in busy for end in handle.ends()], _LOOK)
        for handle in busy:
            ended = handle.ended  # asked before listening: its last words count
            self._hear(handle)
            if handle.job is not None and (ended or handle.deaf):
                self._bury(handle)

    def _hear(self, handle: Handle) -> None:
        """Take in what a process has sent."""
        while handle.job is not None and (message := handle.receive()) is not None:
            if isinstance(message, WorkerReady):
                _check(message)
                handle.deaf = not handle.begin()
            elif isinstance(message, Epoch):
                self._on_epoch(handle.job, message.number, message.record)
            elif isinstance(message, Note):
                self._on_note(handle.job, message.text)
            else:
                self._end(handle, message)

    def _end(self, handle: Handle, outcome: JobResult) -> None:
        job, handle.job = handle.job, None
        assert job is not None
        if isinstance(outcome, JobFailure) and self._terms.gpu is not None:
            self._retire(handle)  # a fault on the GPU may leave a process useless
        self._on_end(job, outcome)

    def _bury(self, handle: Handle) -> None:
        """See to a process that died: its job failed, the next one gets a new process."""
        handle.wait()
        self._retire(handle)
        if not handle.ready:
            raise UserError(
                f"a training process could not start ({handle.cause()}): use fewer --jobs, or see "
                "whether the GPU is there; a script of your own that trains side by side needs "
                '`if __name__ == "__main__":`'
            )
        text = f"the training process died ({handle.cause()})"
        self._end(handle, JobFailure(text=text, named=False, trace=f"{text}\n"))

    def _retire(self, handle: Handle) -> None:
        """End a process; another takes its place if there is more to do."""
        handle.kill()
        handle.wait()
        if handle in self._handles:
            self._handles.remove(handle)


def _check(message: WorkerReady) -> None:
    if message.harness != harness_sha256():
        raise UserError("agfer-bench's own code was changed after the run began: run again")
