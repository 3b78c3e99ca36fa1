"""Guidance: a mask of brows, eyes and mouth laid over the input while training.

Arabian et al. (2023), doi:10.3390/app131810179, section 2.3, equation 1.

Shapes in names: B batch, C channels, H height, W width.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

ALPHA = 0.125
"""The paper's weight of what lies outside the mask."""


def fusion_weights(mask: NDArray[np.bool_], alpha: float) -> NDArray[np.float32]:
    """What the input is multiplied by in equation 1: mask + alpha.

    >>> fusion_weights(np.array([[True, False]]), 0.125).tolist()
    [[1.125, 0.125]]
    """
    return np.asarray(mask, dtype=np.float32) + np.float32(alpha)


class Guidance(nn.Module):
    """Multiply the input by (mask + alpha), in training mode only.

    Inside the mask the input is scaled by 1 + alpha, outside by alpha. In evaluation mode the
    input passes through, as in the paper ("used only during the training stage"), unless `always`
    is set, with which the masked validation accuracy is measured. With `while_training` off it
    passes through in training mode too: where only some images of a batch get the mask, it is laid
    over them before the network (`training.images`), which then does the same to every image.

    Source: doi:10.3390/app131810179, equation 1.

    Args:
        mask: Boolean (H, W): True on brows, eyes and mouth.
        alpha: Weight added to the mask, at least 0.
        while_training: Whether every image is multiplied in training mode.
    """

    def __init__(
        self, mask: NDArray[np.bool_], alpha: float = ALPHA, *, while_training: bool = True
    ) -> None:
        super().__init__()
        self.while_training = while_training
        self.always = False
        weight_HW = torch.from_numpy(fusion_weights(mask, alpha))
        self.register_buffer("weight_HW", weight_HW, persistent=False)
        self.weight_HW: Tensor

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the fused input, or the input itself."""
        if self.always or (self.training and self.while_training):
            return x_BCHW * self.weight_HW
        return x_BCHW
