"""How a network's forward and backward passes are executed: eagerly, compiled, or as a CUDA graph.

Kernels and numbers of a CUDA graph are those of eager execution; a compiled network rounds
otherwise. What a block cannot do is found out on one batch before training, which is then eager.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from agfer_bench.errors import describe
from agfer_bench.measure.device_memory import release_memory
from agfer_bench.records.timing import Execution, Precision
from agfer_bench.training.arithmetic import autocast

ExecutionName = Literal["auto", "eager", "compile", "graph"]
"""What the user may ask for; `auto` is what pays."""

_SMALL_STEP = 1e12
"""Multiply-accumulates of a step below which a GPU waits for Python rather than Python for it: a
step of VGG16 is some 400 kernels of 10 microseconds of Python each, in which a large GPU does about
that much. An estimate; `bench/test_training.py` measures it on the device at hand."""

_BACKWARD = 2
"""A backward pass costs twice the forward one."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A network ready to be trained."""

    forward: Callable[[Tensor], Tensor]
    """(B, 3, H, W) to (B, M) logits, for batches of the size it was prepared with."""
    execution: Execution
    """How it runs."""
    fallback: str | None = None
    """Why it does not run as was wanted; None where it does."""


def choose(wanted: ExecutionName, device: torch.device, macs: int, batch_size: int) -> Execution:
    """Turn `auto` into what pays on a device.

    Args:
        wanted: What the user asks for.
        device: Where the network is trained.
        macs: Multiply-accumulates of the network for one image.
        batch_size: Images a step.
    """
    if wanted != "auto":
        return wanted
    small = (1 + _BACKWARD) * macs * batch_size < _SMALL_STEP
    return "graph" if device.type == "cuda" and small else "eager"


@contextmanager
def buffers_kept(network: nn.Module) -> Iterator[None]:
    """Put a network's buffers, say running means, back at the end as they were."""
    buffers = [buffer.clone() for buffer in network.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, before in zip(network.buffers(), buffers, strict=True):
                buffer.copy_(before)


def prepare(
    network: nn.Module, sample_BCHW: Tensor, execution: Execution, precision: Precision
) -> Prepared:
    """Make a network ready, or fall back to eager execution and say why.

    Args:
        network: In training mode, on the sample's device; left as it was.
        sample_BCHW: A batch of the size that is trained on.
        execution: What is wanted.
        precision: Arithmetic of the forward pass.
    """
    if execution == "eager":
        return Prepared(forward=network, execution="eager")
    device = sample_BCHW.device
    random = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    fallback = None
    forward: Callable[[Tensor], Tensor] = network
    with buffers_kept(network):
        try:
            with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
                forward = _MAKE[execution](network, sample_BCHW, precision)
                with autocast(precision, device):
                    logits_BM = forward(sample_BCHW)
                logits_BM.float().sum().backward()
        except (Exception, SystemExit) as error:
            fallback = f"{execution} failed: {describe(error)[:_LINE]}"
            forward, execution = network, "eager"
            if random is not None:
                _renew_generator(device, random)
        finally:
            network.zero_grad(set_to_none=True)
    if fallback is not None:
        release_memory()  # of what was captured; eager training may need it
    return Prepared(forward=forward, execution=execution, fallback=fallback)


def _renew_generator(device: torch.device, state: Tensor) -> None:
    """Give a GPU's generator a state of its own again.

    In torch 2.11 a capture that broke off leaves it bound to the graph, and dropout then fails.
    """
    index = torch.cuda.current_device() if device.index is None else device.index
    generator = torch.cuda.default_generators[index]
    generator.graphsafe_set_state(torch.Generator(device).graphsafe_get_state())
    generator.set_state(state)


_LINE = 200
"""A compiler's message may run over pages; so many characters of it are kept."""


def _compiled(
    network: nn.Module, sample_BCHW: Tensor, precision: Precision
) -> Callable[[Tensor], Tensor]:
    torch.compiler.reset()  # what was compiled for another network of the run is of no use
    compiled: Callable[[Tensor], Tensor] = torch.compile(network, dynamic=False)
    return compiled


class _Whole(nn.Module):
    """A network in a shell: capturing replaces the shell's forward, and leaves the network's."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x_BCHW: Tensor) -> Tensor:
        logits_BM: Tensor = self.network(x_BCHW)
        return logits_BM


def _graphed(
    network: nn.Module, sample_BCHW: Tensor, precision: Precision
) -> Callable[[Tensor], Tensor]:
    if sample_BCHW.device.type != "cuda":
        raise RuntimeError("CUDA graphs need a CUDA GPU")
    with autocast(precision, sample_BCHW.device):
        graphed: Any = torch.cuda.make_graphed_callables(
            _Whole(network).train(), (sample_BCHW,), allow_unused_input=True
        )
    return graphed  # type: ignore[no-any-return]


_MAKE: dict[Execution, Callable[..., Callable[[Tensor], Tensor]]] = {
    "compile": _compiled,
    "graph": _graphed,
}
