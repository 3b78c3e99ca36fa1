"""Informational checks in eager mode: other maps, single images, channels last, gates.

Shapes in names: B batch, C channels, H height, W width.
"""

from __future__ import annotations

import torch

from agfer_bench.contract.block import (
    Block,
    Broken,
    Skipped,
    largest_difference,
    look,
    normal_map,
    resized,
    shape_after,
    step,
)
from agfer_bench.contract.learning import look_at_gradients
from agfer_bench.measure.gates import gate_statistics
from agfer_bench.network.gates import NoGate, find_gate
from agfer_bench.network.second_inputs import WithInputs
from agfer_bench.plugin.specs import Slot

_SAME = 1e-4
"""Another order of summation may move results by this, relative to the largest number."""


def odd_maps(block: Block, slot: Slot) -> str:
    """A block built for 7 × 7 or 9 × 9 keeps the shape."""
    for side in (7, 9):
        _fits(block, slot, side, side)
    return ""


def non_square_maps(block: Block, slot: Slot) -> str:
    """A block built for maps that are no squares keeps the shape."""
    for height, width in ((7, 13), (24, 16)):
        _fits(block, slot, height, width)
    return ""


def one_by_one_maps(block: Block, slot: Slot) -> str:
    """A block built for a single position keeps the shape."""
    _fits(block, slot, 1, 1)
    return ""


def other_sizes(block: Block, slot: Slot) -> str:
    """A block takes maps of another size than it was built for."""
    smaller = resized(slot, slot.height // 2 + 1, slot.width // 2)
    x_BCHW = normal_map(smaller)
    if look(block.build(slot), x_BCHW).shape != shape_after(smaller, x_BCHW):
        raise Broken(f"changes the shape of maps of {smaller.height} × {smaller.width}")
    return ""


def _fits(block: Block, slot: Slot, height: int, width: int) -> None:
    """Build a block for a size; it must keep the shape in evaluation and in training."""
    small = resized(slot, height, width)
    x_BCHW = normal_map(small)
    try:
        module = block.build(small)
        shapes = {look(module, x_BCHW).shape, step(module, x_BCHW)[0].shape}
    except Broken as fault:
        raise Broken(f"at {height} × {width}: {fault}") from None
    if shapes != {shape_after(small, x_BCHW)}:
        raise Broken(f"at {height} × {width} it changes the shape")


def batch_of_one(block: Block, slot: Slot) -> str:
    """One image is enough for a step of training."""
    look_at_gradients(block.build(slot), slot, batch=1)
    return ""


def channels_last(block: Block, slot: Slot) -> str:
    """Maps that lie channels last give the same."""
    module, x_BCHW = block.build(slot), normal_map(slot)
    expected = look(module, x_BCHW)
    last = torch.channels_last
    found = look(module, x_BCHW.contiguous(memory_format=last))
    difference = largest_difference(expected, found)
    if difference > _SAME:
        raise Broken(f"the output differs by {difference:.1g}")
    return "" if found.is_contiguous(memory_format=last) else "output is contiguous"


def uses_second_inputs(block: Block, slot: Slot) -> str:
    """The answer changes with each input that the block asks for beside its map."""
    module = block.build(slot)
    asking = [part for part in module.modules() if isinstance(part, WithInputs)]
    if not asking:
        raise Skipped("it asks for its map alone")
    x_BCHW = normal_map(slot)
    step(module, x_BCHW)  # a branch that starts at zero hides what goes on behind it
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(0.1 * (weight.abs() + 1))
    before = look(module, x_BCHW)
    for name in asking[0].asked:
        noise = asking[0].stand_in(name)
        kept = noise.clone()
        noise.mul_(-1).add_(1)
        if torch.equal(before, look(module, x_BCHW)):
            raise Broken(f"the answer does not change with {name}")
        noise.copy_(kept)
    return ", ".join(asking[0].asked)


def gates(block: Block, slot: Slot) -> str:
    """How a fresh block damps the signal, and between which numbers it scales elements."""
    if slot.replaces:
        raise Skipped("the block replaces its stage, and has no gate")
    found = gate_statistics(block.build(slot), slot)
    return f"× {found.damping:.2f} ({found.low:.2f}–{found.high:.2f})"


def gate(block: Block, slot: Slot) -> str:
    """The gate can be told, so that it can be frozen, shuffled and rescaled."""
    if slot.replaces:
        raise Skipped("the block replaces its stage, and has no gate")
    module = block.build(slot).eval()
    x_BCHW = normal_map(slot)
    try:
        with torch.no_grad():
            found = find_gate(module)
            found.check(module, x_BCHW)
    except NoGate as error:
        raise Broken(str(error)) from None
    return "offered" if found.how == "offered" else "read off its forward pass"
