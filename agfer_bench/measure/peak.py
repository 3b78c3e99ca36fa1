"""What the device can do at best: matrix products and copies, measured in the same process.

Times of networks are compared with these: operations over the rate of products, bytes over that
of copies are floors that no network gets below.
"""

from __future__ import annotations

import statistics

import torch

from agfer_bench.measure.clock import Call, clock_for
from agfer_bench.measure.precision import exact_fp32, native_bf16, rounded_fp32, supports_tf32
from agfer_bench.records.speed import PeakRecord

_TRIES = 7
_CPU_SIDE, _CUDA_SIDE = 1024, 4096
_CPU_BYTES, _CUDA_BYTES = 256 * 2**20, 2**30


def measure_peak(device: torch.device) -> PeakRecord:
    """Return the best of several products of square matrices, and of several large copies."""
    cuda = device.type == "cuda"
    side = _CUDA_SIDE if cuda else _CPU_SIDE
    with exact_fp32(device):
        fp32 = _product(side, torch.float32, device)
    tf32 = None
    if supports_tf32(device):
        with rounded_fp32(device):
            tf32 = _product(side, torch.float32, device)
    return PeakRecord(
        side=side,
        fp32=fp32,
        tf32=tf32,
        bf16=_product(side, torch.bfloat16, device) if native_bf16(device) else None,
        copied_bytes=_CUDA_BYTES if cuda else _CPU_BYTES,
        bytes_per_second=_copy(_CUDA_BYTES if cuda else _CPU_BYTES, device),
    )


def _product(side: int, dtype: torch.dtype, device: torch.device) -> float:
    """Floating-point operations a second: 2 n³ for a product of two n × n matrices."""
    one, other = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    out = torch.empty_like(one)
    return 2 * side**3 / _best_seconds(lambda: torch.mm(one, other, out=out), device)


def _copy(size: int, device: torch.device) -> float:
    """Bytes a second, those read and those written."""
    source = torch.ones(size, dtype=torch.uint8, device=device)
    target = torch.zeros_like(source)
    return 2 * size / _best_seconds(lambda: target.copy_(source), device)


def _best_seconds(call: Call, device: torch.device) -> float:
    clock = clock_for(device)
    with torch.inference_mode():
        call()
        # Of three in a row the middle one: a single one may be flattered by the event's own grain.
        times = [statistics.median(clock.queued(call, 3)) for _ in range(_TRIES)]
    return min(times) / 1000
