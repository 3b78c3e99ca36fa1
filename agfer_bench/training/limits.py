"""A GPU that is gone."""

from __future__ import annotations

import torch


class DeviceLost(Exception):
    """A GPU does not answer any more; nothing else can run on it in this process."""


def is_lost(device: torch.device) -> bool:
    """Tell whether a GPU does not answer any more: after some errors no kernel runs on it."""
    if device.type != "cuda":
        return False
    try:
        torch.cuda.synchronize(device)
    except RuntimeError:
        return True
    return False
