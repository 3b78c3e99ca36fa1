"""Single blocks written from their papers: variants, published sizes, options out of range."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from agfer_bench_blocks.layers import BatchNorm, least_pool
from torch import nn

from agfer_bench import Slot, UserError
from agfer_bench.measure.size import parameters
from tests.plugins import papers, papers_attention
from tests.plugins.published import SLOTS, apart, build, normal_map, stir


def test_pool_1_is_the_authors_spatial_attention() -> None:
    block = build("self-residual-spatial", pool=1).double().eval()
    stir(block)
    assert apart(block, partial(papers.self_residual_spatial, pool=1)) < 1e-10
    assert apart(block, partial(papers.self_residual_spatial, pool=2)) > 1e-5


@pytest.mark.parametrize(("side", "pool"), [(28, 1), (29, 2), (56, 2), (112, 4), (1, 1)])
def test_keys_are_pooled_until_784_are_left(side: int, pool: int) -> None:
    slot = Slot(channels=2, height=side, width=side, classes=2, stage=2)
    assert least_pool(side, side) == pool
    x = normal_map(slot)
    for name in ("self-residual-spatial", "non-local", "self-attention"):
        block, told = build(name, slot).eval(), build(name, slot, pool=pool).eval()
        stir(block)
        told.load_state_dict(block.state_dict())
        assert torch.equal(block(x), told(x))


def test_attention_without_pooling_is_the_papers() -> None:
    block = build("non-local", pool=1).double().eval()
    stir(block)
    assert apart(block, partial(papers_attention.non_local, pool=1)) < 1e-10
    block = build("self-attention", pool=1).double().eval()
    stir(block)
    assert apart(block, partial(papers_attention.self_attention, heads=1, pool=1)) < 1e-10
    # At first the normalisation behind a non-local block has a scale of zero.
    assert torch.equal(build("non-local").eval()(normal_map()), normal_map())


def test_self_attention_refuses_heads_that_do_not_fit() -> None:
    slot = Slot(channels=100, height=3, width=3, classes=7, stage=3)
    with pytest.raises(UserError, match="100 channels of stage 3 cannot be divided among 3 heads"):
        build("self-attention", slot, head_channels=30)


def test_polarized_gates_in_sequence() -> None:
    block = build("polarized", layout="sequential").double().eval()
    stir(block)
    assert apart(block, partial(papers_attention.polarized, sequential=True)) < 1e-10


def test_cot_has_neighbourhoods_of_other_sides() -> None:
    block = build("cot", kernel=5, share=6, groups=2).double().eval()
    stir(block)
    assert apart(block, partial(papers_attention.cot, share=6, groups=2)) < 1e-10


def test_cbam_original_has_the_authors_parameters() -> None:
    assert sum(parameters(build("cbam-original", slot)) for slot in SLOTS[:3]) == 44_260


def _resnet_50(width: int, middle: Callable[[int], int]) -> int:
    """Count the parameters of a ResNet-50 (He et al. 2016) with another layer in the 3x3's place.

    Args:
        width: Channels inside the units of the first stage.
        middle: From channels to parameters of the layer with its normalisation.
    """
    total, inputs = 3 * 64 * 49 + 2 * 64 + 2048 * 1000 + 1000, 64
    for stage, units in enumerate((3, 4, 6, 3)):
        inside, outputs = width * 2**stage, 256 * 2**stage
        total += inputs * outputs + 2 * outputs
        for _ in range(units):
            total += inputs * inside + 2 * inside + middle(inside) + inside * outputs + 2 * outputs
            inputs = outputs
    return total


def _count(name: str, channels: int) -> int:
    with torch.device("meta"):
        slot = Slot(channels=channels, height=7, width=7, classes=7, stage=2)
        return parameters(build(name, slot))


def test_networks_have_their_published_parameters() -> None:
    """In millions, as in the papers' tables of ImageNet."""
    plain = _resnet_50(64, lambda c: 9 * c * c + 2 * c)
    assert round(plain / 1e6, 1) == 25.6
    assert round(_resnet_50(128, partial(_count, "sk")) / 1e6, 1) == 27.5
    assert round(_resnet_50(64, partial(_count, "cot")) / 1e6, 1) == 22.2
    # Two blocks behind the third stage, three behind the fourth; 33.0 is published.
    added = 2 * _count("double-attention", 512) + 3 * _count("double-attention", 1024)
    assert plain + added == pytest.approx(33.0e6, rel=0.005)


def test_coordinate_has_its_published_parameters() -> None:
    """MobileNetV2 grows from 3.5 to 3.95 million, with a block in each unit that widens."""
    expansions = [96, *2 * [144], *3 * [192], *4 * [384], *3 * [576], *3 * [960]]
    # The paper's first convolution has biases, one for each channel of the bottleneck.
    added = sum(_count("coordinate", c) + max(8, c // 32) for c in expansions)
    assert round((3_504_872 + added) / 1e6, 2) == 3.95


def test_scse_max_takes_the_larger_result() -> None:
    add, larger = build("scse").double(), build("scse", combine="max").double()
    stir(add)
    larger.load_state_dict(add.state_dict())
    x = normal_map().double()
    paths = [x * add.which(x.mean((2, 3), keepdim=True)), x * add.where(x)]  # type: ignore[operator]
    torch.testing.assert_close(add(x), paths[0] + paths[1])
    torch.testing.assert_close(larger(x), torch.stack(paths).amax(0))


def test_abn_makes_a_map_of_the_classes_channels() -> None:
    assert parameters(build("abn", depth=0)) == 12 * 5 + 2 * 5 + 5 + 2
    deeper = parameters(build("abn", depth=2)) - parameters(build("abn", depth=1))
    assert deeper == 2 * 9 * 12 * 12 + 4 * 12


def test_gct_starts_as_the_identity() -> None:
    torch.testing.assert_close(build("gct")(normal_map()), normal_map())


def test_batch_norm_is_torchs_but_for_a_single_value() -> None:
    torch.manual_seed(0)
    ours, theirs = BatchNorm(3, momentum=0.3), nn.BatchNorm2d(3, momentum=0.3)
    for _ in range(2):
        x = torch.randn(4, 3, 2, 2)
        torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.running_var)
    x = torch.randn(1, 3, 1, 1)
    with pytest.raises(ValueError, match="more than 1 value"):
        theirs(x)
    torch.testing.assert_close(ours(x), theirs.eval()(x))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("abn", {"depth": -1}, "abn:depth must be at least 0, not -1"),
        ("abn", {"loss": -0.5}, "abn:loss must be at least 0, not -0.5"),
        ("abn", {"kernel": 2}, "abn:kernel must be an odd number"),
        ("bam", {"reduction": 0}, "bam:reduction must be at least 1"),
        ("bam", {"dilation": 0}, "bam:dilation must be at least 1"),
        ("cbam-original", {"reduction": 0}, "cbam-original:reduction must be at least 1"),
        ("cbam-original", {"kernel": 4}, "cbam-original:kernel must be an odd number"),
        ("coordinate", {"reduction": 0}, "coordinate:reduction must be at least 1"),
        ("cot", {}, "cot:share must divide the 12 channels of stage 2, not be 8"),
        ("cot", {"kernel": 2}, "cot:kernel must be an odd number"),
        ("cot", {"groups": 0}, "cot:groups must be at least 1"),
        ("cot", {"groups": 5, "share": 4}, "cot:groups must divide the 12 channels of stage 2"),
        ("cot", {"share": 0}, "cot:share must be at least 1"),
        ("double-attention", {"reduction": 0}, "double-attention:reduction must be at least 1"),
        ("ema", {"groups": 0}, "ema:groups must be at least 1"),
        ("ema", {"groups": 5}, "ema:groups must divide the 12 channels of stage 2, not be 5"),
        ("external-attention", {"memory": 1}, "external-attention:memory must be at least 2"),
        ("non-local", {"reduction": 0}, "non-local:reduction must be at least 1"),
        ("non-local", {"pool": -1}, "non-local:pool must be at least 0"),
        ("polarized", {"layout": "both"}, "polarized:layout must be parallel or sequential"),
        ("scse", {"reduction": 0}, "scse:reduction must be at least 1"),
        ("scse", {"combine": "mean"}, "scse:combine must be add or max, not 'mean'"),
        ("self-attention", {"head_channels": 0}, "self-attention:head_channels must be at least 1"),
        ("self-attention", {"pool": -1}, "self-attention:pool must be at least 0"),
        ("self-attention", {"mlp": -1}, "self-attention:mlp must be at least 0"),
        ("self-residual-spatial", {"pool": -1}, "self-residual-spatial:pool must be at least 0"),
        ("shuffle", {"groups": 0}, "shuffle:groups must be at least 1"),
        ("shuffle", {"groups": 4}, "shuffle:groups, doubled, must divide the 12 channels"),
        ("simam", {"e_lambda": 0.0}, "simam:e_lambda must be above 0, not 0.0"),
        ("simam", {"e_lambda": math.nan}, "simam:e_lambda must be above 0, not nan"),
        ("sk", {"reduction": 0}, "sk:reduction must be at least 1"),
        ("sk", {"minimum": 0}, "sk:minimum must be at least 1"),
        ("sk", {"groups": 0}, "sk:groups must be at least 1"),
        ("sk", {"groups": 5}, "sk:groups must divide the 12 channels of stage 2, not be 5"),
        ("triplet", {"kernel": -3}, "triplet:kernel must be an odd number"),
    ],
)
def test_options_out_of_range_are_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        build(name, **options)
