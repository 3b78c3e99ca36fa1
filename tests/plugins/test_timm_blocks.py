"""timm's blocks as they are offered: timm's own defaults, formulas, what is left out and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from agfer_bench_blocks.cbam_original import CBAMOriginal
from agfer_bench_se import SE
from agfer_bench_timm import LEFT_OUT, attention_modules
from timm.layers.bottleneck_attn import BottleneckAttn
from timm.layers.create_attn import create_attn
from timm.layers.gather_excite import GatherExcite
from timm.layers.halo_attn import HaloAttn
from timm.layers.lambda_layer import LambdaLayer
from timm.layers.non_local_attn import NonLocalAttn
from timm.layers.selective_kernel import SelectiveKernel
from timm.layers.split_attn import SplitAttn
from torch import Tensor, nn

from agfer_bench import Slot, UserError
from agfer_bench.contract.formula import evaluate
from agfer_bench.measure.size import parameters
from agfer_bench.plugin.finder import load_catalogue
from agfer_bench.plugin.options import HARNESS_OPTIONS

SPECS = {spec.name: spec for spec in attention_modules()}

NAMES = [f"timm-{name}" for name in (
    "se", "ese", "eca", "ecam", "ceca", "gc", "gca",
    "cbam", "lcbam", "coord", "scoord", "ela", "strip", "bat",
)]  # fmt: skip


def _slot(channels: int, side: int, stage: int = 2) -> Slot:
    return Slot(channels=channels, height=side, width=side, classes=7, stage=stage)


PAPER_SLOTS = [_slot(128, 112, 2), _slot(256, 56, 3), _slot(512, 28, 4)]
QUICK_SLOTS = [_slot(16, 24, 2), _slot(32, 12, 3), _slot(64, 6, 4)]


def _stir(block: nn.Module) -> None:
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.normal_(std=0.5)


def test_all_are_offered() -> None:
    assert list(SPECS) == NAMES
    assert not {f"timm-{name}" for name in LEFT_OUT} & SPECS.keys()


@pytest.mark.parametrize("name", NAMES)
def test_defaults_are_timms_own(name: str) -> None:
    slot = _slot(32, 14)
    torch.manual_seed(0)
    ours = SPECS[name].build(slot)
    torch.manual_seed(0)
    theirs = create_attn(name.removeprefix("timm-"), 32)  # type: ignore[no-untyped-call]
    assert theirs is not None
    x = torch.randn(2, 32, 14, 14)
    assert torch.equal(ours.eval()(x), theirs.eval()(x))
    assert repr(ours) == repr(theirs)


def _options(name: str) -> dict[str, object]:
    options = load_catalogue().modules[name].options
    return {one.name: one.default for one in options if one not in HARNESS_OPTIONS}


OTHERS: dict[str, list[dict[str, object]]] = {
    "timm-se": [{"reduction": 3, "divisor": 1}, {"reduction": 7}, {"reduction": 10**6}],
    "timm-eca": [{"kernel_size": 9}],
    "timm-ecam": [{"reduction": 3}],
    "timm-ceca": [{"kernel_size": 5}],
    "timm-gc": [{"reduction": 3}, {"reduction": 999}],
    "timm-gca": [{"reduction": 5}],
    "timm-cbam": [{"reduction": 3, "kernel_size": 3, "mlp_bias": True}],
    "timm-lcbam": [{"reduction": 5, "kernel_size": 5, "mlp_bias": True}],
    "timm-coord": [{"reduction": 3}],
    "timm-scoord": [{"reduction": 7}],
    "timm-ela": [{"kernel_size": 3}],
    "timm-strip": [{"kernel_size": 1}],
    "timm-bat": [{"block_size": 2, "groups": 4, "reduction": 3}],
}


@pytest.mark.parametrize("name", NAMES)
def test_formula_is_the_count(name: str) -> None:
    """At all slots, and at the odd numbers of channels that a stranger's host may have."""
    defaults = _options(name)
    odd = [_slot(channels, 84) for channels in (8, 12, 24, 40, 44, 72, 96, 100, 112, 640)]
    for values in ({}, *OTHERS.get(name, [])):
        for slot in (*PAPER_SLOTS, *QUICK_SLOTS, *odd):
            options = defaults | values
            with torch.device("meta"):
                count = parameters(SPECS[name].build(slot, **options))
            assert evaluate(SPECS[name].formula, slot, options) == count, (slot, values)


def test_se_with_divisor_1_is_our_se() -> None:
    theirs = SPECS["timm-se"].build(_slot(32, 9), divisor=1).double()
    ours = SE(32, 16).double()
    _stir(ours)
    theirs.get_submodule("fc1").load_state_dict(ours.squeeze.state_dict())
    theirs.get_submodule("fc2").load_state_dict(ours.excite.state_dict())
    x = torch.randn(2, 32, 9, 9, dtype=torch.float64)
    torch.testing.assert_close(theirs(x), ours(x))
    # timm's own default rounds the two channels of the bottleneck up to eight.
    assert ours.squeeze.out_channels == 2
    assert SPECS["timm-se"].build(_slot(32, 9)).get_submodule("fc1").out_channels == 8


def test_cbam_with_biases_has_the_originals_parameters() -> None:
    for slot in PAPER_SLOTS:
        theirs = SPECS["timm-cbam"].build(slot, mlp_bias=True)
        assert parameters(theirs) == parameters(CBAMOriginal(slot.channels))


def test_kernel_size_of_eca_overrides_the_rule() -> None:
    assert parameters(SPECS["timm-eca"].build(_slot(512, 28))) == 5
    for name in ("timm-eca", "timm-ceca"):
        block = SPECS[name].build(_slot(512, 28), kernel_size=9)
        assert parameters(block) == 9
        assert block(torch.randn(1, 512, 3, 2)).shape == (1, 512, 3, 2)


def test_bat_names_the_sizes_that_fit() -> None:
    with pytest.raises(UserError, match="must divide 24 x 24, the map of stage 2, not be 7; try"):
        SPECS["timm-bat"].build(QUICK_SLOTS[0], block_size=7)
    for slot in QUICK_SLOTS:
        block = SPECS["timm-bat"].build(slot).eval()
        assert block.get_submodule("ba").block_size == 6
        x = torch.randn(1, slot.channels, slot.height, slot.width)
        assert block(x).shape == x.shape


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_finite_at_batch_1(name: str) -> None:
    block = SPECS[name].build(_slot(16, 14)).train()
    _stir(block)
    x = torch.randn(1, 16, 14, 14, requires_grad=True)
    block(x).square().sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


def _greatest_saved(block: nn.Module, side: int) -> int:
    """Return the elements of the greatest tensor that is kept for the backward pass."""
    sizes = []

    def pack(tensor: Tensor) -> Tensor:
        sizes.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        block(torch.randn(1, 16, side, side, requires_grad=True))
    return max(sizes)


def _one_image() -> None:
    block = SelectiveKernel(16)
    block.eval()(torch.randn(1, 16, 8, 8))
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        block.train()(torch.randn(1, 16, 8, 8))


def _channels_last() -> None:
    block = LambdaLayer(16)
    assert any(parameter.dim() == 5 for parameter in block.parameters())
    with pytest.raises((RuntimeError, TypeError)):
        block.to(memory_format=torch.channels_last)


def _all_pairs() -> None:
    assert _greatest_saved(NonLocalAttn(16), 14) == 14**4  # type: ignore[no-untyped-call]
    assert round(112**4 * 4 / 1e6) == 629


def _blocks_of_8() -> None:
    block = HaloAttn(16)
    block(torch.randn(1, 16, 24, 24))
    with pytest.raises(AssertionError):
        block(torch.randn(1, 16, 28, 28))


def _one_size() -> None:
    with pytest.raises(AssertionError, match="feature size"):
        BottleneckAttn(16)
    heads = 4
    assert _greatest_saved(BottleneckAttn(16, feat_size=(14, 14)), 14) == heads * 14**4


def _a_convolution() -> None:
    assert SplitAttn(16).conv.kernel_size == (3, 3)


def _type_error() -> None:
    tried: list[dict[str, Any]] = [{}, {"extent": 2}, {"extent": 2, "extra_params": True}]
    for options in tried:
        with pytest.raises(TypeError):
            GatherExcite(16, **options)


REASONS: dict[str, Callable[[], None]] = {
    "sk": _one_image,
    "splat": _a_convolution,
    "lambda": _channels_last,
    "nl": _all_pairs,
    "halo": _blocks_of_8,
    "bottleneck": _one_size,
    "ge": _type_error,
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_is_left_out_has_the_fault_still(name: str) -> None:
    """If this fails, timm has mended the block: it can be offered."""
    REASONS[name]()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("timm-se", {"reduction": 0}, "timm-se:reduction must be at least 1, not 0"),
        ("timm-se", {"divisor": 0}, "timm-se:divisor must be at least 1"),
        ("timm-eca", {"kernel_size": 2}, "timm-eca:kernel_size must be an odd number"),
        ("timm-ecam", {"reduction": 0}, "timm-ecam:reduction must be at least 1"),
        ("timm-ceca", {"kernel_size": -1}, "timm-ceca:kernel_size must be an odd number"),
        ("timm-ceca", {"kernel_size": 99}, "timm-ceca:kernel_size must be at most 33"),
        ("timm-gc", {"reduction": 0}, "timm-gc:reduction must be at least 1"),
        ("timm-gca", {"reduction": 0}, "timm-gca:reduction must be at least 1"),
        ("timm-cbam", {"reduction": 0}, "timm-cbam:reduction must be at least 1"),
        ("timm-cbam", {"kernel_size": 4}, "timm-cbam:kernel_size must be an odd number"),
        ("timm-lcbam", {"reduction": 0}, "timm-lcbam:reduction must be at least 1"),
        ("timm-lcbam", {"kernel_size": 0}, "timm-lcbam:kernel_size must be an odd number"),
        ("timm-coord", {"reduction": 0}, "timm-coord:reduction must be at least 1"),
        ("timm-scoord", {"reduction": 0}, "timm-scoord:reduction must be at least 1"),
        ("timm-ela", {"kernel_size": 2}, "timm-ela:kernel_size must be an odd number"),
        ("timm-strip", {"kernel_size": 2}, "timm-strip:kernel_size must be an odd number"),
        ("timm-bat", {"block_size": 0}, "timm-bat:block_size must be at least 1"),
        ("timm-bat", {"groups": 0}, "timm-bat:groups must be at least 1"),
        ("timm-bat", {"groups": 3}, "timm-bat:groups must divide the 8 channels"),
        ("timm-bat", {"reduction": 0}, "timm-bat:reduction must be at least 1"),
        ("timm-bat", {"drop_rate": 1.0}, "timm-bat:drop_rate must be at least 0 and below 1"),
    ],
)
def test_options_out_of_range_are_refused(
    name: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        SPECS[name].build(_slot(16, 14), **options)
