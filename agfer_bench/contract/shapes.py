"""Checks of a single pass: shape, types, the input, mates in the batch.

Shapes in names: B batch, C channels, H height, W width.
"""

from __future__ import annotations

import torch
from torch import Tensor

from agfer_bench.contract.block import (
    Block,
    Broken,
    largest_difference,
    look,
    normal_map,
    run,
    shape_after,
    step,
)
from agfer_bench.network.build import fault_of_shape
from agfer_bench.network.second_inputs import changes_noted
from agfer_bench.plugin.specs import Slot

_SAME = 1e-5
"""Results that differ by less, relative to the largest number, differ by rounding in fp32."""


def keeps_shape(block: Block, slot: Slot) -> str:
    """Shape, type and device of the output are the input's, and all its numbers are finite.

    Where the block replaces its stage, the shape is that of the stage's output.
    """
    x_BCHW = normal_map(slot)
    _compare(x_BCHW, look(block.build(slot), x_BCHW), shape_after(slot, x_BCHW))
    return ""


def autocasts(block: Block, slot: Slot) -> str:
    """It runs under autocast, as `--precision bf16` runs it: fp32 weights, a map in bf16."""
    x_BCHW = normal_map(slot, batch=1)
    for dtype in (torch.float32, torch.bfloat16):
        try:
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
                y_BCHW = look(block.build(slot), x_BCHW.to(dtype))
        except Broken as fault:
            raise type(fault)(f"in {_name(dtype)} {fault}") from None
        if not y_BCHW.is_floating_point():
            raise Broken(f"in {_name(dtype)} it returns {_name(y_BCHW.dtype)}")
        if not torch.isfinite(y_BCHW).all():
            raise Broken(f"in {_name(dtype)} it returns numbers that are not finite")
    return ""


def keeps_dtypes(block: Block, slot: Slot) -> str:
    """A block cast to a type gives that type."""
    x_BCHW = normal_map(slot, batch=1)
    for dtype in (torch.bfloat16, torch.float64):
        try:
            y_BCHW = look(block.build(slot).to(dtype), x_BCHW.to(dtype))
        except Broken as fault:
            raise Broken(f"in {_name(dtype)} {fault}") from None
        if y_BCHW.dtype != dtype:
            raise Broken(f"cast to {_name(dtype)}, it returns {_name(y_BCHW.dtype)}")
        if not torch.isfinite(y_BCHW).all():
            raise Broken(f"in {_name(dtype)} it returns numbers that are not finite")
    return ""


def leaves_its_input(block: Block, slot: Slot) -> str:
    """What goes in is the same afterwards, in evaluation and in training."""
    module, before = block.build(slot), normal_map(slot) - 0.5
    for training in (False, True):
        x_BCHW = before.clone()
        with torch.no_grad(), changes_noted(module) as changed:
            run(module.train(training), x_BCHW)
        mode = "training" if training else "evaluation"
        if not torch.equal(x_BCHW, before):
            raise Broken(f"forward changed its input in {mode}")
        if changed:
            raise Broken(f"forward changed its input {changed[0]} in {mode}")
    return ""


def ignores_batch_mates(block: Block, slot: Slot) -> str:
    """In evaluation the output for an image is the same alone, and beside whatever else."""
    module, x_BCHW = block.build(slot), normal_map(slot)
    step(module, x_BCHW)  # running statistics that are no longer those of the start
    beside = look(module, x_BCHW)[:1]
    for mates, image_BCHW in (
        ("beside another image", torch.cat([x_BCHW[:1], 3 * x_BCHW[1:] + 1])),
        ("alone", x_BCHW[:1]),
    ):
        difference = largest_difference(beside, look(module, image_BCHW)[:1])
        if difference > _SAME:
            raise Broken(f"the output for an image changes by {difference:.1g} {mates}")
    return ""


def _compare(x_BCHW: Tensor, y: Tensor, wanted: tuple[int, ...]) -> None:
    if y.shape != wanted:
        raise Broken(fault_of_shape(tuple(x_BCHW.shape), tuple(y.shape), wanted))
    if y.dtype != x_BCHW.dtype:
        raise Broken(f"forward changed the type from {_name(x_BCHW.dtype)} to {_name(y.dtype)}")
    if y.device != x_BCHW.device:
        raise Broken(f"forward changed the device from {x_BCHW.device} to {y.device}")
    if not torch.isfinite(y).all():
        raise Broken("forward returned numbers that are not finite")


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
