"""Every module at its own best learning rate: a block that gains only by it gains nothing else.

A gate damps the signal, and a damped network may want another rate than the one that was chosen for
all. Each module gets, for each fold, the rate that is best on folds of that fold's training images
(nested cross-validation): what a fold is judged on has no part in the choice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean

from agfer_bench.errors import UserError
from agfer_bench.faces.data import FaceData, load_data
from agfer_bench.faces.folds import Fold, inner_folds
from agfer_bench.files import write_text
from agfer_bench.plugin.catalogue import Catalogue, is_classifier
from agfer_bench.progress import Reporter, Under
from agfer_bench.protocol import OFFICIAL, Protocol, fingerprint
from agfer_bench.report.learning_rates import Choice, TunedRates, frame_of, to_markdown
from agfer_bench.run.jobs.record_builder import RecordBuilder
from agfer_bench.run.pool.job_queue import Task
from agfer_bench.run.runner import folds_of, record_of, train, try_modules
from agfer_bench.run.settings import RunSettings
from agfer_bench.run.store.locks import Locks
from agfer_bench.run.store.store import Store
from agfer_bench.run.tasks import make_tasks
from agfer_bench.seeds import derive_seed
from agfer_bench.text import to_csv, visible
from agfer_bench.training.arithmetic import check_precision

NAME = "learning_rate"
_FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""The rates that are tried by default, as multiples of the protocol's."""


def rates_of(protocol: Protocol, values: str | None) -> tuple[float, ...]:
    """Return the learning rates to try, ascending.

    Raises:
        UserError: They are no numbers above 0, or fewer than two.
    """
    if values is None:
        return tuple(factor * protocol.learning_rate for factor in _FACTORS)
    try:
        found = sorted({float(text) for text in values.split(",") if text.strip()})
    except ValueError:
        raise UserError(
            f"--values {values!r}: learning rates are numbers, as in 0.001,0.002"
        ) from None
    if len(found) < 2 or not 0 < found[0] <= found[-1] < float("inf"):
        raise UserError(f"--values {values!r}: give two learning rates above 0 or more")
    return tuple(found)


def tune_rates(
    rates: Sequence[float], settings: RunSettings, catalogue: Catalogue, reporter: Reporter
) -> TunedRates:
    """Choose each module's learning rate for each fold on inner folds, and train it with that.

    Args:
        rates: Those to choose from, ascending; the lower of two that do alike is taken.
        settings: All else. Choices rest on one training of each inner fold, with the first seed.
        catalogue: Names distributions.
        reporter: Hears of the progress.

    Raises:
        UserError: As `run`; or a module is a classifier of its own.
    """
    others = [one.label for one in settings.modules if is_classifier(one)]
    if others:
        raise UserError(f"{', '.join(others)}: a classifier of its own has no learning rate")
    protocol = settings.protocol
    if protocol.split == OFFICIAL:
        raise UserError(
            "learning rates are chosen on folds of the training images, and an official split has "
            "none: choose them with --split image or --split subject"
        )
    check_precision(protocol.precision, settings.device)
    store = Store(settings.out)
    store.probe()
    rows = [RecordBuilder(chosen=chosen) for chosen in settings.modules]
    try_modules(rows, protocol)
    data = load_data(settings.source, protocol, reporter)
    folds = folds_of(data, protocol)
    with Locks(store.locks, reporter.note) as locks:
        choices = []
        alive = [row for row in rows if row.error is None]
        for fold in folds:
            tried: dict[float, list[RecordBuilder]] = {}
            # One rate after the other: a module whose training fails at one is tried at the next.
            for rate in rates:
                tried[rate], tasks = _trials(rate, alive, fold, data, settings)
                under = Under(reporter, f"fold {fold.number + 1}, choosing, {rate:g}")
                train(tasks, settings, locks, catalogue, under)
            choices += [_choose(place, row, fold, tried) for place, row in enumerate(alive)]
        tasks = []
        for choice in choices:
            row = next(one for one in alive if one.chosen.label == choice.module)
            if choice.rate is None:
                row.fail(f"fold {choice.fold + 1}", UserError("no learning rate works"))
                continue
            own = _with_rate(settings, choice.rate)
            tasks += make_tasks([row], [folds[choice.fold]], data, None, own)
        tasks.sort(key=lambda task: (task.seed, task.job.fold.number))
        train(tasks, settings, locks, catalogue, Under(reporter, "each at its own rate"))
    return TunedRates(
        rates=tuple(rates),
        record=record_of(rows, settings, data, None, catalogue),
        choices=tuple(choices),
    )


def _trials(
    rate: float,
    rows: Sequence[RecordBuilder],
    fold: Fold,
    data: FaceData,
    settings: RunSettings,
) -> tuple[list[RecordBuilder], list[Task]]:
    """Return a row for each module, to be filled, and its trainings on inner folds."""
    protocol = settings.protocol
    assert protocol.split != OFFICIAL, "refused before"
    inner = inner_folds(
        fold,
        data.labels,
        data.subjects,
        split=protocol.split,
        folds=protocol.folds,
        seed=derive_seed(protocol.seed, "inner folds", fold.number),
        classes=data.record.classes,
        copies=data.copies,
        duplicates=protocol.duplicates,
    )
    trials = [
        RecordBuilder(chosen=row.chosen, memory_format=row.memory_format, identity=row.identity)
        for row in rows
    ]
    own = _with_rate(settings, rate, seeds=1)
    return trials, list(make_tasks(trials, inner, data, None, own))


def _choose(
    place: int, row: RecordBuilder, fold: Fold, tried: Mapping[float, Sequence[RecordBuilder]]
) -> Choice:
    """Take the rate with the highest mean accuracy over inner folds; one that failed has none."""
    accuracies = {
        rate: mean(one.accuracy for one in trials[place].folds)
        for rate, trials in tried.items()
        if trials[place].error is None
    }
    best = max(accuracies, key=lambda rate: accuracies[rate], default=None)
    return Choice(module=row.chosen.label, fold=fold.number, rate=best, accuracies=accuracies)


def _with_rate(settings: RunSettings, rate: float, seeds: int | None = None) -> RunSettings:
    changes = {"learning_rate": rate} | ({} if seeds is None else {"seeds": seeds})
    return replace(settings, protocol=settings.protocol.with_settings(changes))


def write(found: TunedRates, out: Path) -> Path:
    """Write table and data.

    Returns:
        The folder: the same for the same trainings.

    Raises:
        UserError: The folder cannot be written.
    """
    jobs = [fold.job for module in found.record.modules for fold in module.trainings]
    content = {
        "axis": NAME,
        "values": found.rates,
        "choices": [
            {
                "module": one.module,
                "fold": one.fold,
                "rate": one.rate,
                "inner_accuracies": [one.accuracies.get(rate) for rate in found.rates],
            }
            for one in found.choices
        ],
        "jobs": jobs,
    }
    folder = out / f"ablation-{NAME}-{fingerprint(content)[:10]}"
    write_text(folder / "table.md", visible(to_markdown(found)))
    write_text(folder / "table.csv", to_csv(frame_of(found)))
    write_text(folder / "ablation.json", json.dumps(content, indent=1) + "\n")
    return folder
