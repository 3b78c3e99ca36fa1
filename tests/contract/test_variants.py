"""What tells variants of a block apart, counted by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from agfer_bench import AttentionSpec, PluginError, Slot, UserError
from agfer_bench.contract.find import find_blocks
from agfer_bench.contract.operations import differences, operations
from agfer_bench.contract.variants import Variant, describe_variant
from agfer_bench.plugin.catalogue import Chosen

SLOT = Slot(channels=16, height=4, width=6, classes=3, stage=2)


class Gate(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(16, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.conv(x))


class Branching(Gate):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if x.sum() >= 0 else x


class Half(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x / 2


def _chosen(block: type[nn.Module], formula: str = "") -> Chosen[AttentionSpec]:
    def build(slot: Slot) -> nn.Module:
        return block()

    spec = AttentionSpec(name="one", build=build, source="", summary="", formula=formula)
    return find_blocks(spec)[0].chosen


def _variant(block: type[nn.Module], formula: str = "") -> Variant:
    return describe_variant(_chosen(block, formula), [SLOT])


def test_sizes_by_hand() -> None:
    found = _variant(Gate, "9 * C + 1")
    (one,) = found.slots
    assert (one.parameters, one.declared) == (9 * 16 + 1, 9 * 16 + 1)
    assert one.macs == 9 * 16 * 4 * 6
    assert one.layers == 3
    assert found.operations == (
        "Conv2d(16, 1, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))",
        "sigmoid()",
        "mul()",
    )
    assert _variant(Gate).slots[0].declared is None
    assert _variant(Gate, "C").slots[0].declared == 16


class Spectral(Gate):
    def forward(self, x: Tensor) -> Tensor:
        filtered: Tensor = torch.fft.irfft2(torch.fft.rfft2(super().forward(x)))
        return filtered


def test_a_block_that_is_not_counted_names_the_operators() -> None:
    found = _variant(Spectral)
    assert (found.macs, found.slots[0].macs) == (None, None)
    assert found.uncounted == ("aten::_fft_c2r", "aten::_fft_r2c")
    counted = _variant(Gate)
    assert (counted.macs, counted.uncounted) == (counted.slots[0].macs, ())


def test_gates_of_a_constant_factor() -> None:
    (one,) = _variant(Half).slots
    assert one.gates is not None
    for value in (one.gates.damping, one.gates.low, one.gates.median, one.gates.high):
        assert value == pytest.approx(0.5)


def test_what_cannot_be_traced_says_so() -> None:
    found = _variant(Branching)
    assert found.operations is None
    assert found.untraced.startswith("cannot be traced: TraceError")
    assert found.slots[0].layers is None
    assert found.slots[0].macs == 9 * 16 * 4 * 6


def test_a_block_that_raises_is_named() -> None:
    class Raises(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise SystemExit("no kernel")

    with pytest.raises(PluginError, match=r"one: forward failed at stage 2: SystemExit: no kernel"):
        _variant(Raises)


class Functional(nn.Module):
    """Weights of its own, used in calls."""

    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(1, 16, 1, 1))

    def forward(self, x: Tensor) -> Any:
        pooled = torch.cat([x.mean(dim=1, keepdim=True), x.amax(1, keepdim=True)], dim=1)
        return x * self.gamma + pooled[:, :1, 1:, None].squeeze(3)


def test_operations_are_named_with_their_constants() -> None:
    assert operations(Functional()) == [
        "mean(dim=1, keepdim=True)",
        "amax(1, keepdim=True)",
        "cat(dim=1)",
        "mul(weights[1, 16, 1, 1])",
        "getitem((:, :1, 1:, None))",
        "squeeze(3)",
        "add()",
    ]
    assert operations(nn.Identity()) == []
    with pytest.raises(UserError, match="cannot be traced"):
        operations(Branching())


def test_differences() -> None:
    assert differences("a", ["mul()"], "b", ["mul()"]) == []
    found = differences("a", ["mean()", "mul()"], "b", ["amax()", "mul()"])
    assert found[:2] == ["--- a", "+++ b"]
    assert found[3:] == ["-mean()", "+amax()", " mul()"]
