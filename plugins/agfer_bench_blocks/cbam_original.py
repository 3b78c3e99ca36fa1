"""CBAM: convolutional block attention module, as its authors have it.

Woo, Park, Lee & Kweon (2018), arXiv:1807.06521, section 3, equations 1 to 3.

The paper shows neither biases nor normalisation. As in the authors' own implementation both layers
of the MLP have a bias, and the spatial convolution has none but a batch normalisation after it,
with a momentum of 0.01. The block `cbam` is the one of Arabian et al. (2023).

Shapes in names: B batch, C channels, H height, W width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agfer_bench import AttentionSpec, Slot
from agfer_bench_blocks.layers import BatchNorm, at_least, glorot, odd


class CBAMOriginal(nn.Module):
    """A gate per channel, then a gate per position.

    Source: arXiv:1807.06521, equations 2 and 3.

    Args:
        channels: Channels C of the input.
        reduction: R; the MLP's bottleneck has max(1, C // R) channels.
        kernel: Side of the spatial convolution's kernel, odd.
    """

    def __init__(self, channels: int, reduction: int = 16, kernel: int = 7) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.mlp = nn.Sequential(
            nn.Conv2d(channels, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, channels, 1)
        )
        self.where = nn.Sequential(
            nn.Conv2d(2, 1, kernel, padding=kernel // 2, bias=False), BatchNorm(1, momentum=0.01)
        )
        glorot(self)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the input, each element scaled by a number in (0, 1)."""
        mean_BC11 = self.mlp(x_BCHW.mean(dim=(2, 3), keepdim=True))
        max_BC11 = self.mlp(x_BCHW.amax(dim=(2, 3), keepdim=True))
        x_BCHW = x_BCHW * torch.sigmoid(mean_BC11 + max_BC11)
        pooled_B2HW = torch.cat(
            [x_BCHW.amax(dim=1, keepdim=True), x_BCHW.mean(dim=1, keepdim=True)], dim=1
        )
        return x_BCHW * torch.sigmoid(self.where(pooled_B2HW))


def build(slot: Slot, *, reduction: int = 16, kernel: int = 7) -> nn.Module:
    """Build the original CBAM for one slot.

    Args:
        slot: Where the block goes.
        reduction: R, at least 1: how much narrower the bottleneck is than the input.
        kernel: Side of the spatial convolution's kernel, odd.
    """
    at_least(1, "cbam-original:reduction", reduction)
    odd("cbam-original:kernel", kernel)
    return CBAMOriginal(slot.channels, reduction, kernel)


SPEC = AttentionSpec(
    name="cbam-original",
    build=build,
    source="arXiv:1807.06521",
    summary="CBAM (Woo et al. 2018) as its authors have it: one MLP, batch normalisation",
    formula="2 * C * max(1, C // reduction) + max(1, C // reduction) + C + 2 * kernel * kernel + 2",
)
