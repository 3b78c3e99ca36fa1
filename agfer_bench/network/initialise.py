"""Initial weights of the host.

Glorot is MATLAB's default, which the paper's network was trained under; He is the usual choice for
ReLU networks. Both as MATLAB defines them: fan-in and fan-out count a layer's inputs and outputs,
kernels included; biases are zero.
"""

from __future__ import annotations

import torch
from torch import nn


def initialise(module: nn.Module, scheme: str, generator: torch.Generator) -> None:
    """Set weights and biases of all convolutions and fully connected layers of the host.

    Args:
        module: The host, before any block is put in.
        scheme: `glorot` (uniform, variance 2 / (fan-in + fan-out); Glorot & Bengio 2010) or `he`
            (normal, variance 2 / fan-in; He et al. 2015, arXiv:1502.01852).
        generator: Source of the random numbers, on the CPU.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            if scheme == "glorot":
                nn.init.xavier_uniform_(layer.weight, generator=generator)
            else:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
