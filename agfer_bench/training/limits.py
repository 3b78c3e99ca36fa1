"""Memory that runs out, and a GPU that is gone."""

from __future__ import annotations

import gc

import torch

_HOST = ("can't allocate memory", "not enough memory")
"""How torch's CPU allocator says that memory is out: it has no exception of its own for that."""


class DeviceLost(Exception):
    """A GPU does not answer any more; nothing else can run on it in this process."""


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an exception says that memory ran out, on a GPU or on the host."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _HOST)


def release(device: torch.device) -> None:
    """Give back memory that nothing uses any more."""
    gc.collect()  # networks in reference cycles
    if device.type == "cuda":
        torch.cuda.empty_cache()


def is_lost(device: torch.device) -> bool:
    """Tell whether a GPU does not answer any more: after some errors no kernel runs on it."""
    if device.type != "cuda":
        return False
    try:
        torch.cuda.synchronize(device)
    except RuntimeError:
        return True
    return False
