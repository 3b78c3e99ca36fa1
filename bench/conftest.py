"""What the benchmarks share: the device, a report of ratios, records that name no machine."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from agfer_bench.measure.environment import choose_device, device_name
from bench.ratios import LINES, Report


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--device", default="auto", help="auto, cpu or cuda")


@pytest.fixture(scope="session")
def device(pytestconfig: pytest.Config) -> torch.device:
    return choose_device(pytestconfig.getoption("--device"))


@pytest.fixture
def report(benchmark: BenchmarkFixture, request: pytest.FixtureRequest) -> Report:
    return Report(benchmark, request.node.name)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if LINES:
        terminalreporter.section("ratios")
        for line in LINES:
            terminalreporter.write_line(line)


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: Any) -> None:
    """Say what was measured on, and not on whose computer."""
    device = choose_device(config.getoption("--device"))
    machine_info.pop("node", None)
    machine_info["device"] = device_name(device)
    machine_info["kind"] = device.type
    machine_info["threads"] = torch.get_num_threads()
    machine_info["torch"] = str(torch.__version__)
