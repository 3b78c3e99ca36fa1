"""Arithmetic: what a device can do natively, and the global settings that choose it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import torch

from agfer_bench.records.timing import Precision

DTYPES: dict[Precision, torch.dtype] = {
    "fp32": torch.float32,
    "tf32": torch.float32,
    "bf16": torch.bfloat16,
}
"""Type of weights and maps."""

_AMPERE = (8, 0)
_CPU_BF16 = ("amx_bf16", "avx512_bf16", "bf16", "arm_bf16", "sve_bf16")


def native_bf16(device: torch.device) -> bool:
    """Tell whether a device multiplies bf16 in hardware; elsewhere it is emulated and slow."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in _CPU_BF16)


def supports_tf32(device: torch.device) -> bool:
    """Tell whether a device rounds the factors of fp32 products on request."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= _AMPERE


@contextmanager
def fp32_products(
    device: torch.device, *, tf32: bool, benchmark: bool = False, deterministic: bool = False
) -> Iterator[None]:
    """Choose how a GPU multiplies fp32: exactly, or with factors rounded to TF32.

    cuDNN rounds by default, and cuBLAS does in some images: then "fp32" would not be fp32.

    Args:
        device: Where to compute; a CPU is left alone.
        tf32: Whether factors are rounded.
        benchmark: Whether cuDNN tries its kernels first.
        deterministic: Whether cuDNN takes deterministic kernels alone.
    """
    if device.type != "cuda":
        yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    try:
        with torch.backends.cudnn.flags(
            enabled=True, benchmark=benchmark, deterministic=deterministic, allow_tf32=tf32
        ):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def exact_fp32(device: torch.device) -> AbstractContextManager[None]:
    """Keep fp32 as it is, as in training: nothing is rounded to TF32."""
    return fp32_products(device, tf32=False)


def rounded_fp32(device: torch.device) -> AbstractContextManager[None]:
    """Let convolutions and matrix products round to TF32, and cuDNN try its kernels first."""
    return fp32_products(device, tf32=True, benchmark=True)


def searched_kernels(device: torch.device) -> AbstractContextManager[None]:
    """Let cuDNN try its kernels first; fp32 stays exact."""
    return fp32_products(device, tf32=False, benchmark=True)


def tuned_settings(
    precision: Precision, device: torch.device
) -> Callable[[], AbstractContextManager[None]]:
    """Return what puts torch's global settings in place for a tuned network."""
    if precision == "tf32":
        return lambda: rounded_fp32(device)
    return lambda: searched_kernels(device)
