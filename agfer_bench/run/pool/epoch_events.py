"""Plugins are told of the epochs of a run."""

from __future__ import annotations

from agfer_bench.plugin.listeners import Listeners
from agfer_bench.plugin.specs import EpochEvent
from agfer_bench.progress import Reporter
from agfer_bench.protocol import Protocol
from agfer_bench.records.run import EpochRecord
from agfer_bench.run.pool.job_queue import OnEpoch, Task


def announcer(listeners: Listeners, protocol: Protocol, reporter: Reporter) -> OnEpoch | None:
    """Return what tells plugins of each epoch; None where none listens.

    Args:
        listeners: The plugins.
        protocol: The run's, of all its seeds.
        reporter: Hears what goes wrong.
    """
    hear = listeners.of_epochs(lambda problem: reporter.note(str(problem)))
    if hear is None:
        return None
    fingerprint = protocol.fingerprint

    def announce(task: Task, number: int, record: EpochRecord) -> None:
        hear(
            EpochEvent(
                module=task.row.chosen.label,
                fold=task.job.fold.number,
                seed=task.seed,
                epoch=number,
                epochs=task.job.steps,
                loss=record.loss,
                validation_accuracy=record.validation_accuracy,
                seconds=record.seconds,
                job=task.job.key,
                protocol=fingerprint,
            )
        )

    return announce
