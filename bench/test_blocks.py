"""Blocks in the three slots: forward, forward with backward, and against timm's SE and CBAM."""

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
from bench.ratios import Report, interleaved

SLOTS = {
    "stage2": Slot(channels=128, height=112, width=112, classes=7, stage=2),
    "stage3": Slot(channels=256, height=56, width=56, classes=7, stage=3),
    "stage4": Slot(channels=512, height=28, width=28, classes=7, stage=4),
}

FORMATS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}
"""How maps lie in memory: channels last in the harness."""

BLOCKS: dict[str, Callable[[Slot], nn.Module]] = {
    "agfer": build_agfer,
    "cbam": build_cbam,
    "se": build_se,
    "timm-cbam": lambda slot: CbamModule(slot.channels),
    "timm-se": lambda slot: SEModule(slot.channels),
}

PLAIN_ALTERNATIVES = {"agfer": "timm-se", "se": "timm-se", "cbam": "timm-cbam"}

BAR = 1.4
"""Time of a block's forward and backward pass, as a multiple of its plain alternative's."""

ROUNDS = 30


def _map(slot: Slot, memory_format: str) -> torch.Tensor:
    x = torch.randn(4, slot.channels, slot.height, slot.width)
    return x.contiguous(memory_format=FORMATS[memory_format])


def _step(name: str, slot: Slot, memory_format: str) -> Callable[[], None]:
    """Return a forward and backward pass, with gradients of the input and the weights."""
    block = BLOCKS[name](slot).train()
    x, to_y = _map(slot, memory_format).requires_grad_(), _map(slot, memory_format)

    def step() -> None:
        x.grad = None
        block.zero_grad()
        block(x).backward(to_y)

    return step


@pytest.mark.parametrize("slot", SLOTS)
@pytest.mark.parametrize("name", BLOCKS)
def test_forward(benchmark: BenchmarkFixture, name: str, slot: str) -> None:
    benchmark.group = f"forward {slot}"
    block = BLOCKS[name](SLOTS[slot]).eval()
    x = _map(SLOTS[slot], "channels_last")
    with torch.inference_mode():
        y = benchmark(block, x)
    assert y.shape == x.shape


@pytest.mark.parametrize("slot", SLOTS)
@pytest.mark.parametrize("name", BLOCKS)
def test_forward_and_backward(benchmark: BenchmarkFixture, name: str, slot: str) -> None:
    benchmark.group = f"forward and backward {slot}"
    benchmark(_step(name, SLOTS[slot], "channels_last"))


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("slot", SLOTS)
@pytest.mark.parametrize("name", PLAIN_ALTERNATIVES)
def test_against_the_plain_alternative(
    benchmark: BenchmarkFixture, report: Report, name: str, slot: str, memory_format: str
) -> None:
    """The time that is benchmarked is all rounds' together."""
    benchmark.group = "blocks against timm's, all rounds"
    other = PLAIN_ALTERNATIVES[name]
    steps = {block: _step(block, SLOTS[slot], memory_format) for block in (name, other)}
    times = benchmark.pedantic(interleaved, args=(steps, ROUNDS), rounds=1)
    bar = BAR if memory_format == "channels_last" else None  # blocks run on contiguous maps only
    # where they fail on channels last
    found = report.ratio(f"{name} / {other}", times[name], times[other], at_most=bar)
    assert bar is None or found <= bar
