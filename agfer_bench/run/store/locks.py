"""Locks of an output folder that several processes share: one a job, one a run's folder.

The system frees the locks of a process that ends, however it ends. A process waits for a lock only
while it holds none itself, so that no two ever wait for each other.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from agfer_bench.errors import UserError, describe

_WITHOUT_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)
"""What systems say where a file system has no locks."""

POLL = 0.5
"""Seconds between two looks at a lock that another process holds."""


class Locks:
    """The locks that this process holds; all are freed at the end of the `with` block.

    Where the file system has no locks every one is free, and the user is told so once.

    Args:
        folder: Where their files lie. They stay: removing one would part those who wait for it.
        note: Hears of what the user should know.
    """

    def __init__(self, folder: Path, note: Callable[[str], None]) -> None:
        self._folder = folder.absolute()
        self._note = note
        self._held: dict[str, FileLock] = {}
        self.able = True
        """Whether the file system has locks, as far as is known."""

    def __enter__(self) -> Locks:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for name in tuple(self._held):
            self.free(name)

    def take(self, name: str) -> bool:
        """Take a lock unless another process holds it; tell whether this one may go on.

        Raises:
            UserError: The folder cannot be written.
        """
        if name in self._held or not self.able:
            return True
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._folder / f"{name}.lock", thread_local=False)
            with warnings.catch_warnings():
                # Newer versions warn and fall back to a lock that outlives a killed process.
                warnings.simplefilter("error", UserWarning)
                lock.acquire(blocking=False)
        except Timeout:
            return False
        except (OSError, NotImplementedError, UserWarning) as error:
            if isinstance(error, OSError) and error.errno not in _WITHOUT_LOCKS:
                raise UserError(
                    f"cannot lock in {self._folder}: {error.strerror or error}; free space, or "
                    "choose another folder with --out"
                ) from error
            self.able = False
            self._note(
                f"{self._folder} takes no locks ({describe(error)}): let only one process at a "
                "time use this output folder"
            )
            return True
        self._held[name] = lock
        with suppress(OSError):  # it only serves a message, and may be half-written
            who = {"pid": os.getpid(), "host": socket.gethostname()}
            self._owner(name).write_text(json.dumps(who) + "\n", encoding="utf-8")
        return True

    def free(self, name: str) -> None:
        """Give a lock back, if it is held."""
        lock = self._held.pop(name, None)
        if lock is not None:
            with suppress(OSError):
                self._owner(name).unlink(missing_ok=True)
            with suppress(OSError):
                lock.release()

    def holds(self, name: str) -> bool:
        """Tell whether this process holds a lock."""
        return name in self._held

    def is_noted(self, name: str) -> bool:
        """Tell whether somebody holds a lock, or was killed while holding it."""
        return self._owner(name).exists()

    def holder(self, name: str) -> str:
        """Say who holds a lock, as far as is known."""
        try:
            who = json.loads(self._owner(name).read_text(encoding="utf-8"))
            return f"process {int(who['pid'])} on {who['host']}"
        except (OSError, ValueError, KeyError, TypeError):
            return "its number is not known"

    @contextmanager
    def holding(self, name: str, what: str) -> Iterator[None]:
        """Wait for a lock and hold it.

        Args:
            name: The lock.
            what: Ends "waiting for ..." in the note; says what the other process does.
        """
        assert not self._held, "a process that waits holds no lock"
        noted = False
        while not self.take(name):
            if not noted:
                self._note(f"waiting for {what} ({self.holder(name)})")
                noted = True
            time.sleep(POLL)
        try:
            yield
        finally:
            self.free(name)

    def _owner(self, name: str) -> Path:
        return self._folder / f"{name}.json"
