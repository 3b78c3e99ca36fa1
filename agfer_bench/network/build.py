"""From a protocol and a chosen block to a network: guidance, host, blocks.

A block is a stranger's code. It is tried once in each slot before it is trusted, and whatever it
does wrong is raised as an error that names its distribution.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agfer_bench.catalogue import Chosen
from agfer_bench.containment import contained, told
from agfer_bench.errors import PluginError, UserError, describe
from agfer_bench.network.guidance import Guidance
from agfer_bench.network.host import Host, HostShape, build_host
from agfer_bench.network.initialise import initialise
from agfer_bench.protocol import Protocol
from agfer_bench.records import MemoryFormat
from agfer_bench.seeds import derive_seed, generator, seeded
from agfer_bench.specs import AttentionSpec, Slot

CPU = torch.device("cpu")

_LEAVE = "a block must leave alone what other modules run under"

_FORMATS: dict[MemoryFormat, torch.memory_format] = {
    "channels_last": torch.channels_last,
    "contiguous": torch.contiguous_format,
}


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
        self._format = _FORMATS[memory_format]
        host.stages.to(memory_format=self._format)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return logits of shape (B, M)."""
        x_BCHW = x_BCHW.contiguous(memory_format=self._format)
        if self.guidance is not None:
            x_BCHW = self.guidance(x_BCHW)
        logits_BM: Tensor = self.host(x_BCHW)
        return logits_BM


def host_shape(protocol: Protocol, classes: int) -> HostShape:
    """Return the host's layers and sizes under a protocol."""
    return HostShape(
        image_size=protocol.image_size,
        stride=protocol.stride,
        width=protocol.width,
        classes=classes,
        dropout=protocol.dropout,
    )


def build_block(chosen: Chosen[AttentionSpec], slot: Slot) -> nn.Module:
    """Build one block.

    Raises:
        UserError: The plugin says that an option's value is wrong.
        PluginError: The plugin raised anything else, returned something that is no module, or
            changed what other modules run under (which is put back).
    """
    name = chosen.label
    try:
        with contained(draws=True) as changes:
            block: Any = chosen.entry.spec.build(slot, **chosen.values)
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(
            chosen.entry.distribution,
            f"{name}: build failed at stage {slot.stage}: {describe(error)}",
        ) from error
    if changes:
        raise PluginError(chosen.entry.distribution, f"{name}: build {told(changes)}; {_LEAVE}")
    if not isinstance(block, nn.Module):
        raise PluginError(
            chosen.entry.distribution,
            f"{name}: build returned {type(block).__name__}, not a torch.nn.Module",
        )
    return block


def build_network(
    chosen: Chosen[AttentionSpec],
    protocol: Protocol,
    *,
    classes: int,
    mask: NDArray[np.bool_],
    fold: int,
    memory_format: MemoryFormat = "channels_last",
) -> Network:
    """Build a network on the CPU with the initial weights of one fold.

    The host's weights depend on seed and fold alone, so that all modules start from the same.

    Raises:
        PluginError: The block cannot be built.
    """
    random = generator(protocol.seed, "host", fold)

    def block(slot: Slot) -> nn.Module:
        with seeded(CPU, derive_seed(protocol.seed, "block", fold, slot.stage)):
            return build_block(chosen, slot)

    def weigh(host: nn.Module) -> None:
        initialise(host, protocol.initialisation, random)

    host = build_host(host_shape(protocol, classes), block, weigh)
    guidance = Guidance(mask, protocol.alpha) if protocol.guidance else None
    return Network(guidance, host, memory_format)


def try_block(chosen: Chosen[AttentionSpec], slots: Sequence[Slot]) -> MemoryFormat:
    """Build a block for every slot and pass one random map through each.

    Returns:
        How maps may lie in memory: contiguous for a block that fails on channels last, say since
        it calls `view`.

    Raises:
        UserError: The plugin says that an option's value is wrong.
        PluginError: The block cannot be built or is not a new one each time, raises, changes the
            shape or the type, changes its input, changes what other modules run under, or returns
            numbers that are not finite.
    """
    fault = None
    for memory_format in _FORMATS:
        fault = _first_fault(chosen, slots, _FORMATS[memory_format])
        if fault is None:
            return memory_format
    raise PluginError(chosen.entry.distribution, f"{chosen.label}: {fault}")


def _first_fault(
    chosen: Chosen[AttentionSpec], slots: Sequence[Slot], memory_format: torch.memory_format
) -> str | None:
    seen: dict[int, Tensor] = {}
    with seeded(CPU, derive_seed(0, "trial")):  # no seed that a block sets by chance
        # Twice: weights that come back would be trained on one fold and judged on another.
        for slot in (*slots, *slots):
            block = build_block(chosen, slot).eval()
            own = {id(tensor): tensor for tensor in (*block.parameters(), *block.buffers())}
            if own.keys() & seen.keys():
                return "build returned weights that it had returned before; it must make new ones"
            seen |= own
            x_BCHW = torch.randn(2, slot.channels, slot.height, slot.width)
            fault = _fault(block, x_BCHW.contiguous(memory_format=memory_format))
            if fault:
                return f"at stage {slot.stage} {fault}"
    return None


def _fault(block: nn.Module, x_BCHW: Tensor) -> str | None:
    before = x_BCHW.clone()
    try:
        with contained(draws=True) as changes, torch.no_grad():
            y: Any = block(x_BCHW)
    except (Exception, SystemExit) as error:
        return f"forward failed: {describe(error)}"
    if changes:
        return f"forward {told(changes)}; {_LEAVE}"
    if not isinstance(y, Tensor):
        return f"forward returned {type(y).__name__}, not a tensor"
    if y.shape != x_BCHW.shape:
        return f"forward changed the shape from {tuple(x_BCHW.shape)} to {tuple(y.shape)}"
    if y.dtype != x_BCHW.dtype:
        return f"forward changed the type from {x_BCHW.dtype} to {y.dtype}"
    if not torch.isfinite(y).all():
        return "forward returned numbers that are not finite"
    if not torch.equal(before, x_BCHW):
        return "forward changed its input"
    return None
