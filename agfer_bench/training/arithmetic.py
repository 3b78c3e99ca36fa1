"""The arithmetic that a protocol asks for: fp32, TF32 or bf16, by deterministic kernels."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

from agfer_bench.errors import UserError
from agfer_bench.measure.precision import fp32_products, native_bf16, supports_tf32
from agfer_bench.records.timing import Precision


def check_precision(precision: Precision, device: torch.device) -> None:
    """Find out before any data are read whether a device has the arithmetic.

    Raises:
        UserError: It does not. Another arithmetic in its place would be another protocol.
    """
    if precision == "tf32" and device.type != "cuda":
        raise UserError("precision tf32 is arithmetic of CUDA GPUs; use --precision fp32 or bf16")
    if precision == "tf32" and not supports_tf32(device):
        name = torch.cuda.get_device_name(device)
        raise UserError(f"{name} has no TF32 arithmetic; use --precision fp32")
    if precision == "bf16" and device.type == "cuda" and not native_bf16(device):
        name = torch.cuda.get_device_name(device)
        raise UserError(f"{name} has no bf16 arithmetic; use --precision fp32")


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Return the context of a forward pass. Weights stay fp32; bf16 is used where it is safe."""
    if precision != "bf16":
        return nullcontext()
    # Kept casts would be those of one step when the pass is captured in a CUDA graph.
    return torch.autocast(device.type, dtype=torch.bfloat16, cache_enabled=device.type != "cuda")


@contextmanager
def arithmetic(precision: Precision, device: torch.device) -> Iterator[None]:
    """Choose deterministic kernels on CUDA where they exist, and TF32 only where it is asked for.

    CPU kernels are deterministic.
    """
    if device.type != "cuda":
        yield
        return
    # Without this cuBLAS is not deterministic; it is read when the first handle is made.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with fp32_products(device, tf32=precision == "tf32", deterministic=True):
            yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warns)
