"""Options by slot, and what is said of a block that fails on trial."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from agfer_bench.errors import PluginError, UserError
from agfer_bench.network.build import add_blocks, build_host, slots_of
from agfer_bench.network.trial import try_block
from agfer_bench.plugin.catalogue import Chosen, Entry
from agfer_bench.plugin.options import for_blocks, options_of, parse_choice, resolve_options
from agfer_bench.plugin.specs import AttentionSpec, Slot
from agfer_bench.protocol import load_preset

SLOTS = [
    Slot(channels=4 * n, height=6, width=5, classes=3, stage=n + 1, number=n - 1, slots=3)
    for n in (1, 2, 3)
]


class Gate(nn.Module):
    """Remembers what it was built with."""

    def __init__(self, slot: Slot, *, reduction: int = 16, sizes: tuple[int, ...] = (3,)) -> None:
        super().__init__()
        self.reduction, self.sizes = reduction, sizes
        self.scale = nn.Parameter(torch.ones(slot.channels // min(reduction, slot.channels)))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale.mean()


def _chosen(text: str, build: Any = Gate) -> Chosen[AttentionSpec]:
    spec = AttentionSpec(name="gate", build=build, source="", summary="")
    known = for_blocks(options_of(build))
    entry = Entry(spec=spec, distribution="mine", version="1", module=__name__, options=known)
    return Chosen(entry=entry, values=resolve_options("gate", known, parse_choice(text)))


def test_each_slot_gets_its_value() -> None:
    protocol = load_preset("quick")
    chosen = _chosen("gate:reduction=4/8/16:sizes=[3]/[3,5]/[]:residual=true/false/true")
    assert try_block(chosen, SLOTS).memory_format == "channels_last"
    assert [(slot.number, slot.slots) for slot in slots_of(protocol, 7)] == [(0, 3), (1, 3), (2, 3)]
    host = build_host(protocol, 7, fold=0)
    add_blocks(host, chosen, protocol, classes=7, fold=0)
    gates = [one for one in host.blocks.modules() if isinstance(one, Gate)]
    assert [(one.reduction, one.sizes) for one in gates] == [(4, (3,)), (8, (3, 5)), (16, ())]
    wrapped = [isinstance(one, Gate) for one in host.blocks.values()]
    assert wrapped == [False, True, False], "x + block(x) in the first and the last"


@pytest.mark.parametrize(("text", "count"), [("4/8", 2), ("4/8/16/32", 4)])
def test_a_wrong_number_of_values_is_one_clear_line(text: str, count: int) -> None:
    with pytest.raises(UserError) as caught:
        try_block(_chosen(f"gate:reduction={text}"), SLOTS)
    assert str(caught.value) == (
        f"gate:reduction={text} has {count} values for 3 slots of the host: give one for each, or "
        "one for all"
    )


def test_each_value_is_checked() -> None:
    with pytest.raises(UserError, match=r"must be of type int for each slot, not '4/x/16'$"):
        _chosen("gate:reduction=4/x/16")


def test_the_size_of_the_slot_stands_in_a_build_error() -> None:
    def build(slot: Slot) -> nn.Module:
        raise ValueError("too few channels")

    with pytest.raises(PluginError, match=r"build failed at stage 2 \(4 × 6 × 5\): ValueError"):
        try_block(_chosen("gate", build), SLOTS)


class Strict(nn.Module):
    """Does with contiguous maps alone, by a call of torch's that is no view."""

    def forward(self, x: Tensor) -> Tensor:
        if not x.is_contiguous():
            raise RuntimeError("not contiguous")
        return x


def test_another_operation_is_told_to_make_its_input_contiguous() -> None:
    layout = try_block(_chosen("gate", lambda slot: Strict()), SLOTS)
    assert layout.memory_format == "contiguous"
    assert layout.reason is not None
    assert "at stage 2 (4 × 6 × 5) forward failed: RuntimeError: not contiguous" in layout.reason
    assert '`raise RuntimeError("not contiguous")` (test_slot_values.py:' in layout.reason
    assert layout.reason.endswith("call .contiguous() on what it is given")
