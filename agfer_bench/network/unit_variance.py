"""Initial weights rescaled on images, so that no layer begins with a signal too small or too large.

Layer-sequential unit variance (LSUV), Mishkin & Matas (2016), arXiv:1511.06422, on weights as they
were drawn instead of orthonormal ones. A host without normalisation is hard to train where gates of
its blocks damp the signal, one after the other; the layer behind a gate makes up for that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from agfer_bench.network.host import Host


def rescale_layers(host: Host, forward: Callable[[], object], *, in_parts: bool = False) -> None:
    """Rescale each convolution and fully connected layer of the host to outputs of variance 1.

    Layers are taken in the order in which they are used, each with what the ones before it, already
    rescaled, and the blocks between them give. A layer whose outputs do not vary, or are not
    finite, is left as it is.

    Args:
        host: Its own layers are changed in place; its blocks are not.
        forward: Passes some images through the host.
        in_parts: Whether it does so in several passes, whose outputs count together. It is then
            called once for each layer, and once more.
    """
    layers = [
        layer
        for part in host.own_layers()
        for layer in part.modules()
        if isinstance(layer, nn.Conv2d | nn.Linear)
    ]
    with torch.no_grad():
        if in_parts:
            _one_by_one(layers, forward)
        else:
            _at_once(layers, forward)


def _at_once(layers: Sequence[nn.Module], forward: Callable[[], object]) -> None:
    def rescale(layer: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        handles.pop(layer).remove()  # a layer that is used twice counts as it is used first
        return output * _rescale(layer, output.float().std()).to(output.dtype)

    handles: dict[nn.Module, RemovableHandle] = {
        layer: layer.register_forward_hook(rescale) for layer in layers
    }
    try:
        forward()
    finally:
        for handle in handles.values():
            handle.remove()


def _one_by_one(layers: Sequence[nn.Module], forward: Callable[[], object]) -> None:
    left = set(layers)
    current: list[nn.Module] = []
    sums: list[Tensor] = []

    def watch(layer: nn.Module, inputs: Any, output: Tensor) -> None:
        if layer in left and not current:
            current.append(layer)
        if layer in current:
            values = output.double()
            count = values.new_tensor(values.numel())
            sums.append(torch.stack([count, values.sum(), values.square().sum()]))

    handles = [layer.register_forward_hook(watch) for layer in layers]
    try:
        while True:
            forward()
            if not current:
                return
            count, total, squares = torch.stack(sums).sum(dim=0)
            variance = (squares - total * total / count) / (count - 1)
            _rescale(current[0], variance.sqrt().float())
            left.discard(current.pop())
            sums.clear()
    finally:
        for handle in handles:
            handle.remove()


def _rescale(layer: nn.Module, deviation: Tensor) -> Tensor:
    """Divide a layer's parameters by the deviation of its outputs; return the factor."""
    usable = torch.isfinite(deviation) & (deviation > 0)
    factor = torch.where(usable, 1 / deviation, 1.0)
    for parameter in layer.parameters(recurse=False):
        parameter.mul_(factor)
    return factor
