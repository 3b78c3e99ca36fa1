"""Blocks of timm and those written from papers: which are the same function, and which not."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from agfer_bench_timm import attention_modules
from timm.layers.cbam import CbamModule
from timm.layers.coord_attn import CoordAttn
from timm.layers.non_local_attn import NonLocalAttn
from timm.layers.selective_kernel import SelectiveKernel
from torch import nn

from agfer_bench import Slot
from agfer_bench.measure.size import parameters
from tests.plugins import papers, papers_attention
from tests.plugins.published import NARROW, SLOTS, apart, build, build_narrow, normal_map, stir

TIMM = {spec.name: spec for spec in attention_modules()}

SAME: list[tuple[str, dict[str, Any], papers.Paper]] = [
    ("timm-eca", {}, papers_attention.eca),
    ("timm-eca", {"kernel_size": 5}, papers_attention.eca),
    ("timm-gca", {"reduction": 4}, papers_attention.global_context),
]
"""Papers that have no block of their own here, since timm's has their formula."""


@pytest.mark.parametrize(("name", "options", "paper"), SAME)
def test_timms_block_is_the_papers(name: str, options: dict[str, Any], paper: papers.Paper) -> None:
    block = TIMM[name].build(NARROW, **options).double().eval()
    stir(block)
    assert apart(block, paper) < 1e-10


def test_timms_eca_has_the_papers_kernels() -> None:
    """Half of log2(C) + 1, cut off, and one more where that is even, as the authors compute it."""
    for channels in (8, 16, 64, 128, 256, 512, 1024, 2048):
        half = int((math.log2(channels) + 1) / 2)
        slot = Slot(channels=channels, height=1, width=1, classes=7, stage=2)
        assert parameters(TIMM["timm-eca"].build(slot)) == half + (half + 1) % 2


def test_timms_gca_has_the_papers_parameters() -> None:
    """2 C^2 / r for the bottleneck and C for the context, r = 16, beside biases and two norms."""
    for slot in SLOTS:
        c, hidden = slot.channels, slot.channels // 16
        block = TIMM["timm-gca"].build(slot, reduction=16)
        beside = 1 + hidden + c + 2 * hidden
        assert parameters(block) - beside == 2 * c * c // 16 + c


def _as_theirs(ours: nn.Module, theirs: nn.Module, **renamed: str) -> nn.Module:
    """Give a block of timm our weights, by the names of its parts, and zero biases elsewhere."""
    state = {name: torch.zeros_like(tensor) for name, tensor in theirs.state_dict().items()}
    for name, tensor in ours.state_dict().items():
        part, _, last = name.rpartition(".")
        state[f"{renamed.get(part.replace('.', '_'), part)}.{last}"] = tensor
    theirs.double().load_state_dict(state)
    return theirs.eval()


def _difference(one: nn.Module, other: nn.Module) -> float:
    x = normal_map().double()
    with torch.no_grad():
        return float((one(x) - other(x)).abs().max())


def test_cbam_original_equals_timm() -> None:
    ours = build("cbam-original", reduction=3).double().eval()
    stir(ours)
    theirs = CbamModule(12, rd_ratio=1 / 3, mlp_bias=True).double().eval()
    state = ours.state_dict()
    names = dict(zip(state, theirs.state_dict(), strict=True))
    # timm's spatial input is [mean, max], the paper's [max, mean].
    state["where.0.weight"] = state["where.0.weight"].flip(1)
    theirs.load_state_dict({names[name]: tensor for name, tensor in state.items()})
    assert _difference(ours, theirs) < 1e-10


def test_coordinate_is_timms_but_for_biases_and_width() -> None:
    ours = build("coordinate").double().eval()
    stir(ours)
    names = {"squeeze_0": "conv1", "squeeze_1": "bn1", "rows": "conv_h", "columns": "conv_w"}
    theirs = _as_theirs(ours, CoordAttn(12, rd_channels=8, bias=True), **names)
    assert _difference(ours, theirs) < 1e-10
    assert TIMM["timm-coord"].build(NARROW).get_submodule("conv_h").bias is None
    widths = [TIMM["timm-coord"].build(slot).get_submodule("conv1").out_channels for slot in SLOTS]
    published = [max(8, slot.channels // 32) for slot in SLOTS]
    assert widths == [8, 8, 24, 8, 8, 8]
    assert published == [8, 8, 16, 8, 8, 8]


def test_sk_equals_timm() -> None:
    ours = build_narrow("sk").double().eval()
    stir(ours)
    theirs = SelectiveKernel(12, groups=4, split_input=False, rd_channels=5)
    paths = {
        f"{ours_}_{i}": f"paths.{n}.{part}"
        for n, ours_ in enumerate(("near", "far"))
        for i, part in enumerate(("conv", "bn"))
    }
    names = paths | {
        "squeeze_0": "attn.fc_reduce",
        "squeeze_1": "attn.bn",
        "select": "attn.fc_select",
    }
    assert _difference(ours, _as_theirs(ours, theirs, **names)) < 1e-10


def test_non_local_is_timms_but_for_scale_width_and_pooling() -> None:
    ours = build("non-local", pool=1).double().eval()
    stir(ours)
    theirs = NonLocalAttn(12, use_scale=False, rd_channels=6)  # type: ignore[no-untyped-call]
    names = {"query": "t", "key": "p", "value": "g", "widen": "z"}
    assert _difference(ours, _as_theirs(ours, theirs, **names)) < 1e-10
