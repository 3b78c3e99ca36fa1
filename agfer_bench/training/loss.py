"""The loss: cross-entropy, weighted by how rare a class is.

Arabian et al. (2023), doi:10.3390/app131810179, section 2.3, equation 2.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional


def class_weights(labels: NDArray[np.int64], classes: int) -> tuple[float, ...]:
    """Weight each class by N / (m * s_c): all images over classes times the class's images.

    Args:
        labels: (N,) classes of the training fold; each class occurs.
        classes: Number of classes m.

    >>> class_weights(np.array([0, 0, 0, 1]), 2)
    (0.6666666666666666, 2.0)
    """
    counts = np.bincount(labels, minlength=classes)
    return tuple(float(weight) for weight in len(labels) / (classes * counts))


def weighted_cross_entropy(
    logits_BM: Tensor,
    y_B: Tensor,
    weights_M: Tensor | None,
    images: int | None = None,
    smoothing: float = 0.0,
) -> Tensor:
    """Weighted cross-entropy, summed and divided by the number of images.

    That is MATLAB's definition. torch's own mean divides by the sum of the batch's weights, which
    would make a batch's gradient depend on which classes it happens to hold.

    Args:
        logits_BM: (B, M) outputs of the network.
        y_B: (B,) classes.
        weights_M: (M,) class weights, or None.
        images: Images of the whole batch, where these are a part of it: the losses of its parts
            then add up to its own. None: B.
        smoothing: Share of each label that is spread evenly over all classes; each class's part
            is weighted by the weight of that class (Szegedy et al. 2016, arXiv:1512.00567,
            section 7).
    """
    total = functional.cross_entropy(
        logits_BM.float(), y_B, weight=weights_M, reduction="sum", label_smoothing=smoothing
    )
    return total / (images or len(y_B))


def as_tensor(weights: tuple[float, ...] | None, device: torch.device) -> Tensor | None:
    """Put class weights on a device as float32 (M,)."""
    return None if weights is None else torch.tensor(weights, device=device)
