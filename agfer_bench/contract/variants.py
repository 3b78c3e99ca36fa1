"""What tells variants of a block apart: sizes, gates and operations in the slots of the host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from agfer_bench.contract.formula import evaluate
from agfer_bench.contract.operations import operations
from agfer_bench.contract.settings import settings_kept
from agfer_bench.errors import PluginError, UserError, describe
from agfer_bench.measure.gates import GateStatistics, gate_statistics
from agfer_bench.measure.multiply_accumulates import Operations, count_operations
from agfer_bench.measure.size import compute_nodes, parameters
from agfer_bench.network.build import CPU, build_block
from agfer_bench.plugin.catalogue import Chosen
from agfer_bench.plugin.specs import AttentionSpec, Slot
from agfer_bench.seeds import derive_seed, seeded


@dataclass(frozen=True, kw_only=True)
class InSlot:
    """A fresh block in one slot."""

    slot: Slot
    """The slot."""
    parameters: int
    """Learnable parameters."""
    declared: int | None
    """Parameters by the declared formula; None where none is declared or it does not evaluate."""
    macs: int | None
    """Multiply-accumulates of convolutions and matrix products for one image; None where an
    operator has no count."""
    uncounted: tuple[str, ...]
    """Operators without a count, by torch's names."""
    layers: int | None
    """Operations of the traced graph, reshapes aside; None where it cannot be traced."""
    gates: GateStatistics | None
    """How it scales what goes through it."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A block with its options, as far as it can be told without training."""

    label: str
    """Name in tables."""
    distribution: str
    """Name of the distribution that offers it."""
    source: str
    """Where it is published."""
    formula: str
    """Parameters as an expression; may be empty."""
    slots: tuple[InSlot, ...]
    """The block in each slot of the host."""
    operations: tuple[str, ...] | None
    """Operations in the first slot, in their order; None where it cannot be traced."""
    untraced: str = ""
    """Why it cannot be traced."""

    @property
    def macs(self) -> int | None:
        """Multiply-accumulates in all slots together; None where they are not counted in one."""
        counts = [one.macs for one in self.slots]
        known = [one for one in counts if one is not None]
        return sum(known) if len(known) == len(counts) else None

    @property
    def uncounted(self) -> tuple[str, ...]:
        """Operators without a count, in any slot, in alphabetical order."""
        return tuple(sorted({name for one in self.slots for name in one.uncounted}))


def describe_variant(chosen: Chosen[AttentionSpec], slots: Sequence[Slot]) -> Variant:
    """Build a block for each slot and describe it as it stands.

    Raises:
        PluginError: It cannot be built, or raises.
        UserError: An option's value is wrong.
    """
    entry = chosen.entry
    slots = [entry.spec.at(slot) for slot in slots]
    blocks = [_build(chosen, slot) for slot in slots]
    traced: tuple[str, ...] | None = None
    untraced = ""
    try:
        with settings_kept():  # to trace a block is to run its forward
            traced = tuple(operations(blocks[0]))
    except UserError as error:
        untraced = str(error)
    return Variant(
        label=chosen.label,
        distribution=entry.distribution,
        source=entry.spec.source,
        formula=entry.spec.formula,
        slots=tuple(_in_slot(chosen, *pair) for pair in zip(slots, blocks, strict=True)),
        operations=traced,
        untraced=untraced,
    )


def _build(chosen: Chosen[AttentionSpec], slot: Slot) -> nn.Module:
    with seeded(CPU, derive_seed(0, "variant", slot.stage)), settings_kept():
        return build_block(chosen, slot).eval()


def _in_slot(chosen: Chosen[AttentionSpec], slot: Slot, block: nn.Module) -> InSlot:
    try:
        with seeded(CPU, 0), settings_kept():
            counted = _count(block, slot)
            return InSlot(
                slot=slot,
                parameters=parameters(block),
                declared=_declared(chosen, slot),
                macs=counted.total,
                uncounted=counted.uncounted,
                layers=compute_nodes(block),
                gates=None if slot.replaces else gate_statistics(block, slot),
            )
    except (Exception, SystemExit) as error:
        raise PluginError(
            chosen.entry.distribution,
            f"{chosen.label}: forward failed at stage {slot.stage}: {describe(error)}",
        ) from error


def _declared(chosen: Chosen[AttentionSpec], slot: Slot) -> int | None:
    formula = chosen.entry.spec.formula
    try:
        return evaluate(formula, slot, chosen.arguments(slot)) if formula else None
    except UserError:
        return None


def _count(block: nn.Module, slot: Slot) -> Operations:
    return count_operations(block, torch.zeros(1, *slot.given))
