"""Memory of the device: how much is free, and what running out of it looks like."""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch

_WORDS = (
    "can't allocate memory",
    "not enough memory",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_ALLOC_FAILED",
)
_MEMINFO = Path("/proc/meminfo")


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an exception says that memory ran out, on a GPU or on the CPU."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    # torch's CPU allocator raises a bare RuntimeError, as do cuDNN and cuBLAS.
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _WORDS)


def release_memory() -> None:
    """Give back what nothing refers to."""
    gc.collect()
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        with suppress(RuntimeError):  # a GPU that is lost has nothing to give back
            torch.cuda.empty_cache()


def free_memory(device: torch.device) -> Callable[[], int | None]:
    """Return a function that tells the free bytes of a device, None where the system does not.

    On the CPU this matters: Linux kills a process that takes too much, with all its rows.
    """
    if device.type == "cuda":
        return lambda: None  # CUDA says so itself, and nothing is lost
    return _available


def _available() -> int | None:
    try:
        for line in _MEMINFO.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    except (OSError, ValueError):
        pass
    return None


def is_lost(device: torch.device) -> bool:
    """Tell whether a GPU does not answer any more: after some errors no kernel runs on it."""
    if device.type != "cuda":
        return False
    try:
        torch.cuda.synchronize(device)
    except RuntimeError:
        return True
    return False
