"""Blocks of timm that gate channels.

timm is imported when a block is built: a listing of blocks must not wait for it.
"""

from __future__ import annotations

from torch import nn

from agfer_bench import AttentionSpec, Slot, UserError
from agfer_bench_timm.check import at_least, odd


def build_se(slot: Slot, *, reduction: int = 16, divisor: int = 8) -> nn.Module:
    """Build timm's SEModule.

    Args:
        slot: Where the block goes.
        reduction: At least 1: how much narrower the bottleneck is than the input.
        divisor: At least 1: the bottleneck's channels are rounded to a multiple of it.
    """
    from timm.layers.squeeze_excite import SEModule

    at_least(1, "timm-se:reduction", reduction)
    at_least(1, "timm-se:divisor", divisor)
    return SEModule(slot.channels, rd_ratio=1 / reduction, rd_divisor=divisor)


def build_ese(slot: Slot) -> nn.Module:
    """Build timm's EffectiveSEModule."""
    from timm.layers.squeeze_excite import EffectiveSEModule

    return EffectiveSEModule(slot.channels)


def build_eca(slot: Slot, *, kernel_size: int = 0) -> nn.Module:
    """Build timm's EcaModule.

    Args:
        slot: Where the block goes.
        kernel_size: Channels that one gate looks at, odd; 0 to have it follow from all channels.
    """
    from timm.layers.eca import EcaModule

    if kernel_size == 0:
        return EcaModule(slot.channels)
    odd("timm-eca:kernel_size", kernel_size)
    return EcaModule(kernel_size=kernel_size)


def build_ecam(slot: Slot, *, reduction: int = 8) -> nn.Module:
    """Build timm's EcaModule with its MLP.

    Args:
        slot: Where the block goes.
        reduction: At least 1: the MLP has C / reduction channels, rounded to a multiple of 8.
    """
    from timm.layers.eca import EcaModule

    at_least(1, "timm-ecam:reduction", reduction)
    return EcaModule(slot.channels, rd_ratio=1 / reduction, use_mlp=True)


def build_ceca(slot: Slot, *, kernel_size: int = 0) -> nn.Module:
    """Build timm's CecaModule.

    Args:
        slot: Where the block goes.
        kernel_size: Channels that one gate looks at, odd; 0 to have it follow from all channels.
    """
    from timm.layers.eca import CecaModule

    if kernel_size == 0:
        return CecaModule(slot.channels)
    odd("timm-ceca:kernel_size", kernel_size)
    most = 2 * slot.channels + 1  # the circle of channels cannot be gone round twice
    if kernel_size > most:
        raise UserError(f"timm-ceca:kernel_size must be at most {most}, not {kernel_size}")
    return CecaModule(kernel_size=kernel_size)


def build_gc(slot: Slot, *, reduction: int = 8) -> nn.Module:
    """Build timm's GlobalContext, which scales.

    Args:
        slot: Where the block goes.
        reduction: At least 1: how much narrower the bottleneck is than the input.
    """
    from timm.layers.global_context import GlobalContext

    at_least(1, "timm-gc:reduction", reduction)
    return GlobalContext(slot.channels, rd_ratio=1 / reduction)


def build_gca(slot: Slot, *, reduction: int = 8) -> nn.Module:
    """Build timm's GlobalContext, which adds.

    Args:
        slot: Where the block goes.
        reduction: At least 1: how much narrower the bottleneck is than the input.
    """
    from timm.layers.global_context import GlobalContext

    at_least(1, "timm-gca:reduction", reduction)
    return GlobalContext(slot.channels, rd_ratio=1 / reduction, fuse_add=True, fuse_scale=False)


_KERNEL = "2 * ((log2(C) + 1) // 4) + 1"
"""timm's rule for the kernel of ECA: half of log2(C) + 1, made odd."""

_FIXED_KERNEL = f"(kernel_size if kernel_size else max(3, {_KERNEL}))"

_ECAM_HIDDEN = "max(8, (C // reduction + 4) // 8 * 8)"
"""Rounded to a multiple of eight, and up where that would take off more than a tenth."""

_ECAM = f"{_ECAM_HIDDEN} + (8 if 10 * reduction * {_ECAM_HIDDEN} < 9 * C else 0)"

_CONTEXT = "max(1, (2 * C + reduction) // (2 * reduction)) * (2 * C + 3) + 2 * C + 1"

SPECS = [
    AttentionSpec(
        name="timm-se",
        build=build_se,
        source="arXiv:1709.01507",
        summary="timm's squeeze and excitation (Hu et al. 2018)",
        formula="max(divisor, (2 * C + reduction * divisor) // (2 * reduction * divisor) * divisor)"
        " * (2 * C + 1) + C",
    ),
    AttentionSpec(
        name="timm-ese",
        build=build_ese,
        source="arXiv:1911.06667",
        summary="timm's effective squeeze and excitation (Lee & Park 2020): one layer",
        formula="C * C + C",
    ),
    AttentionSpec(
        name="timm-eca",
        build=build_eca,
        source="arXiv:1910.03151",
        summary="timm's efficient channel attention (Wang et al. 2020): neighbouring channels",
        formula=_FIXED_KERNEL,
    ),
    AttentionSpec(
        name="timm-ecam",
        build=build_ecam,
        source="arXiv:1910.03151",
        summary="timm's efficient channel attention with an MLP, its own experiment",
        formula=f"({_ECAM}) * (max(3, {_KERNEL}) + 2) + 1",
    ),
    AttentionSpec(
        name="timm-ceca",
        build=build_ceca,
        source="arXiv:1910.03151",
        summary="timm's circular efficient channel attention (Ha)",
        formula=_FIXED_KERNEL,
    ),
    AttentionSpec(
        name="timm-gc",
        build=build_gc,
        source="arXiv:1904.11492",
        summary="timm's global context (Cao et al. 2019), scaling",
        formula=_CONTEXT,
    ),
    AttentionSpec(
        name="timm-gca",
        build=build_gca,
        source="arXiv:1904.11492",
        summary="timm's global context (Cao et al. 2019), adding",
        formula=_CONTEXT,
    ),
]
"""Blocks that gate channels."""
