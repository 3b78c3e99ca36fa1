"""Torch's global settings and the states of the global generators: read, compared, put back."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

_SETTINGS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "default dtype": (torch.get_default_dtype, torch.set_default_dtype),
    "default device": (
        torch.get_default_device,
        # The CPU is what holds where nobody has set any; a set one slows down every call.
        lambda device: torch.set_default_device(None if device.type == "cpu" else device),
    ),
    "gradient mode": (torch.is_grad_enabled, torch.set_grad_enabled),
    "number of threads": (torch.get_num_threads, torch.set_num_threads),
    "deterministic algorithms": (
        torch.are_deterministic_algorithms_enabled,
        torch.use_deterministic_algorithms,
    ),
    "float32 matmul precision": (
        torch.get_float32_matmul_precision,
        torch.set_float32_matmul_precision,
    ),
}
"""How each of torch's global settings is read and set."""


def settings() -> dict[str, Any]:
    """Return torch's global settings by name."""
    return {name: read() for name, (read, _) in _SETTINGS.items()}


@contextmanager
def settings_kept() -> Iterator[None]:
    """Put torch's global settings back at the end."""
    before = settings()
    try:
        yield
    finally:
        for name, (read, write) in _SETTINGS.items():
            if read() != before[name]:
                write(before[name])


def generator_states() -> dict[str, bytes]:
    """Return the states of the global generators by the name of their library."""
    numpy: Any = np.random.get_state(legacy=False)
    return {
        "torch": torch.get_rng_state().numpy().tobytes(),
        "numpy": repr((numpy["state"]["pos"], numpy["state"]["key"].tobytes())).encode(),
        "random": repr(random.getstate()).encode(),
    }
