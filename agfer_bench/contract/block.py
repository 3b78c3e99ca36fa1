"""The block under test: built for a slot, fed with maps, run behind a guard.

A block is a stranger's code. Whatever it raises becomes `Broken`, and what it changes of torch's
global settings is put back at once, so that one fault does not look like many.

Shapes in names: B batch, C channels, H height, W width.
"""

from __future__ import annotations

import math
import unittest
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import chain

import torch
from torch import Tensor, nn

from agfer_bench.contract.limits import OutOfTime
from agfer_bench.contract.settings import settings_kept
from agfer_bench.errors import UserError, describe
from agfer_bench.measure.device_memory import is_out_of_memory
from agfer_bench.network.build import CPU, build_uncontained, slots_of
from agfer_bench.network.own_loss import own_losses, total_of
from agfer_bench.plugin.catalogue import Chosen
from agfer_bench.plugin.containment import ordinary
from agfer_bench.plugin.specs import AttentionSpec, Slot
from agfer_bench.protocol import load_preset
from agfer_bench.seeds import derive_seed, generator, seeded

CLASSES = 7
"""Classes of the host whose slots are checked: the paper's seven emotions."""


class Broken(Exception):
    """The block does not keep what a check looks at; the text says what, in one sentence."""


class Raised(Broken):
    """The block's own code raised."""


class Skipped(unittest.SkipTest):
    """A check cannot be made here; the text says why. Pytest takes it for a skip."""


class TooLarge(Skipped):
    """It cannot be made in one slot: memory ran out, or time."""


def paper_slots() -> tuple[Slot, ...]:
    """Return the three slots of the paper's host."""
    return tuple(slots_of(load_preset("paper"), CLASSES))


def usual_slots() -> tuple[Slot, ...]:
    """Return the slots of the preset that is the default, and those of the paper's."""
    return (*slots_of(load_preset("quick"), CLASSES), *paper_slots())


@dataclass(frozen=True, kw_only=True)
class Block:
    """An attention block with the values of its options, and the slots it is looked at in."""

    chosen: Chosen[AttentionSpec]
    """What is built."""
    slots: tuple[Slot, ...] = field(default_factory=usual_slots)
    """Where it is built for."""

    def __post_init__(self) -> None:
        """Have a block that replaces its stage be given what enters it."""
        slots = tuple(self.chosen.entry.spec.at(slot) for slot in self.slots)
        object.__setattr__(self, "slots", slots)

    @property
    def label(self) -> str:
        """Name in listings."""
        return self.chosen.label

    def build(self, slot: Slot, *, seed: int = 0) -> nn.Module:
        """Build a fresh block with the global generators seeded.

        Raises:
            Broken: The plugin raised, or returned no module.
        """
        number = derive_seed(seed, "contract", slot.stage, slot.position)
        with seeded(CPU, number, strict=False), settings_kept():
            return build_unguarded(self.chosen, slot)


def build_unguarded(chosen: Chosen[AttentionSpec], slot: Slot) -> nn.Module:
    """Build a fresh block and leave global state as the block leaves it."""
    try:
        return build_uncontained(chosen, slot)
    except UserError as error:
        raise Broken(str(error)) from error


def normal_map(slot: Slot, *, batch: int = 2, draw: int = 0) -> Tensor:
    """Return a map as it leaves a ReLU, max(0, N(0, 1)), of shape (B, *slot.given)."""
    return _noise((batch, *slot.given), draw).relu_()


_NUMBERS = 1_000_003
"""Random numbers that all maps are cut from, which takes a tenth of the time of drawing each. A
prime, so that no two images or channels of a map begin at the same one."""


def _noise(shape: Sequence[int], draw: int) -> Tensor:
    """Return N(0, 1) numbers of a shape, which repeat themselves in large tensors."""
    begin, size = draw * 7919, math.prod(shape)
    copies = (begin + size) // _NUMBERS + 1
    return _numbers().repeat(copies)[begin : begin + size].reshape(shape)


@cache
def _numbers() -> Tensor:
    with torch.no_grad():
        return torch.randn(_NUMBERS, generator=generator(0, "contract"), dtype=torch.float32)


@contextmanager
def guarded(doing: str) -> Iterator[None]:
    """Run a stranger's code.

    Raises:
        TooLarge: Memory ran out, or time.
        Raised: It raised, whatever else it was.
    """
    try:
        with ordinary():
            yield
    except (Exception, SystemExit) as error:
        limit = too_large(error, doing)
        if limit is not None:
            raise limit from error
        raise Raised(f"{doing} failed: {describe(error)}") from error


def too_large(error: BaseException, what: str) -> TooLarge | None:
    """Say what ran out, where an exception tells of memory or time; None where it does not."""
    if isinstance(error, TooLarge):
        return error
    if isinstance(error, OutOfTime):
        return TooLarge(str(error))
    return TooLarge(f"{what} needs more memory than there is") if is_out_of_memory(error) else None


def run(module: nn.Module, x_BCHW: Tensor) -> Tensor:
    """Pass a map through a block; torch's settings stay what they were.

    Raises:
        Broken: It raised, or returned something that is no tensor.
    """
    with settings_kept():
        return run_unguarded(module, x_BCHW)


def run_unguarded(module: nn.Module, x_BCHW: Tensor) -> Tensor:
    """Pass a map through a block and leave global state as the block leaves it."""
    with guarded("forward"):
        y = module(x_BCHW)
    if not isinstance(y, Tensor):
        raise Broken(f"forward returned {type(y).__name__}, not a tensor")
    return y


def look(module: nn.Module, x_BCHW: Tensor) -> Tensor:
    """Pass a copy of a map through a block in evaluation mode, without gradients."""
    with torch.no_grad():
        return run(module.eval(), x_BCHW.clone())


def step(module: nn.Module, x_BCHW: Tensor) -> tuple[Tensor, Tensor | None]:
    """Pass a map through a block in training mode, and a random gradient back.

    Returns:
        The output, and the gradient of the map: None where none arrives. Those of the parameters
        stand in their `grad`.
    """
    leaf_BCHW = x_BCHW.clone().requires_grad_()
    module.train().zero_grad(set_to_none=True)
    # A block in a network gets what a layer computed, which it may write to, and no leaf.
    y = run(module, leaf_BCHW.clone())
    with guarded("aux_loss"), settings_kept():
        own = total_of(own_losses([module]), torch.zeros(len(y), dtype=torch.long))
    if y.requires_grad:
        weights = _noise(y.shape, 100).to(y)
        losses = [y] if own is None else [y, own]
        with guarded("backward"), settings_kept():
            torch.autograd.backward(losses, [weights, None][: len(losses)])
    return y.detach(), leaf_BCHW.grad


def shape_after(slot: Slot, x_BCHW: Tensor) -> tuple[int, ...]:
    """Return the shape that a block must give a map: its own, or that of the stage it replaces."""
    if not slot.replaces:
        return tuple(x_BCHW.shape)
    return (len(x_BCHW), slot.channels, slot.height, slot.width)


def resized(slot: Slot, height: int, width: int) -> Slot:
    """Return a slot with another size of map; what enters its stage is as much larger as before."""
    channels, rows, columns = slot.entering
    entering = (channels, height * rows // slot.height, width * columns // slot.width)
    return replace(slot, height=height, width=width, entering=entering)


def tensors(module: nn.Module) -> dict[str, Tensor]:
    """Return parameters and buffers by name."""
    named = chain(module.named_parameters(), module.named_buffers())
    return {name: tensor.detach() for name, tensor in named}


def largest_difference(one: Tensor, other: Tensor) -> float:
    """Return the largest absolute difference, relative to the largest number where that is over 1.

    Infinite where the shapes differ or a number is none.
    """
    if one.shape != other.shape:
        return float("inf")
    one, other = one.double(), other.double()
    difference = float((one - other).abs().max() / one.abs().max().clamp(min=1))
    return difference if difference == difference else float("inf")
