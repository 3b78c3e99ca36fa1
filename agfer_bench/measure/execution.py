"""Executions: a network as written, compiled, or recorded into a CUDA graph.

Whatever the way, a bound network reads one input tensor that stays in place, so a new image is
copied into it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from agfer_bench.records.timing import Execution

_BEFORE_CAPTURE = 3
"""Passes on a side stream before a capture, as torch's notes on CUDA graphs ask for."""

_VERSIONS = 200
"""Compiled versions of one piece of code: networks times batch sizes."""

Forward = Callable[[Tensor], Tensor]
Bound = Callable[[], Tensor]
"""A pass of the tensor that the network was bound to."""


def executions(device: torch.device, *, compiled: bool) -> tuple[Execution, ...]:
    """Return the ways to run a network that a device knows, as written first.

    Args:
        device: The device.
        compiled: Whether `torch.compile` is among them.
    """
    graphs = device.type == "cuda"
    ways: list[Execution] = ["eager"]
    if graphs:
        ways.append("graph")
    if compiled:
        ways.append("compile")
    if graphs and compiled:
        ways.append("compile-graph")
    return tuple(ways)


def is_compiled(execution: Execution) -> bool:
    """Tell whether a way takes `torch.compile`."""
    return execution in ("compile", "compile-graph")


def forward_of(network: nn.Module, execution: Execution) -> Forward:
    """Return the network as it is called, compiled where that is asked for.

    Nothing is compiled before the first call, which raises what the compiler raises.
    """
    if not is_compiled(execution):
        return network
    # All networks are compiled from the same code: the default of 8 versions of it is soon reached,
    # and then torch runs what is left as it is written, with a warning at most.
    config = torch._dynamo.config
    config.recompile_limit = max(config.recompile_limit, _VERSIONS)
    return torch.compile(network)


def bind(forward: Forward, x_BCHW: Tensor, execution: Execution) -> Bound:
    """Return a pass of what lies in a tensor; logits of the last pass are overwritten by the next.

    Args:
        forward: From `forward_of`.
        x_BCHW: The input, whose contents may change between passes.
        execution: How it is run.

    Raises:
        Exception: Whatever compiling or capturing raises.
    """
    if execution in ("graph", "compile-graph"):
        return _captured(forward, x_BCHW)
    return lambda: forward(x_BCHW)


def _captured(forward: Forward, x_BCHW: Tensor) -> Bound:
    """Record one pass; a replay launches all its kernels at once."""
    device = x_BCHW.device
    with torch.inference_mode():
        side = torch.cuda.Stream(device)
        side.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(side):
            for _ in range(_BEFORE_CAPTURE):
                forward(x_BCHW)
        torch.cuda.current_stream(device).wait_stream(side)
        torch.cuda.synchronize(device)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            logits_BM = forward(x_BCHW)

    def replay() -> Tensor:
        graph.replay()
        return logits_BM

    return replay
