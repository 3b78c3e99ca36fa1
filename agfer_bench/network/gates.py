"""The gate of a block: what it multiplies its input by.

A block may offer its gate as a method, `gate(x)`; otherwise its forward pass is traced, and the
gate is read off the products that lead from the input to the output. Either is held against the
block's output before it is used.

Shapes in names: B batch, C channels, H height, W width.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, fx, nn

from agfer_bench.errors import describe
from agfer_bench.network.neutral import Neutral
from agfer_bench.network.residual import Residual
from agfer_bench.network.second_inputs import WithInputs

How = Literal["offered", "traced"]
"""Where a gate is from: the block's own method, or its traced forward pass."""

_CLOSE = 1e-3
"""Largest difference of output and input times gate, as a share of the output's root mean square:
a product in another order, or in bf16, rounds otherwise."""
_CLOSE_BF16 = 0.1

_UNDERFLOW = 1e-30
"""Products of numbers so small have lost digits."""


class NoGate(Exception):
    """A block's gate cannot be told; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Gate:
    """The gate of a block."""

    compute: Callable[[Tensor], Any]
    """From maps (B, C, H, W) to a tensor that broadcasts to their shape."""
    how: How
    """Where it is from."""

    def of(self, x_BCHW: Tensor) -> Tensor:
        """Return what the maps are multiplied by, in four dimensions and of the maps' type.

        Raises:
            NoGate: It is no tensor, does not broadcast to the maps, or is not finite.
        """
        try:
            gate = self.compute(x_BCHW)
        except (Exception, SystemExit) as error:
            raise NoGate(f"its gate cannot be computed: {describe(error)}") from error
        if not isinstance(gate, Tensor):
            raise NoGate(f"its gate is {type(gate).__name__}, not a tensor")
        shape, whole = tuple(gate.shape), tuple(x_BCHW.shape)
        gate = gate[(None,) * (4 - len(shape))]
        fits = zip(gate.shape, whole, strict=False)
        if len(shape) > 4 or any(own not in (1, size) for own, size in fits):
            raise NoGate(f"its gate has the shape {shape}, which does not fit maps of {whole}")
        if gate.device != x_BCHW.device:
            raise NoGate(f"its gate is on {gate.device}, and the maps are on {x_BCHW.device}")
        if not torch.isfinite(gate).all():
            raise NoGate("its gate is not finite")
        return gate.to(x_BCHW.dtype)

    def check(self, block: nn.Module, x_BCHW: Tensor) -> None:
        """Hold the gate against what the block makes of some maps.

        Raises:
            NoGate: The block's output is not the input times the gate.
        """
        y_BCHW: Tensor = block(x_BCHW).float()
        if y_BCHW.shape != x_BCHW.shape:
            raise NoGate("its output has another shape than its input")
        product_BCHW = (x_BCHW * self.of(x_BCHW)).float()
        exact = not torch.is_autocast_enabled(x_BCHW.device.type)
        close = _CLOSE if exact else _CLOSE_BF16
        # Beside the size of all together each number may be off by its own: in a network that is
        # nearly dead one number may be hundreds of times as large as their mean.
        most = float(((product_BCHW - y_BCHW).abs() - close * y_BCHW.abs()).max())
        if not most <= close * float(y_BCHW.square().mean().sqrt()) + _UNDERFLOW:
            raise NoGate("its output is not its input times its gate")


def find_gate(block: nn.Module) -> Gate:
    """Find the gate of a block in the mode, training or evaluation, that the block is in.

    Raises:
        NoGate: It offers none, and its forward pass is no product of the input with something.
    """
    if isinstance(block, WithInputs):
        raise NoGate("it is given more than its map")
    if isinstance(block, Residual):
        inner = find_gate(block.block)
        return Gate(compute=lambda x_BCHW: 1 + inner.of(x_BCHW), how=inner.how)
    if isinstance(block, Neutral):
        inner, factor = find_gate(block.block), block.factor
        return Gate(compute=lambda x_BCHW: inner.of(x_BCHW) * factor, how=inner.how)
    # A module that a block keeps under that name is a part of it, say its last activation.
    if callable(getattr(type(block), "gate", None)):
        offered: Any = block
        return Gate(compute=offered.gate, how="offered")
    try:
        return Gate(compute=_read_off(block, fx.Tracer().trace(block)), how="traced")
    except NoGate:
        raise
    except (Exception, SystemExit) as error:
        raise NoGate(
            f"it offers no gate(x), and its forward pass cannot be traced: {describe(error)}"
        ) from error


def _read_off(block: nn.Module, graph: fx.Graph) -> Callable[[Tensor], Any]:
    """Return the traced gate of a block."""
    x = next(node for node in graph.nodes if node.op == "placeholder")
    end = next(node for node in graph.nodes if node.op == "output")
    with graph.inserting_before(end):
        factor = _Factors(block, graph, x).of(end.args[0])
        if factor is None:
            raise NoGate("it offers no gate(x), and its output is no product with its input")
        if not isinstance(factor, fx.Node):
            one = graph.call_function(torch.ones_like, (x,))
            factor = graph.call_function(operator.mul, (one, factor))
        end.args = (factor,)
    found = fx.GraphModule(block, graph)
    found.graph.eliminate_dead_code()
    found.recompile()
    return found


_PRODUCTS = {operator.mul, torch.mul, torch.multiply, "mul", "multiply"}
_QUOTIENTS = {operator.truediv, torch.div, torch.true_divide, "div"}
_SUMS = {operator.add, torch.add, "add"}
_DIFFERENCES = {operator.sub, torch.sub, "sub"}
_MOVES = {
    *("reshape", "view", "permute", "transpose", "contiguous", "flatten", "unflatten", "movedim"),
    *("clone", "swapaxes", torch.reshape, torch.permute, torch.transpose, torch.flatten),
    *(torch.clone, torch.movedim, torch.swapaxes),
}
"""What only moves elements about."""

_Factor = fx.Node | float


class _Factors:
    """Finds f for a node that is the block's input times f, adding what it takes to the graph."""

    def __init__(self, block: nn.Module, graph: fx.Graph, x: fx.Node) -> None:
        self.block, self.graph, self.x = block, graph, x

    def of(self, node: Any) -> _Factor | None:
        """Return f, or None where a node is no such product."""
        if not isinstance(node, fx.Node):
            return None
        if node is self.x:
            return 1.0
        if node.op == "call_module":
            passes = isinstance(self.block.get_submodule(str(node.target)), nn.Identity)
            return self.of(node.args[0]) if passes else None
        if node.op not in ("call_function", "call_method") or not node.args:
            return None
        if node.target in _MOVES:
            return self._moved(node)
        if len(node.args) != 2 or node.kwargs:
            return None
        first, second = node.args
        if node.target in _PRODUCTS:
            return self._product(first, second)
        if node.target in _QUOTIENTS:
            factor = self.of(first)
            return None if factor is None else self._call(operator.truediv, factor, second)
        for targets, function in ((_SUMS, operator.add), (_DIFFERENCES, operator.sub)):
            if node.target in targets:
                one, other = self.of(first), self.of(second)
                return None if one is None or other is None else self._call(function, one, other)
        return None

    def _product(self, first: Any, second: Any) -> _Factor | None:
        for one, other in ((first, second), (second, first)):
            factor = self.of(one)
            if factor is not None:
                return self._call(operator.mul, factor, other)
        return None

    def _moved(self, node: fx.Node) -> _Factor | None:
        """Move the factor as its product is moved."""
        source = node.args[0]
        factor = self.of(source)
        if factor is None or factor == 1.0:
            return factor
        one = self.graph.call_function(torch.ones_like, (source,))
        whole = self.graph.call_function(operator.mul, (one, factor))
        add = self.graph.call_method if node.op == "call_method" else self.graph.call_function
        target: Any = node.target
        return add(target, (whole, *node.args[1:]), dict(node.kwargs))

    def _call(self, function: Callable[..., Any], first: Any, second: Any) -> _Factor:
        if isinstance(first, fx.Node) or isinstance(second, fx.Node):
            return self.graph.call_function(function, (first, second))
        found: float = function(first, second)
        return found
