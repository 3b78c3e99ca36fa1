"""Informational checks of what takes a block apart: export, compiler, ONNX.

Each takes seconds, so it looks at one slot.

Shapes in names: B batch, C channels, H height, W width.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from agfer_bench.contract.block import (
    Block,
    Broken,
    Skipped,
    guarded,
    largest_difference,
    look,
    normal_map,
)
from agfer_bench.contract.settings import settings_kept
from agfer_bench.plugin.specs import Slot

_SAME = 1e-4
"""Fused operators may move results by this, relative to the largest number."""


def export(block: Block, slot: Slot) -> str:
    """`torch.export` takes the block, and the exported program gives the same."""
    module, x_BCHW, expected = _prepared(block, slot)
    with _quiet("torch.export"), torch.no_grad():
        program = torch.export.export(module, (x_BCHW,))
        found = program.module()(x_BCHW)
    _same(expected, found)
    return ""


def compiles(block: Block, slot: Slot) -> str:
    """`torch.compile` takes the block, and what it makes gives the same."""
    if not _has_compiler():
        raise Skipped("no C++ compiler is installed")
    module, x_BCHW, expected = _prepared(block, slot)
    torch.compiler.reset()
    with _quiet("torch.compile"), torch.no_grad():
        found = torch.compile(module)(x_BCHW)
    torch.compiler.reset()
    _same(expected, found)
    return ""


def _has_compiler() -> bool:
    names = [os.environ.get("CXX", ""), "g++", "clang++", "c++", "cl"]
    return any(shutil.which(name) for name in names if name)


def onnx(block: Block, slot: Slot) -> str:
    """The block can be written as ONNX, and, run by ONNX Runtime, gives the same."""
    if importlib.util.find_spec("onnxscript") is None:
        raise Skipped("onnxscript is not installed")
    module, x_BCHW, expected = _prepared(block, slot)
    with _quiet("torch.onnx.export"):
        program: Any = torch.onnx.export(module, (x_BCHW,), dynamo=True, verbose=False)
        model = program.model_proto.SerializeToString()
    if importlib.util.find_spec("onnxruntime") is None:
        return "exported; onnxruntime is not installed to compare"
    import onnxruntime

    with guarded("onnxruntime"):
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        (found,) = session.run(None, {session.get_inputs()[0].name: x_BCHW.numpy()})
    _same(expected, torch.from_numpy(found))
    return "compared with ONNX Runtime"


def _prepared(block: Block, slot: Slot) -> tuple[nn.Module, Tensor, Tensor]:
    module, x_BCHW = block.build(slot).eval(), normal_map(slot)
    return module, x_BCHW, look(module, x_BCHW)


@contextmanager
def _quiet(doing: str) -> Iterator[None]:
    """Guard a tool of torch, and keep its warnings back: they are about torch's inside."""
    with guarded(doing), settings_kept(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _same(expected: Tensor, found: Tensor) -> None:
    difference = largest_difference(expected, found)
    if difference > _SAME:
        raise Broken(f"the output differs by {difference:.1g}")
