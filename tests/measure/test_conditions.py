"""Conditions: what the driver says is read; what it does not say is None, never an error."""

from __future__ import annotations

import subprocess
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from agfer_bench.measure import conditions
from agfer_bench.measure.conditions import device_state, parse_gpu

CUDA = torch.device("cuda")


def test_a_line_of_the_driver() -> None:
    assert parse_gpu("1755, 1980, 61, 412.37, 0x0000000000000024") == {
        "sm_mhz": 1755.0,
        "sm_max_mhz": 1980.0,
        "temperature": 61.0,
        "power": 412.37,
        "throttling": ("software power cap", "software thermal slowdown"),
    }
    idle = parse_gpu("345, 1980, 30, [N/A], 0x0000000000000001")
    assert (idle["power"], idle["throttling"]) == (None, ())
    assert parse_gpu("[N/A], [N/A], [N/A], [N/A], [N/A]")["throttling"] is None
    assert parse_gpu("nonsense") == {}


def _driver(monkeypatch: pytest.MonkeyPatch, answer: Any) -> list[list[str]]:
    asked: list[list[str]] = []

    def run(command: list[str], **_: Any) -> Any:
        asked.append(command)
        return answer(command)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda _: SimpleNamespace(uuid="1234-abcd")
    )
    return asked


def test_the_gpu_that_torch_uses_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    line = "1980, 1980, 40, 100.00, 0x0000000000000000\n"
    asked = _driver(monkeypatch, lambda _: SimpleNamespace(stdout=line))
    state = device_state(CUDA)
    assert (state.sm_mhz, state.temperature, state.throttling) == (1980, 40, ())
    assert asked[0][-2:] == ["-i", "GPU-1234-abcd"]


def test_older_drivers_know_the_reasons_by_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(command: list[str]) -> Any:
        if "clocks_event_reasons" in command[1]:
            raise subprocess.CalledProcessError(2, command)
        return SimpleNamespace(stdout="900, 1980, 85, 300, 0x0000000000000040\n")

    asked = _driver(monkeypatch, answer)
    assert device_state(CUDA).throttling == ("hardware thermal slowdown",)
    assert len(asked) == 2


def test_no_driver_tool_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(command: list[str]) -> Any:
        raise FileNotFoundError(command[0])

    _driver(monkeypatch, answer)
    state = device_state(CUDA)
    assert (state.sm_mhz, state.throttling) == (None, None)


def test_the_cpu_s_clock_is_the_mean_of_its_cores(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "cpuinfo"
    told.write_text("processor: 0\ncpu MHz\t\t: 2000.0\nprocessor: 1\ncpu MHz\t\t: 3000.0\n")
    monkeypatch.setattr(conditions, "_CPUINFO", told)
    assert device_state(torch.device("cpu")).cpu_mhz == 2500
    monkeypatch.setattr(conditions, "_CPUINFO", tmp_path / "absent")
    assert device_state(torch.device("cpu")).cpu_mhz is None
