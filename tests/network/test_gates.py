"""The gate of a block: offered or read off, and held against what the block does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from agfer_bench.network.build import build_block
from agfer_bench.network.gates import NoGate, find_gate
from agfer_bench.plugin.specs import Slot
from tests.run.support import own

SLOT = Slot(channels=16, height=14, width=14, classes=7, stage=3)
CATALOGUE = own()
NONE = {
    *("cot", "double-attention", "external-attention", "non-local", "self-attention"),
    *("self-residual-channel", "self-residual-spatial", "shuffle", "sk", "timm-gca", "timm-bat"),
}
"""Blocks that are no product of their input with something, or cannot be traced."""
OTHERS = {"attention-gate", "residual-attention"}
"""Given more than their map, or another map than they return."""


def maps() -> Tensor:
    return torch.randn(3, 16, 14, 14, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", sorted(CATALOGUE.modules.keys() - NONE - OTHERS))
def test_first_party_blocks_have_gates(name: str) -> None:
    (chosen,) = CATALOGUE.choose_modules(name)
    block, x = build_block(chosen, SLOT).eval(), maps()
    with torch.no_grad():
        gate = find_gate(block)
        gate.check(block, x)
        torch.testing.assert_close(x * gate.of(x), block(x))
    offers = name in ("agfer", "se", "cbam")
    assert gate.how == ("offered" if offers else "traced")


@pytest.mark.parametrize("name", sorted(NONE))
def test_others_say_so(name: str) -> None:
    (chosen,) = CATALOGUE.choose_modules(name)
    with pytest.raises(NoGate, match="it offers no gate"):
        find_gate(build_block(chosen, SLOT).eval())


@pytest.mark.parametrize("scale", [1.0, 1e-20])
def test_a_network_that_is_nearly_dead_has_gates(scale: float) -> None:
    """Two gates round otherwise one after the other than together: also where one number is all."""
    (chosen,) = CATALOGUE.choose_modules("cbam")
    block = build_block(chosen, Slot(channels=64, height=40, width=40, classes=7, stage=3)).eval()
    for number in range(20):
        x = torch.zeros(8, 64, 40, 40)
        x[0, number, number, number] = 1e6 * scale
        with torch.no_grad():
            find_gate(block).check(block, x)


def test_a_way_past_a_block_adds_one() -> None:
    (chosen,) = CATALOGUE.choose_modules("se:residual=true")
    block, x = build_block(chosen, SLOT).eval(), maps()
    with torch.no_grad():
        torch.testing.assert_close(x * find_gate(block).of(x), block(x))
        assert float(find_gate(block).of(x).min()) > 1


class Offering(nn.Module):
    """A block that doubles, and says otherwise."""

    def __init__(self, gate: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.said = gate

    def forward(self, x: Tensor) -> Tensor:
        return 2 * x

    def gate(self, x: Tensor) -> object:
        return self.said(x)


@pytest.mark.parametrize(
    ("gate", "complaint"),
    [
        (lambda x: torch.ones_like(x), "its output is not its input times its gate"),
        (lambda x: 2.0, "its gate is float, not a tensor"),
        (lambda x: torch.full((3, 16), 2.0), r"its gate has the shape \(3, 16\)"),
        (lambda x: torch.full((3, 5, 1, 1), 2.0), r"the shape \(3, 5, 1, 1\), which does not fit"),
        (lambda x: x * torch.nan, "its gate is not finite"),
        (lambda x: torch.ones_like(x, device="meta"), "its gate is on meta"),
        (lambda x: x.nothing, "its gate cannot be computed: AttributeError"),
    ],
)
def test_a_wrong_gate_is_found(gate: Callable[[Tensor], object], complaint: str) -> None:
    block = Offering(gate)
    with pytest.raises(NoGate, match=complaint):
        find_gate(block).check(block, maps())


def test_a_right_gate_passes() -> None:
    block = Offering(lambda x: torch.full((1, 1, 1, 1), 2.0))
    find_gate(block).check(block, maps())


class Part(nn.Module):
    """A block with a part that is called `gate`, as timm's have: it is no method to ask."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x * self.gate(x.mean(dim=(2, 3), keepdim=True))
        return y


def test_a_part_of_that_name_is_no_offer() -> None:
    block, x = Part(), maps()
    assert find_gate(block).how == "traced"
    torch.testing.assert_close(find_gate(block).of(x), torch.sigmoid(x.mean((2, 3), keepdim=True)))


class Moving(nn.Module):
    """A gate on groups of channels: the product is of another shape than the input."""

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        groups = x.reshape(batch * 4, channels // 4, height, width)
        half = groups * torch.sigmoid(groups.mean(dim=1, keepdim=True))
        return half.reshape(batch, channels, height, width)


def test_products_of_rearranged_maps_are_read() -> None:
    block, x = Moving(), maps()
    gate = find_gate(block)
    gate.check(block, x)
    torch.testing.assert_close(x * gate.of(x), block(x))


class Mixing(nn.Module):
    """Sums the map and a turned copy of it: what looks like a product is none."""

    def forward(self, x: Tensor) -> Tensor:
        return x + x.permute(0, 1, 3, 2)


def test_what_only_looks_like_a_product_is_refused() -> None:
    block = Mixing()
    with pytest.raises(NoGate, match="not its input times its gate"):
        find_gate(block).check(block, maps())
