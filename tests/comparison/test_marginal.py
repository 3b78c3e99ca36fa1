"""What a block adds: hand-made times, and an interval from an independent computation."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from agfer_bench.comparison.marginal import marginal, ratio, throughput_ratio
from agfer_bench.records.timing import ModeRecord, OfflinePoint, StreamRepeat, spread

Rounds = tuple[tuple[float, ...], ...]


def _mode(*repeats: Rounds, offline: dict[int, tuple[float, ...]] | None = None) -> ModeRecord:
    return ModeRecord(
        precision="fp32",
        memory_format="channels_last",
        execution="eager",
        stream=tuple(StreamRepeat(rounds_ms=rounds) for rounds in repeats),
        offline=tuple(
            OfflinePoint(batch_size=size, images_per_second=rates)
            for size, rates in (offline or {}).items()
        ),
    )


BASE = _mode(((1.0, 1.2, 5.0), (1.0, 1.0, 1.0)), ((2.0, 2.0, 2.0), (2.0, 3.0, 4.0)))
OWN = _mode(((1.5, 1.5, 1.5), (1.4, 1.4, 9.0)), ((3.0, 3.0, 3.0), (3.2, 3.4, 3.6)))


def test_percentiles_by_hand() -> None:
    mode = _mode(((1.0, 2.0), (3.0, 4.0), (5.0, 100.0)))
    assert mode.median_ms == 3.5
    assert mode.p95_ms == pytest.approx(5 + 0.75 * 95)
    assert mode.p99_ms == pytest.approx(5 + 0.95 * 95)
    assert mode.hz == pytest.approx(1000 / 3.5)
    assert mode.margin(25) == pytest.approx(1000 / 3.5 / 25)
    assert mode.repeatability is None


def test_repeatability_by_hand() -> None:
    # Medians of the repeats: 1.0 (of 1, 1, 1, 1, 1.2, 5) and 2.0 (of 2, 2, 2, 2, 3, 4).
    assert BASE.repeatability == pytest.approx((2.0 - 1.0) / 1.5)
    assert spread([2.0]) is None


def test_ratio_by_hand() -> None:
    # Medians of rounds: 1.5, 1.4, 3.0, 3.4 over 1.2, 1.0, 2.0, 3.0.
    assert ratio(OWN, BASE) == pytest.approx(np.median([1.25, 1.4, 1.5, 3.4 / 3.0]))


def test_differences_by_hand() -> None:
    # Of the rounds: 0.3 and 0.4, then 1.0 and 0.4.
    found = marginal(OWN, BASE)
    assert found.repeats_ms == pytest.approx((0.35, 0.7))
    assert found.estimate_ms == pytest.approx((0.35 + 0.7) / 2)


def test_the_interval_is_that_of_all_resamples() -> None:
    """Three rounds in each of two repeats: all 27 x 27 draws can be listed."""
    rounds = np.array([[0.1, 0.2, 0.6], [0.3, 0.9, 1.0]])
    own = _mode(*(tuple((10 + d,) for d in repeat) for repeat in rounds))
    base = _mode(*(tuple((10.0,) for _ in repeat) for repeat in rounds))
    medians = [[np.median(draw) for draw in product(repeat, repeat=3)] for repeat in rounds]
    exact = [(one + other) / 2 for one, other in product(*medians)]
    found = marginal(own, base)
    # All values of the statistic are sums of two listed ones: the percentiles fall on them.
    low, high = np.percentile(exact, [2.5, 97.5])
    assert found.low_ms == pytest.approx(low, abs=0.06)
    assert found.high_ms == pytest.approx(high, abs=0.06)
    assert low < found.estimate_ms < high
    assert marginal(own, base) == found, "the draws are seeded"


def test_where_there_is_no_interval() -> None:
    one = marginal(_mode(((3.0,),)), _mode(((1.0,),)))
    assert (one.estimate_ms, one.low_ms, one.high_ms) == (2.0, None, None)
    same = marginal(_mode(((3.0,), (3.0,))), _mode(((1.0,), (1.0,))))
    assert (same.estimate_ms, same.low_ms) == (2.0, None)


def test_throughput() -> None:
    own = _mode(((1.0,),), offline={1: (10.0, 12.0, 11.0), 2: (30.0, 20.0, 22.0)})
    base = _mode(((1.0,),), offline={1: (44.0,), 2: (40.0,)})
    assert own.best is not None
    assert (own.best.batch_size, own.best.median) == (2, 22.0)
    assert throughput_ratio(own, base) == pytest.approx(0.5)
    assert throughput_ratio(own, _mode(((1.0,),))) is None


def test_a_process_that_was_disturbed_throughout_moves_little() -> None:
    quiet, loud = (((3.0,), (3.1,)), ((1.0,), (1.0,))), (((30.0,), (31.0,)), ((1.0,), (1.0,)))
    own = _mode(quiet[0], loud[0], quiet[0])
    base = _mode(quiet[1], loud[1], quiet[1])
    found = marginal(own, base)
    assert found.estimate_ms == pytest.approx(2.05)
    assert max(found.repeats_ms) == pytest.approx(29.5)
