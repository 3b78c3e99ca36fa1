"""Convolutional block attention module, as Arabian et al. changed it, and the original.

Woo, Park, Lee & Kweon (2018), arXiv:1807.06521, section 3; as used by Arabian et al. (2023),
doi:10.3390/app131810179, section 2.2.2, figure 3 (there: CBAM-FER).

By default the averaged and the maximal features each go through an MLP of their own, as Arabian
et al. have it; `shared_mlp=true` sends both through one, as Woo et al. have it. Departs from Woo
et al.'s code in that the spatial convolution has a bias and no batch normalisation after it, since
the paper's figure 3 shows none. `amax` stands for global max pooling: the backward pass of
adaptive max pooling is not deterministic on CUDA.

Shapes in names: B batch, C channels, H height, W width.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from agfer_bench import AttentionSpec, Slot, UserError, hookimpl


def _mlp(channels: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, channels, 1))


class CBAM(nn.Module):
    """A gate per channel, then a gate per position.

    Source: arXiv:1807.06521, equations 2 and 3; doi:10.3390/app131810179, figure 3.

    Args:
        channels: Channels C of the input.
        reduction: R; each MLP's bottleneck has max(1, C // R) channels.
        shared_mlp: One MLP for averages and maxima (Woo et al.) or one for each (Arabian et al.).
    """

    def __init__(self, channels: int, reduction: int = 16, *, shared_mlp: bool = False) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.mlp_mean = _mlp(channels, hidden)
        self.mlp_max = self.mlp_mean if shared_mlp else _mlp(channels, hidden)
        self.where = nn.Conv2d(2, 1, 7, padding=3)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the input, each element scaled by a number in (0, 1)."""
        x_BCHW = x_BCHW * self.channel_gate(x_BCHW)
        return x_BCHW * self.spatial_gate(x_BCHW)

    def channel_gate(self, x_BCHW: Tensor) -> Tensor:
        """Return what each channel is scaled by: (B, C, 1, 1)."""
        mean_BC11 = self.mlp_mean(x_BCHW.mean(dim=(2, 3), keepdim=True))
        max_BC11 = self.mlp_max(x_BCHW.amax(dim=(2, 3), keepdim=True))
        return torch.sigmoid(mean_BC11 + max_BC11)

    def spatial_gate(self, x_BCHW: Tensor) -> Tensor:
        """Return what each position of a scaled map is scaled by: (B, 1, H, W)."""
        pooled_B2HW = torch.cat(
            [x_BCHW.amax(dim=1, keepdim=True), x_BCHW.mean(dim=1, keepdim=True)], dim=1
        )
        return torch.sigmoid(self.where(pooled_B2HW))

    def gate(self, x_BCHW: Tensor) -> Tensor:
        """Return what each element is scaled by: (B, C, H, W), both gates multiplied."""
        which_BC11 = self.channel_gate(x_BCHW)
        return which_BC11 * self.spatial_gate(x_BCHW * which_BC11)


def build(slot: Slot, *, reduction: int = 16, shared_mlp: bool = False) -> nn.Module:
    """Build a CBAM block for one slot.

    Args:
        slot: Where the block goes.
        reduction: R, at least 1: how much narrower the bottlenecks are than the input.
        shared_mlp: Whether averages and maxima share one MLP, as in the original.
    """
    if reduction < 1:
        raise UserError(f"cbam:reduction must be at least 1, not {reduction}")
    return CBAM(slot.channels, reduction, shared_mlp=shared_mlp)


@hookimpl
def attention_modules() -> Sequence[AttentionSpec]:
    """Offer `cbam`."""
    return [
        AttentionSpec(
            name="cbam",
            build=build,
            source="arXiv:1807.06521",
            summary="CBAM (Woo et al. 2018) with two MLPs, as in Arabian et al. 2023",
            formula="(1 if shared_mlp else 2) * (2 * C * max(1, C // reduction)"
            " + max(1, C // reduction) + C) + 99",
        )
    ]
