"""A stage of the residual attention network, in place of the host's own.

Wang, Jiang, Qian et al. (2017), arXiv:1704.06904, section 3 and figure 2.

One residual unit, then an attention module: a trunk of `trunk` units beside a mask that looks at
the same map at half its size through 2 * `mask` units, and one unit behind it. The units are those
of the paper's classification networks, bottlenecks with pre-activation (He et al. 2016,
arXiv:1603.05027); the first one changes the number of channels and, where the stage does, the
size. The mask goes down by one step, as in the module of the paper's smallest maps.

Shapes in names: B batch, C channels, I channels that enter the stage, H height, W width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from agfer_bench import AttentionSpec, Slot, UserError
from agfer_bench_blocks.layers import BatchNorm, at_least, glorot


class Unit(nn.Module):
    """A bottleneck with pre-activation.

    Source: arXiv:1603.05027, figure 4e. A quarter of the channels is left in between.

    Args:
        given: Channels I of the input.
        channels: Channels C of the output.
        stride: Rows and columns of the input for one of the output.
    """

    def __init__(self, given: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        hidden = max(1, channels // 4)
        self.branch = nn.Sequential(
            BatchNorm(given),
            nn.ReLU(),
            nn.Conv2d(given, hidden, 1, bias=False),
            BatchNorm(hidden),
            nn.ReLU(),
            nn.Conv2d(hidden, hidden, 3, stride, padding=1, bias=False),
            BatchNorm(hidden),
            nn.ReLU(),
            nn.Conv2d(hidden, channels, 1, bias=False),
        )
        past: list[nn.Module] = [nn.MaxPool2d(1, stride)] if stride > 1 else []
        past += [nn.Conv2d(given, channels, 1, bias=False)] if given != channels else []
        self.past = nn.Sequential(*past)

    def forward(self, x_BIHW: Tensor) -> Tensor:
        """Return the input, or its projection, plus the branch."""
        y_BCHW: Tensor = self.past(x_BIHW) + self.branch(x_BIHW)
        return y_BCHW


class ResidualAttention(nn.Module):
    """Compute a stage whose trunk is multiplied by 1 + mask.

    Source: arXiv:1704.06904, equation 3: H = (1 + M) * T.

    Args:
        given: Channels I that enter the stage.
        channels: Channels C that leave it.
        stride: Rows and columns that enter for one that leaves.
        trunk: Units of the trunk.
        mask: Half the units of the mask.
    """

    def __init__(
        self, given: int, channels: int, stride: int = 1, trunk: int = 2, mask: int = 1
    ) -> None:
        super().__init__()
        self.before = Unit(given, channels, stride)
        self.trunk = nn.Sequential(*(Unit(channels, channels) for _ in range(trunk)))
        self.down = nn.MaxPool2d(3, 2, padding=1)
        self.mask = nn.Sequential(*(Unit(channels, channels) for _ in range(2 * mask)))
        self.gate = nn.Sequential(
            BatchNorm(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 1, bias=False),
            BatchNorm(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 1, bias=False),
        )
        self.behind = Unit(channels, channels)
        glorot(self)

    def forward(self, x_BIHW: Tensor) -> Tensor:
        """Return what leaves the stage, (B, C, H, W)."""
        x_BCHW = self.before(x_BIHW)
        mask_BCHW = functional.interpolate(
            self.mask(self.down(x_BCHW)), x_BCHW.shape[2:], mode="bilinear", align_corners=True
        )
        gated_BCHW = self.trunk(x_BCHW) * (1 + torch.sigmoid(self.gate(mask_BCHW)))
        y_BCHW: Tensor = self.behind(gated_BCHW)
        return y_BCHW


def build(slot: Slot, *, trunk: int = 2, mask: int = 1) -> nn.Module:
    """Build a stage with residual attention.

    Args:
        slot: Where the block goes.
        trunk: Units of the trunk, at least 0.
        mask: Half the units of the mask, at least 0.
    """
    at_least(0, "residual-attention:trunk", trunk)
    at_least(0, "residual-attention:mask", mask)
    channels, height, width = slot.given
    stride = height // slot.height
    if (height, width) != (stride * slot.height, stride * slot.width):
        raise UserError(
            f"residual-attention: from {height} x {width} to {slot.height} x {slot.width}, as "
            f"stage {slot.stage} goes, there is no stride; choose other stages with --slots"
        )
    return ResidualAttention(channels, slot.channels, stride, trunk, mask)


_UNIT = "(2 * {0} + max(1, C // 4) * ({0} + C + 4 + 9 * max(1, C // 4)))"

SPEC = AttentionSpec(
    name="residual-attention",
    build=build,
    source="arXiv:1704.06904",
    summary="Residual attention (Wang et al. 2017): replaces its stage by units with a mask",
    formula=f"{_UNIT.format('I')} + (I * C if I != C else 0)"
    f" + (trunk + 2 * mask + 1) * {_UNIT.format('C')} + 2 * C * C + 4 * C",
    replaces=True,
)
