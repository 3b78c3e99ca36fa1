"""The helper of bench/ that times alternatives in turns."""

from __future__ import annotations

import time

import pytest

from bench.ratios import interleaved, ratio


def test_all_take_turns_and_the_order_rotates() -> None:
    calls: list[str] = []
    functions = {name: lambda name=name: calls.append(name) for name in "abc"}
    times = interleaved(functions, rounds=4, warmup=1)
    assert "".join(calls) == "cab" + "abc" + "bca" + "cab" + "abc"
    assert {name: len(seconds) for name, seconds in times.items()} == {"a": 4, "b": 4, "c": 4}


def test_seconds_are_a_functions_own(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    def spend(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(time, "perf_counter", lambda: now)
    times = interleaved({"slow": lambda: spend(3.0), "fast": lambda: spend(2.0)}, rounds=3)
    assert times == {"slow": [3.0] * 3, "fast": [2.0] * 3}
    assert ratio(times, "slow", "fast") == 1.5


def test_a_ratio_is_the_median_over_rounds_and_not_of_medians() -> None:
    times = {"one": [2.0, 30.0, 4.0], "other": [1.0, 10.0, 4.0]}
    assert ratio(times, "one", "other") == 2.0  # of medians: 1.0
    with pytest.raises(ValueError, match="zip"):
        ratio({"one": [1.0], "other": []}, "one", "other")
