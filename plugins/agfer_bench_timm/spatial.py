"""Blocks of timm that gate positions, or rows and columns.

timm is imported when a block is built: a listing of blocks must not wait for it.
"""

from __future__ import annotations

import math

from torch import nn

from agfer_bench import AttentionSpec, Slot, UserError
from agfer_bench_timm.check import at_least, odd


def build_cbam(
    slot: Slot, *, reduction: int = 16, kernel_size: int = 7, mlp_bias: bool = False
) -> nn.Module:
    """Build timm's CbamModule.

    Args:
        slot: Where the block goes.
        reduction: At least 1: how much narrower the bottleneck is than the input.
        kernel_size: Side of the spatial convolution's kernel, odd.
        mlp_bias: Whether the MLP has biases, as in the original.
    """
    from timm.layers.cbam import CbamModule

    at_least(1, "timm-cbam:reduction", reduction)
    odd("timm-cbam:kernel_size", kernel_size)
    return CbamModule(
        slot.channels, rd_ratio=1 / reduction, spatial_kernel_size=kernel_size, mlp_bias=mlp_bias
    )


def build_lcbam(
    slot: Slot, *, reduction: int = 16, kernel_size: int = 7, mlp_bias: bool = False
) -> nn.Module:
    """Build timm's LightCbamModule.

    Args:
        slot: Where the block goes.
        reduction: At least 1: how much narrower the bottleneck is than the input.
        kernel_size: Side of the spatial convolution's kernel, odd.
        mlp_bias: Whether the MLP has biases.
    """
    from timm.layers.cbam import LightCbamModule

    at_least(1, "timm-lcbam:reduction", reduction)
    odd("timm-lcbam:kernel_size", kernel_size)
    return LightCbamModule(
        slot.channels, rd_ratio=1 / reduction, spatial_kernel_size=kernel_size, mlp_bias=mlp_bias
    )


def build_coord(slot: Slot, *, reduction: int = 16) -> nn.Module:
    """Build timm's CoordAttn.

    Args:
        slot: Where the block goes.
        reduction: At least 1: the bottleneck has 2/3 of C / reduction channels, rounded to a
            multiple of 8.
    """
    from timm.layers.coord_attn import CoordAttn

    at_least(1, "timm-coord:reduction", reduction)
    return CoordAttn(slot.channels, rd_ratio=1 / reduction)


def build_scoord(slot: Slot, *, reduction: int = 4) -> nn.Module:
    """Build timm's SimpleCoordAttn.

    Args:
        slot: Where the block goes.
        reduction: At least 1: the bottleneck has 2/3 of C / reduction channels, rounded to a
            multiple of 8.
    """
    from timm.layers.coord_attn import SimpleCoordAttn

    at_least(1, "timm-scoord:reduction", reduction)
    return SimpleCoordAttn(slot.channels, rd_ratio=1 / reduction)


def build_ela(slot: Slot, *, kernel_size: int = 7) -> nn.Module:
    """Build timm's EfficientLocalAttn.

    Args:
        slot: Where the block goes.
        kernel_size: Rows or columns that one gate looks at, odd.
    """
    from timm.layers.coord_attn import EfficientLocalAttn

    odd("timm-ela:kernel_size", kernel_size)
    return EfficientLocalAttn(slot.channels, kernel_size=kernel_size)


def build_strip(slot: Slot, *, kernel_size: int = 3) -> nn.Module:
    """Build timm's StripAttn.

    Args:
        slot: Where the block goes.
        kernel_size: Rows or columns that one gate looks at, odd.
    """
    from timm.layers.coord_attn import StripAttn

    odd("timm-strip:kernel_size", kernel_size)
    return StripAttn(slot.channels, kernel_size=kernel_size)


def build_bat(
    slot: Slot,
    *,
    block_size: int | None = None,
    groups: int = 2,
    reduction: int = 4,
    drop_rate: float = 0.2,
) -> nn.Module:
    """Build timm's BatNonLocalAttn.

    Args:
        slot: Where the block goes; both sides must be multiples of `block_size`, where it is given.
        block_size: Side of the blocks that the map is transformed in, at least 1. None takes the
            largest up to 7 that divides both sides of the map.
        groups: Groups of channels with a transform of their own, at least 1.
        reduction: At least 1: the bottleneck has C / reduction channels, rounded to a multiple
            of 8.
        drop_rate: Share of channels dropped from what is added, in training.
    """
    from timm.layers.non_local_attn import BatNonLocalAttn

    if block_size is None:
        both = math.gcd(slot.height, slot.width)
        block_size = max(side for side in range(1, 8) if both % side == 0)
    at_least(1, "timm-bat:block_size", block_size)
    at_least(1, "timm-bat:groups", groups)
    at_least(1, "timm-bat:reduction", reduction)
    if not 0 <= drop_rate < 1:
        raise UserError(f"timm-bat:drop_rate must be at least 0 and below 1, not {drop_rate}")
    if slot.height % block_size or slot.width % block_size:
        raise UserError(
            f"timm-bat:block_size must divide {slot.height} x {slot.width}, the map of stage "
            f"{slot.stage}, not be {block_size}; "
            f"try a divisor of {math.gcd(slot.height, slot.width)}"
        )
    block = BatNonLocalAttn(
        slot.channels,
        block_size=block_size,
        groups=groups,
        rd_ratio=1 / reduction,
        drop_rate=drop_rate,
    )
    if block.ba.in_channels % groups:
        raise UserError(
            f"timm-bat:groups must divide the {block.ba.in_channels} channels of the bottleneck "
            f"at stage {slot.stage}, not be {groups}"
        )
    return block


_CBAM = (
    "max(1, (2 * C + reduction) // (2 * reduction)) * (2 * C + (1 if mlp_bias else 0))"
    " + (C if mlp_bias else 0)"
)

_COORD = "max(8, (2 * C // (3 * reduction) + 4) // 8 * 8)"

_BAT_HIDDEN = "max(8, (C // reduction + 4) // 8 * 8)"
"""Rounded to a multiple of eight, and up where that would take off more than a tenth."""

_BAT_SIDE = (
    "(block_size or max(side for side in (1, 2, 3, 4, 5, 6, 7) if H % side == 0 and W % side == 0))"
)

_BAT = f"({_BAT_HIDDEN} + (8 if 10 * reduction * {_BAT_HIDDEN} < 9 * C else 0))"

SPECS = [
    AttentionSpec(
        name="timm-cbam",
        build=build_cbam,
        source="arXiv:1807.06521",
        summary="timm's CBAM (Woo et al. 2018): one MLP without biases, batch normalisation",
        formula=f"{_CBAM} + 2 * kernel_size * kernel_size + 2",
    ),
    AttentionSpec(
        name="timm-lcbam",
        build=build_lcbam,
        source="arXiv:1807.06521",
        summary="timm's light CBAM: mean and maximum averaged before the gates",
        formula=f"{_CBAM} + kernel_size * kernel_size + 2",
    ),
    AttentionSpec(
        name="timm-coord",
        build=build_coord,
        source="arXiv:2103.02907",
        summary="timm's coordinate attention (Hou et al. 2021): gates of rows and columns",
        formula=f"{_COORD} * (3 * C + 2)",
    ),
    AttentionSpec(
        name="timm-scoord",
        build=build_scoord,
        source="arXiv:2103.02907",
        summary="timm's simpler coordinate attention: linear layers, no normalisation",
        formula=f"{_COORD} * (3 * C + 1) + 2 * C",
    ),
    AttentionSpec(
        name="timm-ela",
        build=build_ela,
        source="arXiv:2403.01123",
        summary="timm's efficient local attention (Xu & Wan 2024): rows and columns, depthwise",
        formula="2 * C * kernel_size + 4 * C",
    ),
    AttentionSpec(
        name="timm-strip",
        build=build_strip,
        source="https://github.com/huggingface/pytorch-image-models",
        summary="timm's strip attention: a gate per element from row and column means",
        formula="2 * C * kernel_size",
    ),
    AttentionSpec(
        name="timm-bat",
        build=build_bat,
        source="https://openaccess.thecvf.com/content_CVPR_2020/html/"
        "Chi_Non-Local_Neural_Networks_With_Grouped_Bilinear_Attentional_Transforms_"
        "CVPR_2020_paper.html",
        summary="timm's bilinear attentional transform (Chi et al. 2020), added to the input",
        formula=f"{_BAT} * (2 * C + {_BAT} + groups + 4) + 2 * C + 2 * groups"
        f" + 2 * groups * {_BAT_SIDE} ** 2 * (groups * {_BAT_SIDE} + 1)",
    ),
]
"""Blocks that gate positions, or rows and columns."""
