"""Warm-up ends when times have settled, and ends when they never do."""

from __future__ import annotations

from collections.abc import Iterator

from agfer_bench.measure import warm_up as module
from agfer_bench.measure.warm_up import MOST_WINDOWS, WINDOW, warm_up


class _Times:
    def __init__(self, times: Iterator[float]) -> None:
        self.times = times
        self.asked: list[int] = []

    def __call__(self, passes: int) -> list[float]:
        self.asked.append(passes)
        return [next(self.times) for _ in range(passes)]


def _falling(until: float) -> Iterator[float]:
    value = 100.0
    while True:
        yield value
        value = max(until, value * 0.9)


def test_it_ends_once_two_windows_agree() -> None:
    times = _Times(_falling(20.0))
    warmed = warm_up(times, 3)
    # 100 * 0.9^k reaches 20 at k = 16: passes 0-2 warm, windows at 3-7, 8-12, 13-17, 18-22, 23-27;
    # the medians of the last three are 100 * 0.9^15 = 20.6, 20 and 20.
    assert times.asked == [3, WINDOW, WINDOW, WINDOW, WINDOW]
    assert (warmed.passes, warmed.settled) == (3 + 4 * WINDOW, True)


def test_times_that_never_settle_are_bounded() -> None:
    growing = _Times(1.1**k for k in range(10_000))
    module_passes = warm_up(growing, 10)
    assert module_passes.settled is False
    assert module_passes.passes <= 10 + MOST_WINDOWS * WINDOW


def test_slow_passes_are_bounded_in_time() -> None:
    slow = _Times(module.MOST_MS / 4 * (1 + k) for k in range(1000))
    warmed = warm_up(slow, 1)
    assert warmed.settled is False
    assert warmed.passes == 1 + WINDOW


def test_none_is_none() -> None:
    times = _Times(iter(()))
    warmed = warm_up(times, 0)
    assert (warmed.passes, warmed.settled, times.asked) == (0, None, [])
