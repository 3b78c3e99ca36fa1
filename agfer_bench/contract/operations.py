"""The operations of a block as text, read off its traced graph, and how two blocks differ."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from torch import nn
from torch.fx import Node, Tracer

from agfer_bench.errors import UserError, describe


def operations(block: nn.Module) -> list[str]:
    """Trace a block and name each operation with its constants, in the order of execution.

    Raises:
        UserError: It cannot be traced, say since it branches on numbers.

    >>> layer = nn.Conv2d(8, 8, 1)
    >>> operations(nn.Sequential(layer, nn.Sigmoid(), layer))[1:]
    ['sigmoid()', 'Conv2d(8, 8, kernel_size=(1, 1), stride=(1, 1)), same weights again']
    """
    if isinstance(block, nn.Identity):
        return []
    try:
        nodes = list(Tracer().trace(block).nodes)
        lines = [line for node in nodes if (line := _line(block, node))]
    except (Exception, SystemExit) as error:
        raise UserError(f"cannot be traced: {describe(error)}") from error
    return lines


def differences(name: str, ours: Sequence[str], other: str, theirs: Sequence[str]) -> list[str]:
    """Return a unified diff of two lists of operations; empty where they are equal."""
    return list(difflib.unified_diff(ours, theirs, name, other, lineterm=""))


def _line(block: nn.Module, node: Node) -> str | None:
    if node.op == "call_module":
        return _layer(block, node)
    if node.op == "call_method":
        return None if node.target in _OF_SHAPES else _call(str(node.target), block, node)
    if node.op == "call_function":
        target: Any = node.target
        name = getattr(target, "__name__", str(target))
        if name in _OF_SHAPES or (name == "getitem" and _is_shape(node.args[0])):
            return None
        return _call(name, block, node)
    return None


_OF_SHAPES = {"dim", "getattr", "size"}
"""What asks for a shape: how an author gets at it is no part of what a block computes."""

_SPELT: dict[type[nn.Module], str] = {
    nn.GELU: "gelu",
    nn.ReLU: "relu",
    nn.SiLU: "silu",
    nn.Sigmoid: "sigmoid",
    nn.Tanh: "tanh",
}
"""Layers that are functions as well, by the function's name."""

_FUNCTIONS = {"relu_": "relu", "sigmoid_": "sigmoid", "mul_": "mul", "imul": "mul", "add_": "add"}
_FUNCTIONS |= {"iadd": "add", "multiply": "mul", "truediv": "div", "reshape": "view"}
"""Other spellings of an operation."""


def _is_shape(value: Any) -> bool:
    """Tell whether what is indexed is a shape."""
    return isinstance(value, Node) and (
        value.target == "size" or getattr(value.target, "__name__", "") == "getattr"
    )


def _layer(block: nn.Module, node: Node) -> str:
    layer = block.get_submodule(str(node.target))
    if type(layer) in _SPELT:
        return f"{_SPELT[type(layer)]}()"
    line = " ".join(repr(layer).split())
    nodes = node.graph.nodes
    first = next(other for other in nodes if (other.op, other.target) == (node.op, node.target))
    shared = first is not node and any(True for _ in layer.parameters())
    return f"{line}, same weights again" if shared else line


def _call(name: str, block: nn.Module, node: Node) -> str:
    """Write a call; what flows is left out, since its name in the graph says nothing."""
    name = _FUNCTIONS.get(name, name)
    parts = [_text(block, arg) for arg in node.args if not _flows(arg)]
    named = [(key, value) for key, value in node.kwargs.items() if not _flows(value)]
    return f"{name}({', '.join([*parts, *(f'{key}={_text(block, v)}' for key, v in named)])})"


def _flows(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return bool(value) and all(map(_flows, value))
    return isinstance(value, Node) and value.op != "get_attr"


def _text(block: nn.Module, value: Any) -> str:
    if isinstance(value, Node):
        return _weights(block, value) if value.op == "get_attr" else "…"
    if isinstance(value, slice):
        return ":".join(
            "" if end is None else _text(block, end) for end in (value.start, value.stop)
        )
    if isinstance(value, list | tuple):
        return f"({', '.join(_text(block, item) for item in value)})"
    return repr(value)


def _weights(block: nn.Module, node: Node) -> str:
    """Name a block's own tensor by its shape: what it is called differs between authors."""
    owner, _, name = str(node.target).rpartition(".")
    tensor: Any = getattr(block.get_submodule(owner), name)
    return f"weights{list(getattr(tensor, 'shape', ()))}"
