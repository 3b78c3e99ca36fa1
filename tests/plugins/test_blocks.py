"""The first-party blocks against timm's, the paper's figures and hand-set weights."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from agfer_bench_agfer import AGFER
from agfer_bench_agfer import build as build_agfer
from agfer_bench_cbam import CBAM
from agfer_bench_cbam import build as build_cbam
from agfer_bench_se import SE
from agfer_bench_se import build as build_se
from timm.layers.cbam import CbamModule
from timm.layers.squeeze_excite import SEModule
from torch import nn

from agfer_bench import Slot, UserError
from agfer_bench.measure.size import compute_nodes, parameters

SLOTS = [
    Slot(channels=128, height=112, width=112, classes=7, stage=2),
    Slot(channels=256, height=56, width=56, classes=7, stage=3),
    Slot(channels=512, height=28, width=28, classes=7, stage=4),
]


Build = Callable[..., nn.Module]


def _sum_parameters(build: Build) -> int:
    return sum(parameters(build(slot)) for slot in SLOTS)


def test_parameters_over_the_three_slots_are_the_formulas() -> None:
    assert _sum_parameters(build_se) == 43_960
    assert _sum_parameters(build_cbam) == 88_217
    assert _sum_parameters(build_agfer) == 44_419


@pytest.mark.parametrize("channels", [32, 128])
def test_se_equals_timm(channels: int) -> None:
    torch.manual_seed(1)
    ours = SE(channels, 16).double().eval()
    # rd_divisor=1 keeps timm from rounding the bottleneck up to a multiple of eight.
    theirs = SEModule(channels, rd_ratio=1 / 16, rd_divisor=1).double().eval()
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.normal_()
    theirs.fc1.load_state_dict(ours.squeeze.state_dict())
    theirs.fc2.load_state_dict(ours.excite.state_dict())
    x = torch.randn(3, channels, 9, 7, dtype=torch.float64)
    assert (ours(x) - theirs(x)).abs().max() < 1e-10


def test_shared_cbam_equals_timm() -> None:
    torch.manual_seed(2)
    ours = CBAM(64, 16, shared_mlp=True).double().eval()
    theirs = CbamModule(64, rd_ratio=1 / 16, rd_divisor=1, mlp_bias=True).double().eval()
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.normal_()
        theirs.channel.fc1.load_state_dict(ours.mlp_mean.get_submodule("0").state_dict())
        theirs.channel.fc2.load_state_dict(ours.mlp_mean.get_submodule("2").state_dict())
        # timm's spatial input is [mean, max], ours [max, mean] as the paper says it.
        theirs.spatial.conv.conv.weight.copy_(ours.where.weight.flip(1))
        norm = theirs.spatial.conv.bn
        norm.running_var.fill_(1 - norm.eps)
        norm.bias.copy_(ours.where.bias)
    x = torch.randn(3, 64, 9, 7, dtype=torch.float64)
    difference = (ours(x) - theirs(x)).abs().max()
    assert difference < 1e-10
    with torch.no_grad():
        theirs.spatial.conv.conv.weight.copy_(ours.where.weight)
    assert (ours(x) - theirs(x)).abs().max() > 1e-6, "the channel order must matter"


def test_unshared_cbam_uses_an_mlp_for_each_pooling() -> None:
    torch.manual_seed(3)
    block = CBAM(32, 16)
    x = torch.randn(2, 32, 5, 5)
    before = block(x)
    with torch.no_grad():
        for layer in block.mlp_max:
            if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                layer.bias.add_(1.0)
    assert not torch.equal(before, block(x))
    assert parameters(CBAM(32, 16)) - parameters(CBAM(32, 16, shared_mlp=True)) == parameters(
        block.mlp_max
    )


def test_agfer_by_hand() -> None:
    """All weights zero: both gates are 1/2, so the output is x times sigmoid(1/4)."""
    block = AGFER(16, classes=7)
    for module in block.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.zeros_(module.weight)
    x = torch.randn(2, 16, 6, 6)
    torch.testing.assert_close(block(x), x * torch.sigmoid(torch.tensor(0.25)))
    with torch.no_grad():  # channel gate saturated at 1: sigmoid(1 * 1/2)
        block.which.get_parameter("2.bias").fill_(50.0)
    torch.testing.assert_close(block(x), x * torch.sigmoid(torch.tensor(0.5)))


def test_agfer_gate_stays_between_a_half_and_0_731() -> None:
    torch.manual_seed(4)
    block = AGFER(32, classes=7)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.normal_(std=3.0)
    x = torch.rand(2, 32, 8, 8) + 0.1
    gate = block(x) / x
    assert gate.min() >= 0.5 - 1e-6
    assert gate.max() <= 0.7311


@pytest.mark.parametrize(("build", "nodes"), [(build_se, 6), (build_cbam, 17), (build_agfer, 13)])
def test_compute_nodes_are_the_papers_layers(build: Build, nodes: int) -> None:
    assert compute_nodes(build(SLOTS[0])) == nodes


@pytest.mark.parametrize("build", [build_se, build_cbam, build_agfer])
def test_blocks_start_from_glorot_weights_and_zero_biases(build: Build) -> None:
    torch.manual_seed(5)
    block = build(SLOTS[2])
    for layer in block.modules():
        if isinstance(layer, nn.Conv2d):
            area = layer.kernel_size[0] * layer.kernel_size[1]
            fans = (layer.in_channels + layer.out_channels) * area
            limit = (6 / fans) ** 0.5
            assert layer.weight.detach().abs().max() <= limit
            if layer.weight.numel() > 1000:
                assert layer.weight.detach().std().item() == pytest.approx(limit / 3**0.5, rel=0.05)
            assert layer.bias is not None
            assert (layer.bias == 0).all()


@pytest.mark.parametrize("build", [build_se, build_cbam, build_agfer])
def test_reduction_below_one_is_refused(build: Build) -> None:
    with pytest.raises(UserError, match="reduction must be at least 1"):
        build(SLOTS[0], reduction=0)
    wide = build(Slot(channels=8, height=4, width=4, classes=2, stage=2), reduction=64)
    assert wide(torch.zeros(1, 8, 4, 4)).shape == (1, 8, 4, 4)
