"""AGFER: attention-guided facial emotion recognition.

Arabian, Battistel, Chase & Moeller (2023), doi:10.3390/app131810179, section 2.2.3,
figure 4.

Where the paper is silent: R (16 here, as in squeeze and excitation), padding (kept at the input's
size, since the maps are multiplied) and strides (1). The fully connected layers are 1x1
convolutions, which compute the same and spare two reshapes.

Shapes in names: B batch, C channels, H height, W width.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from agfer_bench import AttentionSpec, Slot, UserError, hookimpl
from agfer_bench_agfer import cpu


class FullyConnected(nn.Conv2d):
    """A 1x1 convolution of a 1x1 map, as the matrix product it is: a convolution costs more calls.

    Args:
        inputs: Channels of the input (B, inputs, 1, 1).
        outputs: Channels of the output (B, outputs, 1, 1).
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 1)

    def forward(self, x_BC11: Tensor) -> Tensor:
        """Return a linear combination of the channels, plus a bias."""
        y_BC = nn.functional.linear(x_BC11.flatten(1), self.weight.flatten(1), self.bias)
        return y_BC[:, :, None, None]


class AGFER(nn.Module):
    """Channel gate times spatial gate, squashed once more.

    Source: Arabian et al. 2023, doi:10.3390/app131810179, section 2.2.3, figure 4.

    The product of two sigmoids lies in (0, 1), so the closing sigmoid keeps every gate in
    (0.5, 0.731): AGFER reweights features and never silences one.

    Large maps on a CPU take a faster way (`cpu.py`), which can be differentiated once and not by
    `torch.func`.

    Args:
        channels: Channels C of the input.
        classes: Classes m; the spatial path is m + 1 channels wide.
        reduction: R; the channel path's bottleneck has max(1, C // R) channels.
    """

    def __init__(self, channels: int, classes: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.which = nn.Sequential(
            FullyConnected(channels, hidden),
            nn.ReLU(),
            FullyConnected(hidden, channels),
            nn.Sigmoid(),
        )
        self.where = nn.Sequential(
            nn.Conv2d(1, classes + 1, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(classes + 1, 1, 3, padding=1),
            nn.Sigmoid(),
        )
        for layer in (*self.which, *self.where):
            if isinstance(layer, nn.Conv2d):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the input, each element scaled by a number in (0.5, 0.731)."""
        if cpu.applies(x_BCHW):
            return cpu.attend(x_BCHW, self.which, self.where)
        return x_BCHW * self.gate(x_BCHW)

    def gate(self, x_BCHW: Tensor) -> Tensor:
        """Return what each element is scaled by: (B, C, H, W)."""
        which_BC11 = self.which(x_BCHW.mean(dim=(2, 3), keepdim=True))
        where_B1HW = self.where(x_BCHW.mean(dim=1, keepdim=True))
        return torch.sigmoid(which_BC11 * where_B1HW)


def build(slot: Slot, *, reduction: int = 16) -> nn.Module:
    """Build an AGFER block for one slot.

    Args:
        slot: Where the block goes.
        reduction: R, at least 1: how much narrower the bottleneck is than the input.
    """
    if reduction < 1:
        raise UserError(f"agfer:reduction must be at least 1, not {reduction}")
    return AGFER(slot.channels, slot.classes, reduction)


@hookimpl
def attention_modules() -> Sequence[AttentionSpec]:
    """Offer `agfer`."""
    return [
        AttentionSpec(
            name="agfer",
            build=build,
            source="doi:10.3390/app131810179",
            summary="AGFER (Arabian et al. 2023): channel and spatial gates, multiplied",
            formula="2 * C * max(1, C // reduction) + max(1, C // reduction) + C"
            " + 19 * (M + 1) + 1",
        )
    ]
