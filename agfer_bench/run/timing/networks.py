"""Networks to be measured: each with its own blocks, all on the layers of one host.

Times and sizes do not depend on the weights' values, and ten hosts of 1.8 GB need not be in memory.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import nn

from agfer_bench.catalogue import Chosen
from agfer_bench.network.build import CPU, Network, build_block, host_shape
from agfer_bench.network.guidance import Guidance
from agfer_bench.network.host import Host, build_host
from agfer_bench.network.initialise import initialise
from agfer_bench.protocol import Protocol
from agfer_bench.record import MemoryFormat
from agfer_bench.seeds import derive_seed, generator, seeded
from agfer_bench.specs import AttentionSpec, Slot


class SharedHost:
    """Builds one network after another on the same convolutions and fully connected layers.

    Args:
        protocol: Every setting.
        classes: Classes of the last layer.
        device: Where networks are put.
    """

    def __init__(self, protocol: Protocol, classes: int, device: torch.device) -> None:
        self._protocol = protocol
        self._shape = host_shape(protocol, classes)
        self._device = device
        self._host: Host | None = None
        self._contiguous: nn.ModuleList | None = None

    def build(self, chosen: Chosen[AttentionSpec], memory_format: MemoryFormat) -> Network:
        """Build a network with a block, in evaluation mode, on the device.

        Raises:
            UserError: The plugin says that an option's value is wrong.
            PluginError: The block cannot be built.
        """
        # Its own layers are memory that nobody has touched, and are gone at once.
        host = build_host(self._shape, lambda slot: self._block(chosen, slot), lambda _: None)
        host.stages, host.head = self._layers(memory_format)
        guidance = None
        if self._protocol.guidance:
            side = self._shape.image_size  # which mask it is plays no part outside training
            guidance = Guidance(np.zeros((side, side), dtype=np.bool_), self._protocol.alpha)
        return Network(guidance, host, memory_format).to(self._device).eval()

    def _block(self, chosen: Chosen[AttentionSpec], slot: Slot) -> nn.Module:
        with seeded(CPU, derive_seed(self._protocol.seed, "block", 0, slot.stage)):
            return build_block(chosen, slot)

    def _layers(self, memory_format: MemoryFormat) -> tuple[nn.ModuleList, nn.Sequential]:
        if self._host is None:
            self._host = Host(self._shape, {})
            random = generator(self._protocol.seed, "host", 0)
            initialise(self._host, self._protocol.initialisation, random)
            self._host.stages.to(memory_format=torch.channels_last)
            self._host.to(self._device)
        if memory_format == "channels_last":
            return self._host.stages, self._host.head
        if self._contiguous is None:
            self._contiguous = copy.deepcopy(self._host.stages)
            self._contiguous.to(memory_format=torch.contiguous_format)
        return self._contiguous, self._host.head
