"""Networks to be measured: each with its own blocks, all on the layers of one host.

Times and sizes do not depend on the weights' values, and ten hosts of 1.8 GB need not be in memory.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import nn

from agfer_bench.network.build import Network, add_blocks, build_host, timm_name, vgg16_shape
from agfer_bench.network.guidance import Guidance
from agfer_bench.network.host import Host
from agfer_bench.network.vgg16 import Vgg16
from agfer_bench.plugin.catalogue import Chosen
from agfer_bench.plugin.specs import AttentionSpec
from agfer_bench.protocol import Protocol
from agfer_bench.records.base import MemoryFormat


class SharedHost:
    """Builds one network after another; those in VGG16 share its layers.

    A backbone of timm is small beside the paper's VGG16, and each network has its own.

    Args:
        protocol: Every setting.
        classes: Classes of the last layer.
        device: Where networks are put.
    """

    def __init__(self, protocol: Protocol, classes: int, device: torch.device) -> None:
        self._protocol = protocol
        self._classes = classes
        self._device = device
        self._host: Vgg16 | None = None
        self._contiguous: nn.ModuleList | None = None

    def build(self, chosen: Chosen[AttentionSpec], memory_format: MemoryFormat) -> Network:
        """Build a network with a block, in evaluation mode, on the device.

        Raises:
            UserError: The plugin says that an option's value is wrong.
            PluginError: The block cannot be built.
        """
        host = self._without_blocks(memory_format)
        add_blocks(host, chosen, self._protocol, classes=self._classes, fold=0)
        guidance = None
        if self._protocol.guidance:
            side = self._protocol.image_size  # which mask it is plays no part outside training
            guidance = Guidance(np.zeros((side, side), dtype=np.bool_), self._protocol.alpha)
        return Network(guidance, host, memory_format).to(self._device).eval()

    def _without_blocks(self, memory_format: MemoryFormat) -> Host:
        if timm_name(self._protocol) is not None:
            return build_host(self._protocol, self._classes, fold=0)
        # Its own layers are memory that nobody has touched, and are gone at once.
        host = Vgg16(vgg16_shape(self._protocol, self._classes), {})
        host.stages, host.head = self._layers(memory_format)
        return host

    def _layers(self, memory_format: MemoryFormat) -> tuple[nn.ModuleList, nn.Sequential]:
        if self._host is None:
            host = build_host(self._protocol, self._classes, fold=0)
            assert isinstance(host, Vgg16)
            host.lay_out(torch.channels_last)
            self._host = host.to(self._device)
        if memory_format == "channels_last":
            return self._host.stages, self._host.head
        if self._contiguous is None:
            self._contiguous = copy.deepcopy(self._host.stages)
            self._contiguous.to(memory_format=torch.contiguous_format)
        return self._contiguous, self._host.head
