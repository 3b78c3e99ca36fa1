"""Event files: one folder for each module, fold and seed, complete when the run has ended."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agfer_bench import EpochEvent, hookimpl

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

LOSS, VALIDATION, ACCURACY = "loss", "accuracy/validation", "accuracy/final"


class Logs:
    """Writes what it hears of below a folder.

    A training's folder is named by module, fold, seed and the job's hash, so that runs of other
    settings stand beside each other. Trainings that were taken from the store, whole or in part,
    are written at the run's end from its record: the curve is that of the record in any case.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[str, SummaryWriter] = {}
        self._heard: dict[str, list[int]] = {}

    @hookimpl
    def epoch_finished(self, event: EpochEvent) -> None:
        """Write an epoch, and have it on disk for whoever is watching."""
        heard = self._heard.setdefault(event.job, [])
        if heard and event.epoch <= heard[-1]:  # the training started again
            self._close(event.job)
            del heard[heard.index(event.epoch) if event.epoch in heard else 0 :]
        heard.append(event.epoch)
        writer = self._writers.get(event.job)
        if writer is None:
            place = self._place(event.module, event.fold, event.seed, event.job)
            writer = self._writers[event.job] = _open(place, event.epoch)
        _write(writer, event.epoch, event)
        writer.flush()
        if event.epoch + 1 == event.epochs:
            self._close(event.job)

    @hookimpl
    def run_finished(self, record: Any) -> None:
        """Write what was not heard of, and the accuracy of each fold."""
        for job in tuple(self._writers):
            self._close(job)
        for module in record.modules:
            for seed, folds in enumerate(module.seeds):
                for fold in folds:
                    self._complete(self._place(module.label, fold.fold, seed, fold.job), fold)

    def _complete(self, place: Path, fold: Any) -> None:
        whole = self._heard.get(fold.job, []) == list(range(len(fold.history)))
        writer = _open(place, None if whole and fold.history else 0)
        if not whole:
            for number, epoch in enumerate(fold.history):
                _write(writer, number, epoch)
        writer.add_scalar(ACCURACY, fold.accuracy, max(0, len(fold.history) - 1))
        writer.close()

    def _place(self, module: str, fold: int, seed: int, job: str) -> Path:
        name = re.sub(r"[^\w.=-]", "_", module)
        return self._folder / name / f"fold-{fold + 1}_seed-{seed + 1}_{job[:10]}"

    def _close(self, job: str) -> None:
        writer = self._writers.pop(job, None)
        if writer is not None:
            writer.close()


def _open(place: Path, purge: int | None) -> SummaryWriter:
    """Open a new event file; steps from `purge` on that stand in older ones do not count."""
    from torch.utils.tensorboard import SummaryWriter

    old = list(place.glob("events.out.tfevents.*"))
    if purge == 0:
        for file in old:
            file.unlink()
    else:
        _wait_for_a_later_name(old)
    return SummaryWriter(str(place), purge_step=purge)


def _wait_for_a_later_name(files: list[Path]) -> None:
    """Wait until a new file's name comes after those of the others.

    TensorBoard reads files in the order of their names. These begin with a second, then hold a
    counter without leading zeros: of two files of one second, the later may be read first, and the
    start of the earlier then wipes out what it holds.
    """
    newest = max((int(file.name.split(".")[3]) for file in files), default=0)
    while int(time.time()) == newest:
        time.sleep(0.05)


def _write(writer: SummaryWriter, number: int, epoch: Any) -> None:
    writer.add_scalar(LOSS, epoch.loss, number)
    if epoch.validation_accuracy is not None:
        writer.add_scalar(VALIDATION, epoch.validation_accuracy, number)
