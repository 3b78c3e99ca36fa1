"""Arithmetic: what a device can do natively, and the global settings that choose it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import torch

from agfer_bench.seeds import true_fp32
from agfer_bench.timings import Precision

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


def exact_fp32(device: torch.device) -> AbstractContextManager[None]:
    """Keep fp32 as it is, as in training: nothing is rounded to TF32."""
    return true_fp32(device)


@contextmanager
def rounded_fp32(device: torch.device) -> Iterator[None]:
    """Let convolutions and matrix products round to TF32, and cuDNN try its kernels first."""
    if device.type != "cuda":
        yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        with torch.backends.cudnn.flags(
            enabled=True, benchmark=True, deterministic=False, allow_tf32=True
        ):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def searched_kernels(device: torch.device) -> AbstractContextManager[None]:
    """Let cuDNN try its kernels first; fp32 stays exact."""
    return true_fp32(device, benchmark=True)


def tuned_settings(
    precision: Precision, device: torch.device
) -> Callable[[], AbstractContextManager[None]]:
    """Return what puts torch's global settings in place for a tuned network."""
    if precision == "tf32":
        return lambda: rounded_fp32(device)
    return lambda: searched_kernels(device)
