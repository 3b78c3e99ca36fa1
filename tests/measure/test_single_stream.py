"""Timing: every pass is kept, a slower network comes out slower, a failing one costs nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from agfer_bench.comparison.marginal import ratio
from agfer_bench.measure.clock import HostClock
from agfer_bench.measure.single_stream import Contender, Streams, time_streams
from agfer_bench.protocol import SpeedProtocol
from agfer_bench.records.timing import ModeRecord, StreamRepeat


def _measure(
    calls: dict[str, Callable[[], object]], **changes: Any
) -> tuple[Streams[str], list[tuple[str, float]]]:
    settings = {"warmup": 1, "rounds": 4, "passes": 2, "seconds": 0}
    protocol = SpeedProtocol.model_validate(settings | changes)
    turns: list[tuple[str, float]] = []
    found = time_streams(
        {label: Contender(call=call) for label, call in calls.items()},
        HostClock(),
        protocol,
        on_turn=lambda key, share: turns.append((key, share)),
    )
    return found, turns


def _mode(repeat: StreamRepeat) -> ModeRecord:
    return ModeRecord(
        precision="fp32", memory_format="channels_last", execution="eager", stream=(repeat,)
    )


class _FailsAt:
    def __init__(self, call: int) -> None:
        self.left = call

    def __call__(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise RuntimeError("worn out")


def test_ratio_tells_the_slower_network() -> None:
    found, _ = _measure({"base": lambda: time.sleep(0.002), "slow": lambda: time.sleep(0.008)})
    assert not found.failures
    base, slow = (_mode(found.repeats[label]) for label in ("base", "slow"))
    assert ratio(base, base) == pytest.approx(1.0)
    assert (ratio(slow, base) or 0) > 2
    assert [len(times) for times in found.repeats["slow"].rounds_ms] == [2, 2, 2, 2]


def test_the_order_rotates() -> None:
    _, turns = _measure({label: lambda: None for label in "abc"}, rounds=3)
    order = "".join(label for label, _ in turns)
    assert order == "abc" + "abc" + "bca" + "cab"
    shares = [share for _, share in turns]
    assert shares == sorted(shares)
    assert shares[-1] < 1


@pytest.mark.parametrize("call", [0, 1, 12, 25])
def test_a_failing_network_costs_the_others_nothing(call: int) -> None:
    found, _ = _measure({"base": lambda: time.sleep(0.001), "bad": _FailsAt(call)}, rounds=20)
    assert set(found.repeats) == {"base"}
    assert "worn out" in str(found.failures["bad"])
    assert len(found.repeats["base"].rounds_ms) == 20


def test_rounds_are_added_until_the_time_is_filled() -> None:
    found, _ = _measure({"one": lambda: time.sleep(0.002)}, rounds=2, passes=1, seconds=0.02)
    repeat = found.repeats["one"]
    assert 2 < len(repeat.rounds_ms) <= 10
    assert sum(repeat.all_ms) >= 20
    # Bounded: twenty times `rounds` of next to nothing do not fill a minute.
    quick, _ = _measure({"one": lambda: None}, rounds=2, passes=1, seconds=60)
    assert len(quick.repeats["one"].rounds_ms) == 40


def test_without_a_warm_up_every_pass_is_timed() -> None:
    calls: list[int] = []
    found, _ = _measure({"one": lambda: calls.append(1)}, warmup=0)
    assert len(calls) == 8
    assert (found.repeats["one"].warmup, found.repeats["one"].settled) == (0, None)


def test_settings_hold_during_each_turn_alone() -> None:
    active: list[str] = []
    seen: list[tuple[str, ...]] = []

    def settings(name: str) -> Callable[[], AbstractContextManager[None]]:
        @contextmanager
        def manager() -> Iterator[None]:
            active.append(name)
            yield
            active.remove(name)

        return manager

    protocol = SpeedProtocol(warmup=1, rounds=2, passes=1, seconds=0)
    time_streams(
        {
            name: Contender(call=lambda: seen.append(tuple(active)), settings=settings(name))
            for name in ("a", "b")
        },
        HostClock(),
        protocol,
    )
    assert set(seen) == {("a",), ("b",)}


def test_nobody_is_left() -> None:
    found, _ = _measure({"bad": _FailsAt(0)})
    assert not found.repeats
    assert set(found.failures) == {"bad"}
