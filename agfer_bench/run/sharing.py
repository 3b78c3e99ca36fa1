"""How trainings share the cores of a machine: threads of each, and how many run side by side.

The threads of a training move its numbers (sums are added up in another order), so they follow from
the protocol and what the user asks for, and never from how many trainings run side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from agfer_bench.errors import UserError
from agfer_bench.measure.size import multiply_accumulates
from agfer_bench.network.build import sketch_host
from agfer_bench.protocol import Protocol

SMALL_STEP = 1e10
"""Multiply-accumulates of a batch's forward pass below which a training has one thread.

Preset `quick` has 3e8, preset `paper` 2e12. Two trainings of `quick` side by side, with one thread
each, do 1.4 times as much as one after the other with two threads. From about this size on threads
share the work well, and a process for each core would take too much memory.
"""

MOST = 16
"""Trainings side by side where the user does not say: each process takes some 400 MB."""


@dataclass(frozen=True, kw_only=True)
class Shares:
    """How the machine is divided."""

    jobs: int
    """Trainings side by side."""
    threads: int
    """Threads of torch that each has on the CPU."""


def share(
    protocol: Protocol,
    device: torch.device,
    *,
    cores: int,
    jobs: int | None,
    threads: int | None,
) -> Shares:
    """Divide the machine.

    Args:
        protocol: Tells how large a step is.
        device: Where is trained.
        cores: Cores that this process may use.
        jobs: What the user asks for; None: as many as pay.
        threads: Threads of each training that the user asks for; None: as many as pay.

    Raises:
        UserError: Trainings are asked for side by side that have all cores each; or the host is
            none for the protocol's slots and images.
    """
    if device.type != "cpu":
        return Shares(jobs=jobs or 1, threads=threads or torch.get_num_threads())
    if threads is not None:
        return Shares(jobs=jobs or min(MOST, max(1, cores // threads)), threads=threads)
    if is_small(protocol):
        return Shares(jobs=jobs or min(MOST, cores), threads=1)
    threads = torch.get_num_threads()
    if jobs is not None and jobs > 1 and threads > 1:
        raise UserError(
            f"--jobs {jobs}: each training of a network as large as this has {threads} threads, "
            f"one a core; add --threads {max(1, cores // jobs)}, on which numbers depend"
        )
    return Shares(jobs=1, threads=threads)


def is_small(protocol: Protocol) -> bool:
    """Tell whether a step of the host is so small that a second thread pays little."""
    macs = multiply_accumulates(sketch_host(protocol), protocol.image_size).counted
    return macs * protocol.batch_size < SMALL_STEP
