"""All records of one module put together: their trainings are replicates of each other."""

from __future__ import annotations

from collections.abc import Sequence

from agfer_bench.comparison.outcomes import Entrant, TrainingSet
from agfer_bench.leaderboard.model import Result
from agfer_bench.records.run import FoldRecord, ModuleRecord


def pooled(label: str, results: Sequence[Result]) -> Entrant:
    """Return a module with the trainings of all its records, each once.

    Args:
        label: Name of the module.
        results: Whole results of one module on one ground, the newest first.

    Returns:
        Where one record holds all that the others hold, that record alone: its trainings still pair
        with those of other modules.
    """
    sets = trainings_of([one.module for one in results])
    for one in results:
        if len(one.module.seeds) == len(trainings_of([one.module])) == len(sets):
            return Entrant(label=label, module=one.module, record=one.record)
    newest = results[0]
    return Entrant(label=label, module=newest.module, record=newest.record, replicates=sets)


def trainings_of(modules: Sequence[ModuleRecord]) -> tuple[TrainingSet, ...]:
    """Return the trainings of several records of a module, each once, as sets of one for each fold.

    Trainings are nested in folds, so it does not matter which ones of two folds stand together.
    Where one fold was trained more often than another, the last trainings of it are left out.

    Args:
        modules: Whole records of one module on one ground.
    """
    by_fold: dict[int, list[FoldRecord]] = {}
    by_job: dict[tuple[int, str], list[FoldRecord]] = {}
    for module in modules:
        for one in module.trainings:
            known = by_job.setdefault((one.fold, one.job), [])
            if not any(_same(one, other) for other in known):
                known.append(one)
                by_fold.setdefault(one.fold, []).append(one)
    return tuple(zip(*(by_fold[number] for number in sorted(by_fold)), strict=False))


def all_of(entrant: Entrant) -> ModuleRecord:
    """Return a module as if one record held all its trainings."""
    first, *others = entrant.trainings
    return entrant.module.model_copy(update={"folds": first, "repeats": tuple(others)})


def alike(entrant: Entrant) -> bool:
    """Tell whether two trainings of a fold began from the same weights with the same batches."""
    begins = [
        (fold.fold, fold.host_weights_sha256, fold.batch_order_sha256)
        for one in entrant.trainings
        for fold in one
        if fold.host_weights_sha256 is not None
    ]
    return len(set(begins)) < len(begins)


def _same(one: FoldRecord, other: FoldRecord) -> bool:
    """Tell whether two records of one job are of one training: the same weights came of it."""
    if one.final_weights_sha256 and other.final_weights_sha256:
        return one.final_weights_sha256 == other.final_weights_sha256
    return one.confusion == other.confusion
