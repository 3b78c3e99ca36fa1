"""What a network weighs: parameters, multiply-accumulates, layers."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.fx import GraphModule, Node, Tracer

from agfer_bench.measure.multiply_accumulates import Operations, count_operations
from agfer_bench.network.build import Network
from agfer_bench.network.vgg16 import Vgg16
from agfer_bench.protocol import Protocol
from agfer_bench.records.run import SizeRecord

_INPUT_SOFTMAX_OUTPUT = 3
"""MATLAB counts the input, the softmax and the classification output as layers."""

_RESHAPES = {
    "contiguous",
    "dim",
    "expand",
    "expand_as",
    "flatten",
    "getattr",
    "getitem",
    "permute",
    "reshape",
    "size",
    "squeeze",
    "transpose",
    "unflatten",
    "unsqueeze",
    "view",
    "view_as",
}
"""Operations that move no number: not layers in anybody's count."""


def measure_size(network: Network, protocol: Protocol) -> SizeRecord:
    """Count parameters, multiply-accumulates and layers of a network, in evaluation mode."""
    blocks = list(network.host.blocks.values())
    operations = multiply_accumulates(network, protocol.image_size)
    return SizeRecord(
        parameters=parameters(network),
        block_parameters=sum(parameters(block) for block in blocks),
        frozen_parameters=sum(map(_frozen, blocks)),
        macs=operations.total,
        uncounted=operations.uncounted,
        layers=layers(network),
    )


def parameters(module: nn.Module) -> int:
    """Count learnable parameters."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def _frozen(module: nn.Module) -> int:
    """Count parameters that are not learnable."""
    return sum(p.numel() for p in module.parameters() if not p.requires_grad)


def multiply_accumulates(network: nn.Module, image_size: int) -> Operations:
    """Count multiply-accumulates of convolutions and matrix products for one image."""
    parameter = next(network.parameters())
    image = torch.zeros(1, 3, image_size, image_size, device=parameter.device)
    return count_operations(network.eval(), image)


def layers(network: Network) -> int | None:
    """Count a network's layers as the paper does.

    None where a block cannot be traced, and for hosts other than VGG16: nobody has counted them so.

    VGG16 has 41 layers in MATLAB's count, pools, ReLUs, dropouts, input, softmax and output
    included; without the last pool 40. Each block adds its compute nodes and the guidance one:
    80 with AGFER, 92 with CBAM (Arabian et al. 2023, section 4).
    """
    host = network.host
    if not isinstance(host, Vgg16):
        return None
    own = [*host.stages.modules(), *host.pools, *host.head]
    kinds = nn.Conv2d | nn.ReLU | nn.MaxPool2d | nn.Linear | nn.Dropout
    total = _INPUT_SOFTMAX_OUTPUT + sum(isinstance(layer, kinds) for layer in own)
    for block in host.blocks.values():
        nodes = compute_nodes(block)
        if nodes is None:
            return None
        total += nodes
    return total + (network.guidance is not None)


def compute_nodes(block: nn.Module) -> int | None:
    """Count the operations of a block's traced graph, reshapes aside; None if it does not trace."""
    if isinstance(block, nn.Identity):
        return 0
    try:
        graph = Tracer().trace(block)
        module = GraphModule(block, graph)
    except Exception:
        return None
    return sum(_computes(node, module) for node in graph.nodes)


def _computes(node: Node, module: GraphModule) -> bool:
    if node.op == "call_module":
        return not isinstance(
            module.get_submodule(str(node.target)), nn.Identity | nn.Flatten | nn.Unflatten
        )
    if node.op == "call_function":
        target: Any = node.target
        return getattr(target, "__name__", "") not in _RESHAPES
    return node.op == "call_method" and node.target not in _RESHAPES
