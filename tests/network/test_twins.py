"""Twins of a block: as large, or as damping, and blind to the image."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from agfer_bench.errors import PluginError
from agfer_bench.network.build import build_block
from agfer_bench.network.neutral import Neutral, Settled
from agfer_bench.network.twins import Blind, Scale
from agfer_bench.plugin.specs import Slot
from agfer_bench.seeds import seeded
from tests.run.support import own

SLOT = Slot(channels=16, height=8, width=6, classes=7, stage=3)
CATALOGUE = own()
X = torch.randn(3, 16, 8, 6, generator=torch.Generator().manual_seed(0)).relu()


def twin(name: str) -> Any:
    (chosen,) = CATALOGUE.choose_modules(name)
    with seeded(torch.device("cpu"), 1):
        return build_block(chosen, SLOT)


def parameters(block: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in block.parameters())


def test_a_scale_is_one_number() -> None:
    block = twin("se:control=scale")
    assert isinstance(block, Scale)
    block.settle(0.4, X.mean(0, keepdim=True))
    torch.testing.assert_close(block(X), 0.4 * X)
    assert parameters(block) == 0
    assert not [name for name, _ in block.named_modules() if name]


def test_a_neutral_block_divides() -> None:
    block = twin("cbam:neutral=true")
    assert isinstance(block, Neutral)
    block.settle(0.25, X.mean(0, keepdim=True))
    torch.testing.assert_close(block(X), 4 * block.source(X))
    assert parameters(block) == parameters(twin("cbam"))


@pytest.mark.parametrize(
    "name", ["agfer:reduction=2", "se:reduction=2", "cbam:reduction=2", "timm-eca", "cbam-original"]
)
def test_a_blind_block_does_not_see(name: str) -> None:
    block = twin(f"{name}:control=blind")
    assert isinstance(block, Blind)
    assert parameters(block) == parameters(twin(name)) + 16 + 8 * 6
    block.settle(0.5, X.mean(0, keepdim=True))
    block.eval()
    with torch.no_grad():
        gates = block(X) / X
        others = block(2 * X + 1) / (2 * X + 1)
    seen = X > 0
    torch.testing.assert_close(gates[seen], others[seen])
    # What it sees at first has the mean map's means over positions and over channels.
    mean = X.mean(0)
    map_CHW = block.channel_C.view(16, 1, 1) + block.position_P.view(1, 8, 6)
    torch.testing.assert_close(map_CHW.mean(dim=(1, 2)), mean.mean(dim=(1, 2)))
    torch.testing.assert_close(map_CHW.mean(dim=0), mean.mean(dim=0))
    # Whatever it sees can be learnt.
    block.train()
    block(X).square().sum().backward()
    assert block.channel_C.grad is not None
    assert block.channel_C.grad.abs().sum() > 0


def test_twins_of_a_block_without_a_gate() -> None:
    for option in ("neutral=true", "control=scale", "control=blind"):
        with pytest.raises(PluginError, match="needs the gate of the block: it offers no gate"):
            twin(f"self-residual-channel:{option}")


def test_blocks_as_they_are_have_no_twin_around_them() -> None:
    assert not isinstance(twin("se"), Settled)
