"""What a block adds: hand-made times, and the interval over processes."""

from __future__ import annotations

from math import sqrt

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


def test_the_interval_is_students_over_the_processes() -> None:
    """Mean 1.2, standard deviation 0.3 over three; t of 2 degrees of freedom is 4.3027."""
    own = _mode(((3.9,), (3.9,)), ((4.2,), (4.2,)), ((4.5,), (4.5,)))
    base = _mode(*[((3.0,), (3.0,))] * 3)
    found = marginal(own, base)
    assert found.estimate_ms == pytest.approx(1.2)
    assert found.low_ms == pytest.approx(1.2 - 4.30265 * 0.3 / sqrt(3), abs=1e-5)
    assert found.high_ms == pytest.approx(1.2 + 4.30265 * 0.3 / sqrt(3), abs=1e-5)


def test_rounds_within_a_process_are_no_replicates() -> None:
    """A hundred times as many rounds say no more about other processes."""
    few = marginal(_mode(((3.0,),), ((4.0,),)), _mode(((1.0,),), ((1.0,),)))
    many = marginal(
        _mode(((3.0,),) * 100, ((4.0,),) * 100), _mode(((1.0,),) * 100, ((1.0,),) * 100)
    )
    assert (many.low_ms, many.high_ms) == pytest.approx((few.low_ms, few.high_ms))


def test_coverage_over_processes() -> None:
    """What differs between processes, and is the same within one, is in the interval."""
    rng, hits = np.random.default_rng(0), 0
    for _ in range(1000):
        shifts = 2 + 0.1 * rng.standard_normal(3)
        own = _mode(*(tuple((s + 1 + e,) for e in 0.02 * rng.standard_normal(7)) for s in shifts))
        found = marginal(own, _mode(*[((1.0,),) * 7] * 3))
        assert found.low_ms is not None
        assert found.high_ms is not None
        hits += found.low_ms <= 2 <= found.high_ms
    assert 0.93 <= hits / 1000 <= 0.97


def test_where_there_is_no_interval() -> None:
    one = marginal(_mode(((3.0,), (3.5,))), _mode(((1.0,), (1.0,))))
    assert (one.estimate_ms, one.low_ms, one.high_ms) == (2.25, None, None)
    same = marginal(_mode(((3.0,),), ((3.0,),)), _mode(((1.0,),), ((1.0,),)))
    assert (same.estimate_ms, same.low_ms) == (2.0, None)
    assert marginal(OWN, BASE).low_ms is not None
    shared = marginal(OWN, BASE, fresh=False)
    assert (shared.low_ms, shared.high_ms) == (None, None)


def test_throughput() -> None:
    own = _mode(((1.0,),), offline={1: (10.0, 12.0, 11.0), 2: (30.0, 20.0, 22.0)})
    base = _mode(((1.0,),), offline={1: (44.0,), 2: (40.0,)})
    assert own.best is not None
    assert (own.best.batch_size, own.best.median) == (2, 22.0)
    assert throughput_ratio(own, base) == pytest.approx(0.5)
    assert throughput_ratio(own, _mode(((1.0,),))) is None


def test_a_process_that_was_disturbed_throughout_widens_the_interval() -> None:
    quiet, loud = (((3.0,), (3.1,)), ((1.0,), (1.0,))), (((30.0,), (31.0,)), ((1.0,), (1.0,)))
    own = _mode(quiet[0], loud[0], quiet[0])
    base = _mode(quiet[1], loud[1], quiet[1])
    found = marginal(own, base)
    assert found.repeats_ms == pytest.approx((2.05, 29.5, 2.05))
    assert found.low_ms is not None
    assert found.low_ms < 0, "one process of three: nothing is sure"
