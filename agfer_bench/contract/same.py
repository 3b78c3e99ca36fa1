"""Whether two blocks compute the same function.

The weights of one are given to the other, mapped by shape and by the order in which they are used.
Then outputs and gradients are held against each other, and where they differ, the results of single
operations, to name the first that has no counterpart.

Shapes in names: B batch, C channels, H height, W width.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule, Interpreter, Node, Tracer

from agfer_bench.contract.block import (
    Block,
    Broken,
    largest_difference,
    look,
    normal_map,
    resized,
    step,
)
from agfer_bench.errors import describe
from agfer_bench.plugin.specs import Slot

_SAME = 1e-9
"""In fp64 results of one function that is written twice differ by less, relative to the largest."""
_STIRRED = 0.3
"""What all weights are moved by before they are mapped, so that none is 0 or 1 by chance."""


@dataclass(frozen=True, kw_only=True)
class Sameness:
    """What a comparison of two blocks found."""

    same: bool
    """Whether outputs and gradients agree at all sizes."""
    detail: str
    """What agrees and how closely, or what differs, in one line."""
    first: str = ""
    """The first operation without a counterpart, in words; empty where none could be named."""


def same_function(one: Block, other: Block, slots: Sequence[Slot]) -> Sameness:
    """Hold two blocks against each other in some slots, and at sizes beside theirs.

    Args:
        one: A block.
        other: Another.
        slots: Where they are built.
    """
    first, second = one.chosen.entry.spec, other.chosen.entry.spec
    if first.replaces != second.replaces:
        name = one.label if first.replaces else other.label
        return Sameness(same=False, detail=f"{name} replaces its stage, and the other does not")
    slots = [first.at(slot) for slot in slots]
    largest, tensors = 0.0, 0
    for slot in _with_odd_sizes(slots):
        where = f"{slot.channels} × {slot.height} × {slot.width}"
        try:
            ours, theirs = one.build(slot).double(), other.build(slot).double()
            _stir(ours)
            missing = _map_weights(ours, theirs)
            if missing:
                return Sameness(same=False, detail=f"at {where}: {missing}")
            x_BCHW = normal_map(slot).double()
            for what, a, b in _results(ours, theirs, x_BCHW):
                difference = largest_difference(a, b)
                if difference > _SAME:
                    return Sameness(
                        same=False,
                        detail=f"at {where} {what} differs by {difference:.2g}",
                        first=_first_apart(one.label, ours, other.label, theirs, x_BCHW),
                    )
                largest = max(largest, difference)
        except Broken as fault:
            return Sameness(same=False, detail=f"at {where}: {fault}")
        tensors = max(tensors, len(list(ours.parameters())))
    return Sameness(
        same=True,
        detail=f"{tensors} weight tensors were mapped; outputs and gradients agree to "
        f"{largest:.0e} at {len(_with_odd_sizes(slots))} sizes",
    )


def _with_odd_sizes(slots: Sequence[Slot]) -> list[Slot]:
    """Add maps that are no squares, and odd ones: padding and pooling differ there first."""
    first = slots[0]
    odd = [resized(first, height, width) for height, width in ((7, 7), (9, 5))]
    return [*slots, *odd]


def _stir(module: nn.Module) -> None:
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in module.parameters():
            tensor.add_(_STIRRED * torch.randn(tensor.shape, generator=random).to(tensor))
        for buffer in module.buffers():
            if buffer.is_floating_point():  # a running variance must stay above 0
                noise = torch.randn(buffer.shape, generator=random).abs()
                buffer.add_(_STIRRED * noise.to(buffer))


def _map_weights(ours: nn.Module, theirs: nn.Module) -> str:
    """Give one block's weights and buffers to the other; return what cannot be mapped."""
    to: dict[tuple[Any, ...], list[Tensor]] = defaultdict(list)
    for key, tensor in _in_order(theirs):
        to[key].append(tensor)
    given: dict[tuple[Any, ...], list[Tensor]] = defaultdict(list)
    for key, tensor in _in_order(ours):
        given[key].append(tensor)
    for key in sorted({*to, *given}, key=str):
        if len(to[key]) != len(given[key]):
            what, shape = key
            return (
                f"the one has {len(given[key])} {what} of shape {list(shape)}, the other "
                f"{len(to[key])}"
            )
        with torch.no_grad():
            for target, source in zip(to[key], given[key], strict=True):
                target.copy_(source.reshape(target.shape))
    return ""


def _in_order(module: nn.Module) -> Iterator[tuple[tuple[Any, ...], Tensor]]:
    """Yield a block's tensors by what they are and their shape without sides of 1.

    In the order in which a trace uses them; those that it does not name come last.
    """
    parameters = dict(module.named_parameters())
    named = parameters | {name: b for name, b in module.named_buffers() if b.is_floating_point()}
    for name in dict.fromkeys([*_used(module), *named]):
        if name in named:
            tensor = named[name]
            kind = "weights" if name in parameters else "buffers"
            yield (kind, tuple(side for side in tensor.shape if side != 1)), tensor


def _used(module: nn.Module) -> Iterator[str]:
    """Yield the names of the tensors that a trace uses, in order."""
    try:
        nodes = list(Tracer().trace(module).nodes)
    except (Exception, SystemExit):
        return
    for node in nodes:
        target = str(node.target)
        if node.op == "call_module":
            layer = module.get_submodule(target)
            for name, _ in (*layer.named_parameters(), *layer.named_buffers()):
                yield f"{target}.{name}"
        elif node.op == "get_attr":
            yield target


def _results(
    ours: nn.Module, theirs: nn.Module, x_BCHW: Tensor
) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Yield what both compute of a map: outputs, and gradients of the map and of the weights."""
    yield "the output in evaluation", look(ours, x_BCHW), look(theirs, x_BCHW)
    pairs = [step(module, x_BCHW) for module in (ours, theirs)]
    yield "the output in training", pairs[0][0], pairs[1][0]
    gradients = [pair[1] for pair in pairs]
    if gradients[0] is not None and gradients[1] is not None:
        yield "the gradient of the map", gradients[0], gradients[1]
    sums = []
    for module in (ours, theirs):
        found = (p.grad for p in module.parameters() if p.grad is not None)
        sums.append(
            torch.stack(
                [
                    torch.zeros((), dtype=torch.float64),
                    *(gradient.double().square().sum() for gradient in found),
                ]
            )
            .sum()
            .sqrt()
        )
    yield "the size of the weights' gradient", sums[0], sums[1]


class _Watched(Interpreter):
    """Runs a traced block and keeps the result of each operation."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__(GraphModule(block, Tracer().trace(block)))
        self.results: list[tuple[Node, Tensor]] = []

    def run_node(self, n: Node) -> Any:
        result = super().run_node(n)
        if isinstance(result, Tensor) and n.op not in ("placeholder", "output", "get_attr"):
            self.results.append((n, result.detach().clone()))
        return result


def _first_apart(name: str, ours: nn.Module, other: str, theirs: nn.Module, x_BCHW: Tensor) -> str:
    """Name the first operation of one whose result the other has nowhere."""
    try:
        watched = [_Watched(module.eval()) for module in (ours, theirs)]
        with torch.no_grad():
            for one in watched:
                one.run(x_BCHW.clone())
    except (Exception, SystemExit) as error:
        return f"operations cannot be told apart: {describe(error)}"
    known = [_flat(result) for _, result in watched[1].results]
    for node, result in watched[0].results:
        if not any(_equal(_flat(result), one) for one in known):
            return f"{_told(ours, node)} of {name} gives what no operation of {other} gives"
    return f"every result of {name} is one of {other}, which goes on from there"


def _flat(tensor: Tensor) -> Tensor:
    """Sort a result's numbers, so that another order of its sides counts as the same."""
    return tensor.double().flatten().sort().values


def _equal(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and largest_difference(one, other) <= _SAME


def _told(block: nn.Module, node: Node) -> str:
    if node.op == "call_module":
        layer = block.get_submodule(str(node.target))
        return f"{node.target} ({' '.join(repr(layer).split())})"
    target: Any = node.target
    return f"{getattr(target, '__name__', target)}()"
