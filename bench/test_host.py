"""The host: one image and a batch through the quick network and through the paper's."""

from __future__ import annotations

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from agfer_bench.training.arithmetic import autocast
from bench.workload import Workload

SIZES = {"quick-1": ("quick", 1), "quick-16": ("quick", 16), "paper-1": ("paper", 1)}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("size", SIZES)
def test_forward(
    benchmark: BenchmarkFixture, device: torch.device, size: str, precision: str
) -> None:
    preset, batch = SIZES[size]
    benchmark.group = f"host forward, {size}"
    work = Workload.of(preset, batch, device, precision=precision)
    network = work.network().eval()
    side = work.protocol.image_size
    x = torch.randn(batch, 3, side, side, device=device)

    def forward() -> None:
        with torch.inference_mode(), autocast(work.protocol.precision, device):
            network(x)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    benchmark.pedantic(forward, rounds=20 if preset == "quick" else 5, warmup_rounds=2)
