"""A training process as the one that started it sees it."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from threading import Lock

from agfer_bench.errors import UserError
from agfer_bench.run.jobs.guarded import AnyJob
from agfer_bench.run.pool.pickling import pack
from agfer_bench.run.pool.worker import Message, Terms, serve

_PATIENCE = 10.0
"""Seconds that a process is given to end by itself."""


class Handle:
    """A process, the job it has, and the line to it.

    Args:
        terms: What it shares with this process.
        job: Its first job, sent once it is ready.
    """

    def __init__(self, terms: Terms, job: AnyJob) -> None:
        # Spawned, since CUDA does not survive a fork; no daemon, which could start no process.
        context = get_context("spawn")
        self._line, self._far_end = context.Pipe()
        self._process = context.Process(target=serve, args=(self._far_end, terms))
        self._lock = Lock()
        """Held while the process starts, so that none starts after `kill`."""
        self._killed = False
        self.job: AnyJob | None = job
        """What it does; None where it is free."""
        self.ready = False
        """Whether it came up."""
        self.deaf = False
        """Whether nothing can be heard of it any more."""

    def start(self) -> None:
        """Start the process.

        Raises:
            UserError: The system allows no more.
        """
        try:
            # In a thread of its own, since Ctrl-C would end the main one's work half-way.
            with ThreadPoolExecutor(1) as thread:
                thread.submit(self._launch).result()
        except OSError as error:
            raise UserError(
                f"a training process could not start ({error}): use fewer --jobs"
            ) from error
        self._far_end.close()  # only the process itself keeps it open: its end is then heard

    def _launch(self) -> None:
        """Start a process that never hears Ctrl-C: it inherits the signals this thread blocks.

        A terminal sends Ctrl-C to all processes: one decides, the others would print tracebacks.
        """
        with self._lock:
            if self._killed:
                return
            resource_tracker.ensure_running()  # when it starts it unblocks interrupts
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            self._process.start()

    def begin(self) -> bool:
        """Send the job; tell whether the process was there to take it."""
        assert self.job is not None
        self.ready = True
        try:
            self._line.send_bytes(pack(self.job))
        except OSError:
            return False
        return True

    def ends(self) -> Sequence[Connection | int]:
        """What to wait for."""
        return self._line, self._process.sentinel

    def receive(self) -> Message | None:
        """Return the next thing it sent; None where there is none."""
        try:
            message: Message | None = self._line.recv() if self._line.poll() else None
        except (EOFError, OSError):
            self.deaf = True
            return None
        return message

    @property
    def ended(self) -> bool:
        """Whether the process is no more."""
        return self._process.exitcode is not None

    def dismiss(self) -> None:
        """Tell the process that there is nothing more to do."""
        self._line.close()

    def wait(self) -> None:
        """Give the process time to end."""
        if self._process.pid is not None:
            self._process.join(_PATIENCE)

    def kill(self) -> None:
        """End the process at once, whatever it does."""
        with self._lock:
            self._killed = True
            if self._process.pid is not None:
                self._process.kill()
        self._line.close()

    def cause(self) -> str:
        """Say how the process ended."""
        code = self._process.exitcode
        if code is None or code >= 0:
            return f"exit code {code}"
        if code == -signal.SIGKILL:
            return "signal SIGKILL; if memory ran out, use fewer --jobs"
        return f"signal {_signal(-code)}"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
