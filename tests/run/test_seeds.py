"""Several seeds: the same folds trained again, averaged within a fold."""

from __future__ import annotations

import statistics

import numpy as np
import pandas as pd
import pytest

from agfer_bench.errors import UserError
from agfer_bench.protocol import load_preset
from agfer_bench.records.files import load_run
from agfer_bench.report.notes import notes
from agfer_bench.report.rows import rows_of
from tests.run.support import Runs, without_times


def test_two_seeds(runs: Runs, count_jobs: list[str]) -> None:
    record, folder = runs("base,se,hog-knn", seeds=2, seed=5)
    assert len(count_jobs) == 3 * 2 * 2
    base = record.modules[0]
    assert base.complete(record.protocol)
    first, second = base.seeds
    assert [fold.fold for fold in first] == [fold.fold for fold in second] == [0, 1]
    for one, other in zip(first, second, strict=True):
        assert one.split_sha256 == other.split_sha256, "the folds stay"
        assert one.host_weights_sha256 != other.host_weights_sha256, "the weights do not"
        assert one.batch_order_sha256 != other.batch_order_sha256
    row = rows_of(record)[0]
    means = [(a.accuracy + b.accuracy) / 2 for a, b in zip(first, second, strict=True)]
    assert row["accuracy_mean"] == pytest.approx(statistics.mean(means))
    assert row["accuracy_sd"] == pytest.approx(statistics.stdev(means))
    assert any("averaged over 2 seeds" in line for line in notes(record))
    frame = pd.read_parquet(folder / "predictions.parquet")
    assert set(frame["seed"]) == {5, 6}
    assert len(frame) == 3 * 2 * 36
    assert load_run(folder) == record

    # Each seed alone is the same training, and nothing is trained again.
    count_jobs.clear()
    alone, _ = runs("base,se,hog-knn", seed=5)
    assert count_jobs == []
    assert alone.modules[0].folds == first
    again, _ = runs("base,se,hog-knn", seeds=2, seed=5)
    assert without_times(again) == without_times(record)


def test_the_record_tells_who_was_recognised(runs: Runs) -> None:
    record, folder = runs("se,hog-knn")
    frame = pd.read_parquet(folder / "predictions.parquet")
    names = sorted(frame["subject"].unique())
    for module in record.modules:
        for fold in module.folds:
            assert fold.recognised is not None
            mine = frame[(frame["module"] == module.label) & (frame["fold"] == fold.fold)]
            assert set(fold.recognised) == {str(names.index(s)) for s in mine["subject"]}
            for number, counts in fold.recognised.items():
                own = mine[mine["subject"] == names[int(number)]]
                right = own[own["predicted"] == own["true"]]
                classes = [int((right["true"] == name).sum()) for name in record.data.classes]
                assert list(counts) == classes
            diagonal = np.diag(np.array(fold.confusion))
            assert np.sum(list(fold.recognised.values()), axis=0).tolist() == diagonal.tolist()


def test_seeds_stay_in_range() -> None:
    with pytest.raises(UserError, match="the last seed must stay below"):
        load_preset("quick").with_settings({"seed": 2**32 - 1, "seeds": 2})
