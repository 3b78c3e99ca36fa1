"""Seeds, derived so that no two purposes share a stream of random numbers."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from agfer_bench.errors import UserError


class Reseeded(UserError):
    """Somebody seeded torch anew where the harness had seeded it: a hidden change of numbers."""


def derive_seed(seed: int, purpose: str, *parts: int) -> int:
    """Derive a seed in 0 <= seed < 2**32 from a base seed, a purpose and, say, a fold.

    >>> derive_seed(0, "host", 1) == derive_seed(0, "host", 1)
    True
    >>> derive_seed(0, "host", 1) == derive_seed(0, "order", 1)
    False
    """
    text = ":".join([str(seed), purpose, *map(str, parts)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def generator(seed: int, purpose: str, *parts: int) -> torch.Generator:
    """Return a CPU generator with a derived seed."""
    return torch.Generator().manual_seed(derive_seed(seed, purpose, *parts))


@contextmanager
def seeded(device: torch.device, seed: int) -> Iterator[None]:
    """Seed the global generators of torch, NumPy and Python; put them back at the end.

    Dropout, and blocks that a stranger wrote, draw from the global generators.

    Raises:
        Reseeded: At the end torch has another seed.
    """
    devices = [torch.cuda.current_device()] if device.type == "cuda" else []
    python, numpy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            random.seed(seed)
            np.random.seed(seed)
            yield
            if torch.initial_seed() != seed:
                raise Reseeded(
                    f"torch's random numbers were re-seeded with {torch.initial_seed()}; a block "
                    "may draw them, or seed a torch.Generator of its own"
                )
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
