"""Damping and gates of blocks whose gates are known."""

from __future__ import annotations

import pytest
import torch
from agfer_bench_agfer import AGFER
from torch import Tensor, nn

from agfer_bench import Slot
from agfer_bench.measure.gates import gate_statistics

SLOT = Slot(channels=16, height=12, width=12, classes=7, stage=2)


class Times(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


@pytest.mark.parametrize("factor", [0.25, 1.0, 3.0])
def test_a_constant_factor_is_found(factor: float) -> None:
    found = gate_statistics(Times(factor), SLOT)
    for value in (found.damping, found.low, found.median, found.high):
        assert value == pytest.approx(factor, rel=1e-5)


def test_agfer_lies_where_its_formula_says_and_stays_in_its_mode() -> None:
    torch.manual_seed(0)
    block = AGFER(16, classes=7).train()
    found = gate_statistics(block, SLOT)
    assert 0.5 < found.low < found.high < 0.7311
    assert block.training
