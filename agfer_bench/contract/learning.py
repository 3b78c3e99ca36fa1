"""Checks of training: gradients, and that the same input gives the same.

Shapes in names: B batch, C channels, H height, W width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agfer_bench.contract.block import Block, Broken, guarded, look, normal_map, step
from agfer_bench.network.build import CPU
from agfer_bench.plugin.specs import Slot
from agfer_bench.seeds import generator, seeded

_DRAWS = 8
"""Draws of weights and input before a parameter counts as one that does not learn."""


def finite_gradients(block: Block, slot: Slot) -> str:
    """In training all numbers are finite, and a gradient arrives at the input.

    One channel is zero all over, as a ReLU leaves it: there square roots and quotients break.
    """
    look_at_gradients(block.build(slot), slot, batch=2)
    return ""


def look_at_gradients(module: nn.Module, slot: Slot, *, batch: int) -> None:
    """Take one step and raise `Broken` where a number is not finite."""
    x_BCHW = normal_map(slot, batch=batch)
    x_BCHW[:, 0] = 0
    y_BCHW, to_x_BCHW = step(module, x_BCHW)
    if to_x_BCHW is None:
        raise Broken("no gradient arrives at the input")
    found = {"the output": y_BCHW, "the gradient of the input": to_x_BCHW}
    for name, parameter in module.named_parameters():
        if parameter.grad is not None:
            found[f"the gradient of {name}"] = parameter.grad
    for name, tensor in found.items():
        if not torch.isfinite(tensor).all():
            raise Broken(f"{name} is not finite where a channel is zero all over")


def every_parameter_learns(block: Block, slot: Slot) -> str:
    """Every parameter gets a gradient that is not zero, in at least one of several draws.

    Weights are moved off their initial values first: behind a gate that starts at zero nothing
    learns in the first step, and that is no fault. Nor is a ReLU that is dead in one draw.
    """
    module = block.build(slot)
    waiting = {name: p for name, p in module.named_parameters() if p.requires_grad}
    number = len(waiting)
    for draw in range(_DRAWS):
        if not waiting:
            break
        _nudge(module, draw)
        # Three images: of two, batch normalisation leaves no more than a sign.
        step(module, normal_map(slot, batch=3, draw=draw) - 0.2 * (draw % 3))
        waiting = {name: p for name, p in waiting.items() if not _learns(p)}
    if waiting:
        raise Broken(f"no gradient in {_DRAWS} draws at {', '.join(waiting)}")
    return f"{number} parameter tensors" if number else "no parameters"


def _nudge(module: nn.Module, draw: int) -> None:
    """Move all weights by a tenth of their size, and by a tenth."""
    random = generator(draw, "nudge")
    with torch.no_grad():
        for p in module.parameters():
            p.add_(0.1 * (1 + p.abs()) * torch.randn(p.shape, generator=random).to(p))


def _learns(parameter: nn.Parameter) -> bool:
    return parameter.grad is not None and bool((parameter.grad != 0).any())


def deterministic(block: Block, slot: Slot) -> str:
    """The same input gives the same output and the same gradients, bit by bit.

    In training under one seed, since dropout may draw, and by two fresh copies, since a pass may
    move running statistics; in evaluation under any.
    """
    module, copy, x_BCHW = block.build(slot), block.build(slot), normal_map(slot)
    with guarded("load_state_dict"):
        copy.load_state_dict(module.state_dict())
    first, second = _seeded_step(module, x_BCHW), _seeded_step(copy, x_BCHW)
    for name, tensor in first.items():
        if name not in second or not torch.equal(tensor, second[name]):
            raise Broken(f"two passes in training under one seed differ in {name}")
    if not torch.equal(_seeded_look(module, x_BCHW, 1), _seeded_look(module, x_BCHW, 2)):
        raise Broken("two passes in evaluation differ")
    return ""


def _seeded_step(module: nn.Module, x_BCHW: Tensor) -> dict[str, Tensor]:
    with seeded(CPU, 0, strict=False):
        y_BCHW, to_x_BCHW = step(module, x_BCHW)
    found = {"the output": y_BCHW}
    if to_x_BCHW is not None:
        found["the gradient of the input"] = to_x_BCHW
    for name, parameter in module.named_parameters():
        if parameter.grad is not None:
            found[f"the gradient of {name}"] = parameter.grad
    return found


def _seeded_look(module: nn.Module, x_BCHW: Tensor, seed: int) -> Tensor:
    with seeded(CPU, seed, strict=False):
        return look(module, x_BCHW)
