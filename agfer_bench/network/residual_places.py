"""Where blocks go in and around residual branches, found in a network's traced graph.

A residual network adds a branch of convolutions to what went into it (He et al. 2016,
arXiv:1512.03385). Hu et al. (2018), arXiv:1709.01507, section 6.5 and figure 5, put a block in one
of four places: behind the branch's last layer, before the addition (the standard); before the
branch; behind the addition and its activation; or on the way past the branch.

Shapes in names: B batch, C channels, H height, W width.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from timm.models._features_fx import get_notrace_functions, get_notrace_modules
from torch import Tensor, nn
from torch.fx import Graph, GraphModule, Node, Tracer
from torch.nn import functional

from agfer_bench.errors import UserError, describe

Close = Callable[[str, Tensor], Tensor]
"""Passes a map through the block of a slot, which is named by its key."""

_ADDITIONS: set[Any] = {operator.add, operator.iadd, torch.add}
_ACTIVATIONS: set[Any] = {
    functional.relu,
    functional.relu_,
    functional.gelu,
    functional.silu,
    torch.relu,
    torch.relu_,
}
_WEIGHTED = nn.Conv1d | nn.Conv2d | nn.Linear


class PlacedBlock(nn.Module):
    """A node of the graph that asks the host for a block.

    The block is not registered here: it is the host's, and the backbone's weights have the same
    names whatever the blocks are.
    """

    def __init__(self, key: str, close: Close) -> None:
        super().__init__()
        self.key = key
        self.close = close

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return what the host's block of this slot makes of a map."""
        return self.close(self.key, x_BCHW)


@dataclass(frozen=True, kw_only=True)
class Branch:
    """A branch that is added to what went into it."""

    addition: Node
    """The sum."""
    fork: Node
    """What went into the branch, and past it."""
    end: Node
    """What the branch computes."""
    past: Node
    """What came past it: the fork, or a projection of it."""
    inside: frozenset[Node]
    """The nodes of the branch."""


def trace(body: nn.Module, name: str) -> GraphModule:
    """Trace a network into a graph that computes the same in training and evaluation.

    Args:
        body: The network; its modules, and so its weights and their names, are those of the graph.
        name: Its name, for errors.

    Raises:
        UserError: It cannot be traced, or computes something else in training than in evaluation.
    """
    graphs: list[Graph] = []
    training = body.training
    try:
        for mode in (True, False):
            graphs.append(_dropout_as_modules(body.train(mode), _Tracer().trace(body)))
    except Exception as error:
        raise UserError(
            f"{name} cannot be traced to find its residual branches: {describe(error)}"
        ) from None
    finally:
        body.train(training)
    if str(graphs[0]) != str(graphs[1]):
        raise UserError(
            f"{name} computes something else in training than in evaluation, so that its residual "
            "branches cannot be told: choose another host, or place=stage"
        )
    return GraphModule(body, graphs[0])


def branches_of(traced: GraphModule) -> list[Branch]:
    """Find the residual branches of a graph, in the order of execution.

    Of the two sides of an addition the branch is the one with more layers of weights since the two
    parted; the other has one at most, a projection. Other additions are passed over.
    """
    order = {node: number for number, node in enumerate(traced.graph.nodes)}
    before: dict[Node, frozenset[Node]] = {}
    for node in order:
        inputs = node.all_input_nodes
        before[node] = frozenset(inputs).union(*(before[one] for one in inputs))
    found = [_branch(traced, node, before, order) for node in order if _adds_maps(node)]
    return [one for one in found if one is not None]


def stages_of(traced: GraphModule, branches: Sequence[Branch], names: Sequence[str]) -> list[int]:
    """Return the stage of each branch, counted from 1; stages end where timm says.

    Args:
        traced: The network.
        branches: Its branches.
        names: Dotted names of the modules that close the stages, in order.
    """
    order = {node: number for number, node in enumerate(traced.graph.nodes)}
    ends = [
        max((n for node, n in order.items() if _within(node, name)), default=-1) for name in names
    ]
    past = len(ends)
    stages = []
    for one in branches:
        number = order[one.addition]
        stages.append(next((n for n, end in enumerate(ends, start=1) if number <= end), past))
    return stages


def put(traced: GraphModule, place: str, branch: Branch, block: PlacedBlock) -> None:
    """Put a block into its place at a branch; `GraphModule.recompile` afterwards.

    Args:
        traced: The network; changed.
        place: `branch`, `pre`, `post` or `identity`.
        branch: The branch.
        block: The block.
    """
    target = f"placed_{block.key}"
    traced.add_submodule(target, block)
    at = {"branch": branch.end, "pre": branch.fork, "identity": branch.past}.get(place)
    at = at or _activation_behind(traced, branch.addition)
    if place == "branch":
        users: Iterable[Node] = (branch.addition,)
    elif place == "identity":
        users = (branch.addition,)
    elif place == "pre":
        users = tuple(user for user in at.users if user in branch.inside)
    else:
        users = tuple(at.users)
    with traced.graph.inserting_after(at):
        placed = traced.graph.call_module(target, (at,))
    for user in users:
        user.replace_input_with(at, placed)
    if branch.addition.target is operator.iadd:
        # A block may need its output for the gradient, and must not find the sum in its place.
        branch.addition.target = operator.add


class _Tracer(Tracer):
    """Traces timm's networks: what timm says must not be looked into is a node of its own."""

    def __init__(self) -> None:
        super().__init__(autowrap_functions=tuple(get_notrace_functions()))  # type: ignore[no-untyped-call]

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return super().is_leaf_module(m, module_qualified_name) or isinstance(m, _leaves())


@cache
def _leaves() -> tuple[type[nn.Module], ...]:
    return tuple(get_notrace_modules())  # type: ignore[no-untyped-call]


def _dropout_as_modules(body: nn.Module, graph: Graph) -> Graph:
    """Make modules of dropout functions, whose graph keeps the mode in which it was traced."""
    for number, node in enumerate([one for one in graph.nodes if one.target is functional.dropout]):
        share = node.args[1] if len(node.args) > 1 else node.kwargs.get("p", 0.5)
        target = f"dropout_{number}"
        body.add_module(target, nn.Dropout(float(str(share))))
        with graph.inserting_after(node):
            module = graph.call_module(target, (node.args[0],))
        node.replace_all_uses_with(module)
        graph.erase_node(node)
    return graph


def _adds_maps(node: Node) -> bool:
    adds = node.op == "call_function" and node.target in _ADDITIONS
    adds |= node.op == "call_method" and node.target in ("add", "add_")
    return adds and len(node.args) == 2 and all(isinstance(arg, Node) for arg in node.args)


def _branch(
    traced: GraphModule, addition: Node, before: dict[Node, frozenset[Node]], order: dict[Node, int]
) -> Branch | None:
    """Return the residual branch that an addition closes; None for another sum."""
    sides = addition.all_input_nodes
    if len(sides) != 2:
        return None
    up = [before[side] | {side} for side in sides]
    common = up[0] & up[1]
    if not common:
        return None
    fork = max(common, key=order.__getitem__)
    since = [frozenset(n for n in one if n not in common and fork in before[n]) for one in up]
    layers = [sum(_has_weights(traced, node) for node in one) for one in since]
    past, end = (0, 1) if layers[0] < layers[1] else (1, 0)
    if layers[past] > 1 or layers[past] == layers[end]:
        return None
    return Branch(addition=addition, fork=fork, end=sides[end], past=sides[past], inside=since[end])


def _has_weights(traced: GraphModule, node: Node) -> bool:
    if node.op != "call_module":
        return False
    parts = traced.get_submodule(str(node.target)).modules()
    return any(isinstance(part, _WEIGHTED) for part in parts)


def _within(node: Node, name: str) -> bool:
    """Tell whether a node is of a module, or of one inside it."""
    names = [str(node.target)] if node.op == "call_module" else []
    names += [str(path) for path, _ in (node.meta.get("nn_module_stack") or {}).values()]
    return any(one == name or one.startswith(f"{name}.") for one in names)


def _activation_behind(traced: GraphModule, addition: Node) -> Node:
    """Return the activation that alone reads a sum; the sum itself where none does."""
    users = list(addition.users)
    if len(users) != 1:
        return addition
    (user,) = users
    if user.op == "call_module":
        module = traced.get_submodule(str(user.target))
        kinds = (nn.modules.activation.__name__, "timm.layers.activations")
        return user if type(module).__module__.startswith(kinds) else addition
    return user if user.target in _ACTIVATIONS else addition
