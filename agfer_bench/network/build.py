"""From a protocol and a chosen block to a network: guidance, host, blocks.

A block is a stranger's code: whatever it does wrong when it is built is raised as an error that
names its distribution. `trial` tries it before it is trusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from agfer_bench.errors import PluginError, UserError, describe
from agfer_bench.network.gates import NoGate
from agfer_bench.network.guidance import Guidance
from agfer_bench.network.host import Host, slot_key
from agfer_bench.network.initialise import initialise
from agfer_bench.network.pretrained import Pretrained, keep_weights, settle
from agfer_bench.network.residual import Residual
from agfer_bench.network.second_inputs import UnknownArgument, with_inputs
from agfer_bench.network.timm_host import PREFIX, TimmHost, trace_slots
from agfer_bench.network.twins import twin_of
from agfer_bench.network.vgg16 import Vgg16, Vgg16Shape
from agfer_bench.plugin.catalogue import Chosen
from agfer_bench.plugin.containment import contained, ordinary, told
from agfer_bench.plugin.options import CONTROL, NEUTRAL, RESIDUAL
from agfer_bench.plugin.specs import AttentionSpec, Slot
from agfer_bench.protocol import SCRATCH, STAGE, VGG16, Protocol
from agfer_bench.records.run import MemoryFormat
from agfer_bench.seeds import derive_seed, generator, seeded

CPU = torch.device("cpu")

LEAVE = "a module must leave alone what other modules run under"
"""Ends an error about code that changed what it must not."""

FORMATS: dict[MemoryFormat, torch.memory_format] = {
    "channels_last": torch.channels_last,
    "contiguous": torch.contiguous_format,
}
"""Torch's names for how maps lie in memory, the faster one first."""


class Network(nn.Module):
    """Guidance, if the protocol has it, in front of the host.

    Input (B, 3, H, W) float, output (B, M) logits. Maps lie in memory channels last, which
    convolutions are faster with, or contiguous where a block cannot do with that.
    """

    def __init__(
        self, guidance: Guidance | None, host: Host, memory_format: MemoryFormat = "channels_last"
    ) -> None:
        super().__init__()
        self.guidance = guidance
        self.host = host
        self.memory_format = memory_format
        self._format = FORMATS[memory_format]
        host.lay_out(self._format)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return logits of shape (B, M)."""
        x_BCHW = x_BCHW.contiguous(memory_format=self._format)
        if self.guidance is not None:
            x_BCHW = self.guidance(x_BCHW)
        logits_BM: Tensor = self.host(x_BCHW)
        return logits_BM


def slots_of(protocol: Protocol, classes: int) -> list[Slot]:
    """Return the slots of the protocol's host, in the order of the stages.

    Raises:
        UserError: The host has no such stage, or cannot take images of that size.
    """
    name = timm_name(protocol)
    slots: Sequence[Slot]
    if name is None:
        slots = vgg16_shape(protocol, classes).slots()
    else:
        slots = trace_slots(
            name,
            image_size=protocol.image_size,
            classes=classes,
            block_stages=protocol.slots,
            place=protocol.place,
        )
    stages = sorted({slot.stage for slot in slots})
    before = (3, protocol.image_size, protocol.image_size)
    found = []
    for number, slot in enumerate(slots):
        where = stages.index(slot.stage)
        slot = replace(slot, number=number, stages=len(stages), stage_number=where, previous=before)
        found.append(slot)
        before = (slot.channels, slot.height, slot.width)
    return found


def timm_name(protocol: Protocol) -> str | None:
    """Return the name of the timm architecture that is the host; None for VGG16."""
    return protocol.host.removeprefix(PREFIX) if protocol.host.startswith(PREFIX) else None


def vgg16_shape(protocol: Protocol, classes: int) -> Vgg16Shape:
    """Return the layers and sizes of VGG16 under a protocol."""
    return Vgg16Shape(
        image_size=protocol.image_size,
        stride=protocol.stride,
        width=protocol.width,
        classes=classes,
        dropout=protocol.dropout,
        block_stages=protocol.slots,
        place=protocol.place,
    )


def build_host(
    protocol: Protocol, classes: int, fold: int, pretrained: Pretrained | None = None
) -> Host:
    """Build the host without blocks, with the initial weights of one fold.

    They depend on seed and fold alone, so that all modules start from the same.

    Raises:
        UserError: timm has no such architecture, or the pretrained weights are gone.
    """
    random = generator(protocol.seed, "host", fold)
    with seeded(CPU, derive_seed(protocol.seed, "host", fold)):
        host = _bare_host(protocol, classes)
    if protocol.initialisation != "own":
        initialise(host, protocol.initialisation, random)
    if pretrained is not None:
        pretrained.load_into(host)
    return host


def build_block(chosen: Chosen[AttentionSpec], slot: Slot) -> nn.Module:
    """Build one block.

    Raises:
        UserError: The plugin says that an option's value is wrong.
        PluginError: The plugin raised anything else, returned something that is no module, or
            changed what other modules run under (which is put back).
    """
    with contained(draws=True) as changes:
        block = build_uncontained(chosen, slot)
    if changes:
        owner = chosen.entry.distribution
        raise PluginError(owner, f"{chosen.label}: build {told(changes)}; {LEAVE}")
    return block


def build_uncontained(chosen: Chosen[AttentionSpec], slot: Slot) -> nn.Module:
    """Build one block, and leave as it is what the plugin may have changed around it.

    Raises:
        UserError: The plugin says that an option's value is wrong.
        PluginError: The plugin raised anything else, or returned something that is no module; or
            an option needs the block's gate, and it cannot be told.
    """
    owner, name = chosen.entry.distribution, chosen.label
    slot = chosen.entry.spec.at(slot)
    arguments = chosen.arguments(slot)
    residual = arguments.pop(RESIDUAL, False)
    neutral, control = arguments.pop(NEUTRAL, False), arguments.pop(CONTROL, "none")
    if slot.replaces and (residual or neutral or control != "none"):
        raise UserError(
            f"{name}: the block replaces its stage; {RESIDUAL}, {NEUTRAL} and {CONTROL} are for "
            "blocks that keep their map's shape"
        )
    try:
        with ordinary():
            block: Any = chosen.entry.spec.build(slot, **arguments)
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(
            owner, f"{name}: build failed at {place_of(slot)}: {describe(error)}"
        ) from error
    if not isinstance(block, nn.Module):
        kind = type(block).__name__
        raise PluginError(owner, f"{name}: build returned {kind}, not a torch.nn.Module")
    try:
        block = with_inputs(block, slot)
    except UnknownArgument as error:
        raise PluginError(owner, f"{name}: {error}") from None
    block = Residual(block) if residual else block
    try:
        return twin_of(block, slot, neutral=neutral, control=control)
    except NoGate as error:
        raise PluginError(owner, f"{name} needs the gate of the block: {error}") from error


def place_of(slot: Slot) -> str:
    """Say where a block stands, with the size of its maps: channels, height and width."""
    where = "" if slot.place == STAGE else f", {slot.place} {slot.position}"
    return f"stage {slot.stage}{where} ({slot.channels} × {slot.height} × {slot.width})"


def fault_of_shape(given: Sequence[int], got: Sequence[int], wanted: Sequence[int]) -> str:
    """Say which shape came out of a block, and which should have."""
    if given == wanted:
        return f"forward changed the shape from {given} to {got}"
    return f"forward returned the shape {got} and not {wanted}, that of the stage it replaces"


def _bare_host(protocol: Protocol, classes: int) -> Host:
    """Build the host as it comes: VGG16's weights are undefined, timm's are as timm draws them."""
    name = timm_name(protocol)
    if name is None:
        return Vgg16(vgg16_shape(protocol, classes), {})
    return TimmHost(
        name,
        classes=classes,
        dropout=protocol.dropout,
        block_stages=protocol.slots,
        place=protocol.place,
    )


def sketch_host(protocol: Protocol) -> Host:
    """Build the host for its layers and shapes alone: VGG16's weights take no memory.

    Raises:
        UserError: The host has no such stage, or cannot take images of that size.
    """
    slots_of(protocol, classes=2)
    with (
        seeded(CPU, 0),
        torch.device("meta" if timm_name(protocol) is None else "cpu"),
    ):
        return _bare_host(protocol, classes=2)


def normalises_batches(protocol: Protocol) -> bool:
    """Tell whether the host has a batch normalisation.

    Its running statistics are those of the images that it was trained on: it suffers most from a
    mask that is laid over every training image and over none that is judged.
    """
    return any(isinstance(part, _BatchNorm) for part in sketch_host(protocol).modules())


def find_pretrained(
    protocol: Protocol, choice: str | None, cache: Path, *, own_input: bool
) -> tuple[Protocol, Pretrained | None]:
    """Find the pretrained weights, and return the protocol that names them.

    Args:
        protocol: Names the host.
        choice: `timm`, a file, or None for no such weights.
        cache: Where they are kept.
        own_input: Whether the input is normalised as the weights want it.

    Raises:
        UserError: They cannot be had, do not fit the host, or are not those of the protocol.
    """
    if choice is None:
        if protocol.pretrained != SCRATCH:
            raise UserError(
                f"the protocol starts from {protocol.pretrained[:40]}…; give it with --pretrained"
            )
        return protocol, None
    name = timm_name(protocol)
    if name is None and protocol.width != 1:
        raise UserError(
            f"--pretrained: the weights are of width 1 and the host of {protocol.width:g}; "
            "add --width 1"
        )
    found = keep_weights(choice, name or VGG16, sketch_host(protocol), cache)
    return settle(protocol, found, own_input=own_input), found


def build_network(
    chosen: Chosen[AttentionSpec],
    protocol: Protocol,
    *,
    classes: int,
    mask: NDArray[np.bool_],
    fold: int,
    memory_format: MemoryFormat = "channels_last",
    pretrained: Pretrained | None = None,
) -> Network:
    """Build a network on the CPU with the initial weights of one fold.

    Raises:
        PluginError: The block cannot be built.
    """
    host = build_host(protocol, classes, fold, pretrained)
    add_blocks(host, chosen, protocol, classes=classes, fold=fold)
    guidance = None
    if protocol.guidance:
        every = protocol.guidance_share == 1
        guidance = Guidance(mask, protocol.alpha, while_training=every)
    return Network(guidance, host, memory_format)


def add_blocks(
    host: Host, chosen: Chosen[AttentionSpec], protocol: Protocol, *, classes: int, fold: int
) -> None:
    """Put a fresh block into every slot; its weights depend on seed, fold and slot.

    Raises:
        UserError: The plugin says that an option's value is wrong, or its block replaces a stage
            whose layers cannot be taken out.
        PluginError: The block cannot be built.
    """
    for slot in slots_of(protocol, classes):
        number = (slot.stage,) if slot.place == STAGE else (slot.stage, slot.position)
        with seeded(CPU, derive_seed(protocol.seed, "block", fold, *number)):
            key = slot_key(slot.stage, slot.position, slot.place)
            host.blocks[key] = build_block(chosen, slot)
        if chosen.entry.spec.replaces:
            host.replace_stage(slot.stage)
    host.connect()
