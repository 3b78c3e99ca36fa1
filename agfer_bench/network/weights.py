"""The hash of weights, by which two networks are known to have started alike."""

from __future__ import annotations

import hashlib

from torch import nn


def weights_sha256(*parts: nn.Module) -> str:
    """Hash the weights and buffers of some layers, one after the other."""
    digest = hashlib.sha256()
    for part in parts:
        for name, tensor in part.state_dict().items():
            digest.update(name.encode())
            digest.update(memoryview(tensor.detach().cpu().contiguous().numpy().ravel()))
    return digest.hexdigest()
