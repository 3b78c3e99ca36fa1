"""Initial weights rescaled on images, so that no layer begins with a signal too small or too large.

Layer-sequential unit variance (LSUV), Mishkin & Matas (2016), arXiv:1511.06422, on weights as they
were drawn instead of orthonormal ones. A host without normalisation is hard to train where gates of
its blocks damp the signal, one after the other; the layer behind a gate makes up for that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from agfer_bench.network.host import Host


def rescale_layers(host: Host, forward: Callable[[], object]) -> None:
    """Rescale each convolution and fully connected layer of the host to outputs of variance 1.

    Layers are taken in the order in which they are used, each with what the ones before it, already
    rescaled, and the blocks between them give. A layer whose outputs do not vary, or are not
    finite, is left as it is.

    Args:
        host: Its own layers are changed in place; its blocks are not.
        forward: Passes some images through the host.
    """

    def rescale(layer: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        handles.pop(layer).remove()  # a layer that is used twice counts as it is used first
        deviation = output.float().std()
        usable = torch.isfinite(deviation) & (deviation > 0)
        factor = torch.where(usable, 1 / deviation, 1.0)
        for parameter in layer.parameters(recurse=False):
            parameter.mul_(factor)
        return output * factor.to(output.dtype)

    handles: dict[nn.Module, RemovableHandle] = {
        layer: layer.register_forward_hook(rescale)
        for part in host.own_layers()
        for layer in part.modules()
        if isinstance(layer, nn.Conv2d | nn.Linear)
    }
    try:
        with torch.no_grad():
            forward()
    finally:
        for handle in handles.values():
            handle.remove()
