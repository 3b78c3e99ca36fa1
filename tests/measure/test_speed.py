"""Timing: every pass is kept, a slower network comes out slower, a failing one costs nothing."""

from __future__ import annotations

import time

import pytest
import torch
from torch import Tensor, nn

from agfer_bench.measure.speed import measure_speed
from agfer_bench.protocol import SpeedProtocol
from agfer_bench.records import SpeedRecord

CPU = torch.device("cpu")


class _Sleeps(nn.Module):
    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    def forward(self, x: Tensor) -> Tensor:
        time.sleep(self.seconds)
        return x


class _FailsAt(nn.Module):
    def __init__(self, call: int) -> None:
        super().__init__()
        self.left = call

    def forward(self, x: Tensor) -> Tensor:
        self.left -= 1
        if self.left < 0:
            raise RuntimeError("worn out")
        return x


def _measure(
    networks: dict[str, nn.Module], base: str = "base"
) -> tuple[dict[str, SpeedRecord], dict[str, BaseException]]:
    protocol = SpeedProtocol(warmup=1, rounds=4, passes=2)
    return measure_speed(networks, 8, protocol, CPU, base=base, on_round=lambda _: None)


def test_ratio_tells_the_slower_network() -> None:
    speeds, failed = _measure({"base": _Sleeps(0.002), "slow": _Sleeps(0.008)})
    assert not failed
    assert speeds["base"].ratio_to_base == pytest.approx(1.0)
    assert speeds["slow"].ratio_to_base is not None
    assert speeds["slow"].ratio_to_base > 2
    assert [len(times) for times in speeds["slow"].rounds_ms] == [2, 2, 2, 2]
    assert speeds["slow"].hz == pytest.approx(1000 / speeds["slow"].median_ms)
    assert speeds["slow"].p95_ms >= speeds["slow"].median_ms


@pytest.mark.parametrize("call", [0, 1, 5])
def test_a_failing_network_costs_the_others_nothing(call: int) -> None:
    speeds, failed = _measure({"base": _Sleeps(0.001), "bad": _FailsAt(call)})
    assert set(speeds) == {"base"}
    assert "worn out" in str(failed["bad"])
    assert len(speeds["base"].rounds_ms) == 4


def test_without_base_there_is_no_ratio() -> None:
    speeds, failed = _measure({"base": _FailsAt(0), "other": _Sleeps(0.001)})
    assert set(failed) == {"base"}
    assert speeds["other"].ratio_to_base is None


def test_percentiles_by_hand() -> None:
    record = SpeedRecord(rounds_ms=((1.0, 2.0), (3.0, 4.0), (5.0, 100.0)), ratio_to_base=1.0)
    assert record.median_ms == 3.5
    assert record.p95_ms == pytest.approx(5 + 0.75 * 95)
