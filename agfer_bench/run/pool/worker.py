"""A process that trains: it is sent jobs, and answers with epochs and outcomes.

It prints nothing, hears no Ctrl-C and ends with the process that started it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from dataclasses import dataclass
from multiprocessing import connection as connections
from multiprocessing import parent_process
from multiprocessing.connection import Connection

import torch

from agfer_bench.records.run import EpochRecord
from agfer_bench.run.jobs.guarded import JobFailure, JobResult, attempt
from agfer_bench.run.pool.pickling import unpack
from agfer_bench.run.store.address import harness_sha256


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What the processes share, so that their numbers are those of the one that started them."""

    threads: int
    """Threads of torch's CPU kernels."""
    gpu: int | None
    """Number of the current CUDA device; None for the CPU."""


@dataclass(frozen=True, kw_only=True)
class WorkerReady:
    """The process can be sent jobs."""

    harness: str
    """SHA-256 of the harness's code as this process has it."""


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """An epoch of the job under way has ended."""

    number: int
    """Its number, from 0."""
    record: EpochRecord
    """What was measured."""


@dataclass(frozen=True, kw_only=True)
class Note:
    """Something about the job under way that the user should know."""

    text: str
    """One line."""


Message = WorkerReady | Epoch | Note | JobResult


def serve(connection: Connection, terms: Terms) -> None:
    """Do jobs until the other end of the connection is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(terms.threads)
    if terms.gpu is not None:
        torch.cuda.set_device(terms.gpu)
    _send(connection, WorkerReady(harness=harness_sha256()))
    while True:
        try:
            parcel = connection.recv_bytes()
        except EOFError:
            return
        _send(connection, _do(parcel, connection))
        sys.stdout.flush()  # a stranger's prints are not lost if a later job kills the process


def _do(parcel: bytes, connection: Connection) -> JobResult:
    try:
        job = unpack(parcel)
    except (Exception, SystemExit) as error:
        return JobFailure.of(error)
    return attempt(
        job,
        lambda number, one: _send(connection, Epoch(number=number, record=one)),
        lambda text: _send(connection, Note(text=text)),
    )


def _send(connection: Connection, message: Message) -> None:
    try:
        connection.send(message)
    except OSError:
        os._exit(1)  # nobody listens any more


def _end_with_parent() -> None:
    """Wait for the end of the process that started this one; a killed one cannot stop others."""
    parent = parent_process()
    assert parent is not None
    connections.wait([parent.sentinel])
    os._exit(1)
