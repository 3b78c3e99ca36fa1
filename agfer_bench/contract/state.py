"""Checks of what a block consists of: weights, what is stored, what is declared, what it touches.

Shapes in names: B batch, C channels, H height, W width.
"""

from __future__ import annotations

import copy
import pickle

import torch
from torch import nn

from agfer_bench.contract.block import (
    Block,
    Broken,
    Skipped,
    build_unguarded,
    guarded,
    largest_difference,
    look,
    normal_map,
    run_unguarded,
    step,
    tensors,
)
from agfer_bench.contract.formula import evaluate
from agfer_bench.contract.settings import generator_states, settings, settings_kept
from agfer_bench.errors import UserError
from agfer_bench.measure.size import parameters
from agfer_bench.network.build import CPU
from agfer_bench.plugin.specs import Slot
from agfer_bench.seeds import seeded

_SAME = 1e-6
"""Copies of a block may differ by less than this, relative to the largest number."""


def builds(block: Block, slot: Slot) -> str:
    """The plugin returns a module."""
    block.build(slot)
    return ""


def same_seed_same_weights(block: Block, slot: Slot) -> str:
    """Built twice under one seed, weights are equal, and each block has its own."""
    one, other = block.build(slot), block.build(slot)
    ours, theirs = tensors(one), tensors(other)
    if ours.keys() != theirs.keys():
        raise Broken("built twice, the blocks have other weights by name")
    for name, tensor in ours.items():
        if tensor.numel() and tensor.data_ptr() == theirs[name].data_ptr():
            raise Broken(
                f"build returned {name} that it had returned before; it must make new ones"
            )
        if not torch.equal(tensor, theirs[name]):
            raise Broken(f"built twice under one seed, {name} differs")
    return ""


def state_dict_round_trip(block: Block, slot: Slot) -> str:
    """What the state dict of a trained block holds makes another block the same."""
    trained, fresh, x_BCHW = block.build(slot), block.build(slot, seed=1), normal_map(slot)
    step(trained, x_BCHW)
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.add_(0.01)
    with guarded("load_state_dict"):
        fresh.load_state_dict(trained.state_dict())
    _same(trained, fresh, slot, "with its state dict, another block")
    return ""


def pickles(block: Block, slot: Slot) -> str:
    """Pickled or deep-copied, a block stays the same: networks travel to other processes."""
    module = block.build(slot)
    with guarded("pickle"):
        pickled = pickle.loads(pickle.dumps(module))
    _same(module, pickled, slot, "pickled and unpickled, it")
    with guarded("deepcopy"):
        copied = copy.deepcopy(module)
    _same(module, copied, slot, "its deep copy")
    return ""


def _same(one: nn.Module, other: nn.Module, slot: Slot, what: str) -> None:
    x_BCHW = normal_map(slot, batch=1)
    difference = largest_difference(look(one, x_BCHW), look(other, x_BCHW))
    if difference > _SAME:
        raise Broken(f"{what} gives an output that differs by {difference:.1g}")


def formula(block: Block, slot: Slot) -> str:
    """The declared formula gives the number of parameters."""
    declared = block.chosen.entry.spec.formula
    counted = parameters(block.build(slot))
    if not declared:
        raise Skipped("no formula is declared")
    try:
        value = evaluate(declared, slot, block.chosen.arguments(slot))
    except UserError as error:
        raise Broken(str(error)) from None
    if value != counted:
        raise Broken(f"the formula gives {value:,} parameters, the block has {counted:,}")
    return f"{counted:,}"


def no_side_effects(block: Block, slot: Slot) -> str:
    """Torch's settings and the global generators are what they were.

    Building and training may draw from the generators, but not seed them: two blocks built under
    different seeds then leave different states.
    """
    states = []
    for seed in (1, 2):
        with seeded(CPU, seed, strict=False), settings_kept():
            states.append(_states(block, slot))
    for doing, first in states[0].items():
        for library, state in first.items():
            if state == states[1][doing][library]:
                raise Broken(f"{doing} seeds the global generator of {library}")
    return ""


def _states(block: Block, slot: Slot) -> dict[str, dict[str, bytes]]:
    """Build and run a block, and return the generators' states after each part."""
    x_BCHW, before, states = normal_map(slot, batch=2), settings(), {}
    module = build_unguarded(block.chosen, slot)
    _unchanged(before, "build")
    states["build"] = generator_states()
    run_unguarded(module.train(), x_BCHW.clone())
    _unchanged(before, "training")
    states["training"] = generator_states()
    with torch.no_grad():
        inside = settings()
        run_unguarded(module.eval(), x_BCHW.clone())
        _unchanged(inside, "evaluation")
    for library, state in generator_states().items():
        if state != states["training"][library]:
            raise Broken(f"evaluation draws from the global generator of {library}, or seeds it")
    return states


def _unchanged(before: dict[str, object], doing: str) -> None:
    for name, value in settings().items():
        if value != before[name]:
            raise Broken(f"{doing} changes the {name} of torch from {before[name]} to {value}")
