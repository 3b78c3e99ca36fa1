"""Blocks: forward, and forward with backward, in the three slots; against timm's SE and CBAM."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from agfer_bench_agfer import build as build_agfer
from agfer_bench_cbam import build as build_cbam
from agfer_bench_se import build as build_se
from pytest_benchmark.fixture import BenchmarkFixture
from timm.layers.cbam import CbamModule
from timm.layers.squeeze_excite import SEModule
from torch import nn

from agfer_bench import Slot

SLOTS = {
    "stage2": Slot(channels=128, height=112, width=112, classes=7, stage=2),
    "stage3": Slot(channels=256, height=56, width=56, classes=7, stage=3),
    "stage4": Slot(channels=512, height=28, width=28, classes=7, stage=4),
}

BLOCKS: dict[str, Callable[[Slot], nn.Module]] = {
    "agfer": build_agfer,
    "cbam": build_cbam,
    "se": build_se,
    "timm-cbam": lambda slot: CbamModule(slot.channels),
    "timm-se": lambda slot: SEModule(slot.channels),
}


@pytest.mark.parametrize("slot", SLOTS)
@pytest.mark.parametrize("name", BLOCKS)
def test_forward(benchmark: BenchmarkFixture, name: str, slot: str) -> None:
    benchmark.group = f"forward {slot}"
    block = BLOCKS[name](SLOTS[slot]).eval()
    x = torch.randn(4, SLOTS[slot].channels, SLOTS[slot].height, SLOTS[slot].width)
    with torch.inference_mode():
        y = benchmark(block, x)
    assert y.shape == x.shape


@pytest.mark.parametrize("slot", SLOTS)
@pytest.mark.parametrize("name", BLOCKS)
def test_forward_and_backward(benchmark: BenchmarkFixture, name: str, slot: str) -> None:
    benchmark.group = f"forward and backward {slot}"
    block = BLOCKS[name](SLOTS[slot]).train()
    x = torch.randn(
        4, SLOTS[slot].channels, SLOTS[slot].height, SLOTS[slot].width, requires_grad=True
    )

    def step() -> None:
        x.grad = None
        block(x).sum().backward()

    benchmark(step)
    assert x.grad is not None
