"""Records of one module put together: every training once, whatever record it is of."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from agfer_bench.comparison.outcomes import Entrant, accuracies
from agfer_bench.leaderboard.model import Result
from agfer_bench.leaderboard.replicates import alike, all_of, pooled, trainings_of
from agfer_bench.records.run import FoldRecord, ModuleRecord, RunRecord
from agfer_bench.submissions.model import Submission
from tests.leaderboard.generated import make_run, sha


def _result(record: RunRecord) -> Result:
    submission = Submission(path="record.json", record=record)
    return Result(module=record.modules[0], submission=submission)


def _pooled(*records: RunRecord) -> Entrant:
    return pooled("base", [_result(record) for record in records])


def _of_folds(module: ModuleRecord, change: Callable[[FoldRecord], FoldRecord]) -> ModuleRecord:
    folds, *repeats = [tuple(map(change, one)) for one in module.seeds]
    return module.model_copy(update={"folds": folds, "repeats": tuple(repeats)})


def _first_seed(record: RunRecord) -> RunRecord:
    """Return the run as it was with one seed."""
    module = record.modules[0].model_copy(update={"repeats": ()})
    protocol = record.protocol.model_copy(update={"seeds": 1})
    return record.model_copy(update={"modules": (module,), "protocol": protocol})


@pytest.fixture(scope="module")
def runs() -> list[RunRecord]:
    return [make_run({"base": 0.5}, draw=draw, seeds=1 + 2 * (draw == 0)) for draw in range(3)]


def test_trainings_of_several_records_are_replicates(runs: list[RunRecord]) -> None:
    found = _pooled(*runs)
    assert len(found.trainings) == 3 + 1 + 1
    own = [accuracies(_pooled(run), "validation") for run in runs]
    assert np.array_equal(accuracies(found, "validation"), np.hstack(own))
    assert all_of(found).accuracies == pytest.approx(np.hstack(own).mean(axis=1))
    assert found.record is runs[0]


def test_the_same_training_counts_once(runs: list[RunRecord]) -> None:
    found = _pooled(runs[0], runs[0], runs[1], runs[1])
    assert len(found.trainings) == 3 + 1


def test_a_record_that_holds_all_others_stands_alone_and_still_pairs(
    runs: list[RunRecord],
) -> None:
    newest = _first_seed(runs[0])
    found = _pooled(newest, runs[0])
    assert found.record is runs[0]
    assert found.module is runs[0].modules[0]
    assert found.pairs_with(_pooled(runs[0]))
    assert not _pooled(runs[0], runs[1]).pairs_with(found)


def test_records_without_weights_tell_trainings_by_what_came_of_them(
    runs: list[RunRecord],
) -> None:
    old = _of_folds(
        runs[1].modules[0], lambda fold: fold.model_copy(update={"final_weights_sha256": None})
    )
    assert len(trainings_of([old, old])) == 1
    assert len(trainings_of([runs[1].modules[0], old])) == 1
    other = _of_folds(old, lambda fold: fold.model_copy(update={"confusion": fold.confusion[::-1]}))
    assert len(trainings_of([old, other])) == 2


def test_one_job_whose_weights_differ_was_trained_twice(runs: list[RunRecord]) -> None:
    module = runs[1].modules[0]
    again = _of_folds(
        module, lambda fold: fold.model_copy(update={"final_weights_sha256": sha("other")})
    )
    assert len(trainings_of([module, again])) == 2


def test_no_training_counts_twice_where_records_share_some_folds(runs: list[RunRecord]) -> None:
    module, other = (run.modules[0] for run in runs[1:])
    shared = module.model_copy(update={"folds": (module.folds[0], *other.folds[1:])})
    sets = trainings_of([module, shared])
    assert len(sets) == 1, "the first fold was trained once"
    assert [fold.fold for fold in sets[0]] == [0, 1, 2, 3, 4]
    sets = trainings_of([module, shared, runs[0].modules[0]])
    jobs = [fold.job for one in sets for fold in one]
    assert len(sets) == 4
    assert len(set(jobs)) == len(jobs)


def test_trainings_that_began_alike_are_noticed(runs: list[RunRecord]) -> None:
    assert not alike(_pooled(runs[0]))
    assert alike(_pooled(runs[0], runs[1]))
