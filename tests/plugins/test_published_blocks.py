"""The blocks written from their papers, against the papers' formulas in NumPy, and timm's."""

from __future__ import annotations

import math
import pickle
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from agfer_bench_blocks import attention_modules
from agfer_bench_blocks.layers import BatchNorm
from timm.layers.cbam import CbamModule
from torch import Tensor, nn

from agfer_bench import Slot, UserError
from agfer_bench.contract.formula import evaluate
from agfer_bench.measure.size import compute_nodes, parameters
from tests.plugins import papers

SPECS = {spec.name: spec for spec in attention_modules()}

SLOTS = [
    Slot(channels=c, height=side, width=side, classes=7, stage=stage)
    for c, side, stage in (
        (128, 112, 2),
        (256, 56, 3),
        (512, 28, 4),
        (16, 24, 2),
        (32, 12, 3),
        (64, 6, 4),
    )
]
"""The slots of the paper's host and of the quick preset's."""

NARROW = Slot(channels=12, height=9, width=7, classes=5, stage=2)

PAPERS: dict[str, tuple[dict[str, Any], papers.Paper]] = {
    "abn": ({}, papers.abn),
    "bam": ({"reduction": 3}, papers.bam),
    "cbam-original": ({"reduction": 3}, papers.cbam_original),
    "ema": ({"groups": 4}, partial(papers.ema, groups=4)),
    "gct": ({}, papers.gct),
    "scse": ({}, papers.scse),
    "self-residual-channel": ({}, papers.self_residual_channel),
    "self-residual-spatial": ({"pool": 2}, partial(papers.self_residual_spatial, pool=2)),
    "simam": ({}, papers.simam),
    "srm": ({}, papers.srm),
    "triplet": ({}, papers.triplet),
}


def _stir(block: nn.Module, size: float = 0.5) -> None:
    """Give all weights and running statistics random values."""
    with torch.no_grad():
        for tensor in (*block.parameters(), *block.buffers()):
            if tensor.is_floating_point():
                tensor.normal_(std=size)
        for layer in block.modules():
            if isinstance(layer, nn.BatchNorm2d) and layer.running_var is not None:
                layer.running_var.uniform_(0.5, 2)


def _build(name: str, slot: Slot = NARROW, **options: Any) -> nn.Module:
    torch.manual_seed(0)
    return SPECS[name].build(slot, **options)


def _map(slot: Slot = NARROW, batch: int = 2) -> Tensor:
    random = torch.Generator().manual_seed(1)
    return torch.randn(batch, slot.channels, slot.height, slot.width, generator=random)


def _weights(block: nn.Module) -> papers.Weights:
    return {name: tensor.clone().numpy() for name, tensor in block.state_dict().items()}


def _apart(block: nn.Module, paper: papers.Paper, weights: papers.Weights | None = None) -> float:
    """Return the greatest difference between a block and a paper's formula."""
    x = _map().double()
    weights = weights or _weights(block)
    expected = np.stack([paper(image, weights) for image in x.numpy()])
    with torch.no_grad():
        return float(np.abs(block(x).numpy() - expected).max())


def test_every_block_has_a_paper() -> None:
    assert PAPERS.keys() == SPECS.keys()


@pytest.mark.parametrize("name", PAPERS)
def test_equals_the_papers_formula(name: str) -> None:
    options, paper = PAPERS[name]
    block = _build(name, **options).double().eval()
    _stir(block)
    # SRM has a small number under its root, which the paper's formula has not.
    assert _apart(block, paper) < (1e-8 if name == "srm" else 1e-10)


@pytest.mark.parametrize("name", [name for name in PAPERS if name != "simam"])
def test_the_papers_formula_needs_every_weight(name: str) -> None:
    """A reference that ignored a weight would agree with a block that does."""
    options, paper = PAPERS[name]
    block = _build(name, **options).double().eval()
    for parameter in block.parameters():
        _stir(block)
        weights = _weights(block)
        with torch.no_grad():
            parameter.mul_(1.5).add_(0.1)
        assert _apart(block, paper, weights) > 1e-5


def test_pool_1_is_the_authors_spatial_attention() -> None:
    block = _build("self-residual-spatial", pool=1).double().eval()
    _stir(block)
    assert _apart(block, partial(papers.self_residual_spatial, pool=1)) < 1e-10
    assert _apart(block, partial(papers.self_residual_spatial, pool=2)) > 1e-5


@pytest.mark.parametrize(("side", "pool"), [(28, 1), (29, 2), (56, 2), (112, 4), (1, 1)])
def test_keys_are_pooled_until_784_are_left(side: int, pool: int) -> None:
    slot = Slot(channels=2, height=side, width=side, classes=2, stage=2)
    assert SPECS["self-residual-spatial"].build(slot).pool == pool


def test_cbam_original_equals_timm() -> None:
    ours = _build("cbam-original", reduction=3).double().eval()
    _stir(ours)
    theirs = CbamModule(12, rd_ratio=1 / 3, mlp_bias=True).double().eval()
    state = ours.state_dict()
    names = dict(zip(state, theirs.state_dict(), strict=True))
    # timm's spatial input is [mean, max], the paper's [max, mean].
    state["where.0.weight"] = state["where.0.weight"].flip(1)
    theirs.load_state_dict({names[name]: tensor for name, tensor in state.items()})
    x = _map().double()
    with torch.no_grad():
        assert (ours(x) - theirs(x)).abs().max() < 1e-10


def test_cbam_original_has_the_authors_parameters() -> None:
    assert sum(parameters(_build("cbam-original", slot)) for slot in SLOTS[:3]) == 44_260


def test_scse_max_takes_the_larger_result() -> None:
    add, larger = _build("scse").double(), _build("scse", combine="max").double()
    _stir(add)
    larger.load_state_dict(add.state_dict())
    x = _map().double()
    paths = [x * add.which(x.mean((2, 3), keepdim=True)), x * add.where(x)]  # type: ignore[operator]
    torch.testing.assert_close(add(x), paths[0] + paths[1])
    torch.testing.assert_close(larger(x), torch.stack(paths).amax(0))


def test_abn_makes_a_map_of_the_classes_channels() -> None:
    assert parameters(_build("abn", depth=0)) == 12 * 5 + 2 * 5 + 5 + 2
    deeper = parameters(_build("abn", depth=2)) - parameters(_build("abn", depth=1))
    assert deeper == 2 * 9 * 12 * 12 + 4 * 12


def test_gct_starts_as_the_identity() -> None:
    torch.testing.assert_close(_build("gct")(_map()), _map())


def _count(name: str, slot: Slot, options: dict[str, Any]) -> object:
    return evaluate(SPECS[name].formula, slot, options)


DEFAULTS: dict[str, dict[str, Any]] = {
    "abn": {"depth": 1, "kernel": 1, "loss": 0.0},
    "bam": {"reduction": 16, "dilation": 4},
    "cbam-original": {"reduction": 16, "kernel": 7},
    "ema": {"groups": 32},
    "gct": {},
    "scse": {"reduction": 2, "combine": "add"},
    "self-residual-channel": {},
    "self-residual-spatial": {"pool": 0},
    "simam": {"e_lambda": 1e-4},
    "srm": {},
    "triplet": {"kernel": 7},
}
OTHERS: dict[str, dict[str, Any]] = {
    "abn": {"depth": 2, "kernel": 3, "loss": 0.5},
    "bam": {"reduction": 7, "dilation": 2},
    "cbam-original": {"reduction": 100, "kernel": 3},
    "ema": {"groups": 8},
    "scse": {"reduction": 5, "combine": "max"},
    "self-residual-spatial": {"pool": 3},
    "triplet": {"kernel": 5},
}


@pytest.mark.parametrize("name", PAPERS)
def test_formula_is_the_count(name: str) -> None:
    for options in (DEFAULTS[name], OTHERS.get(name, DEFAULTS[name])):
        for slot in SLOTS:
            with torch.device("meta"):
                count = parameters(SPECS[name].build(slot, **options))
            assert _count(name, slot, options) == count


@pytest.mark.parametrize("name", PAPERS)
@pytest.mark.parametrize(("height", "width"), [(9, 7), (1, 1), (1, 5)])
def test_odd_maps_keep_their_shape_at_batch_1(name: str, height: int, width: int) -> None:
    slot = Slot(channels=16, height=height, width=width, classes=7, stage=2)
    block = _build(name, slot).train()
    x = _map(slot, batch=1).requires_grad_()
    y = block(x)
    assert y.shape == x.shape
    y.square().sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in block.parameters())


@pytest.mark.parametrize("name", PAPERS)
def test_every_parameter_learns_and_the_input_stays(name: str) -> None:
    block = _build(name).train()
    _stir(block)
    x = _map(batch=3).requires_grad_()
    before = x.detach().clone()
    (block(x) * _map(batch=3).flip(0)).sum().backward()
    assert torch.equal(x, before)
    tensors = {"input": x, **dict(block.named_parameters())}
    assert not [name for name, t in tensors.items() if t.grad is None or not t.grad.any()]


@pytest.mark.parametrize("name", PAPERS)
def test_an_image_does_not_depend_on_its_batch(name: str) -> None:
    block = _build(name).double().eval()
    _stir(block)
    x = _map(batch=3).double()
    torch.testing.assert_close(block(x)[1:2], block(x[1:2]), rtol=0, atol=1e-12)
    last = x.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(block(last), block(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", PAPERS)
def test_bfloat16_pickle_and_seed(name: str) -> None:
    block = _build(name)
    assert block.to(torch.bfloat16)(_map().bfloat16()).dtype == torch.bfloat16
    again = _build(name)
    first = pickle.loads(pickle.dumps(_build(name))).state_dict()
    assert all(torch.equal(tensor, first[key]) for key, tensor in again.state_dict().items())


@pytest.mark.parametrize("name", PAPERS)
def test_layers_are_counted_alike_in_training_and_evaluation(name: str) -> None:
    """torch.fx traces every block: nothing in it depends on the size of a map."""
    nodes = compute_nodes(_build(name).train())
    assert nodes is not None
    assert nodes == compute_nodes(_build(name).eval())


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
        ("ema", {"groups": 0}, "ema:groups must be at least 1"),
        ("ema", {"groups": 5}, "ema:groups must divide the 12 channels of stage 2, not be 5"),
        ("scse", {"reduction": 0}, "scse:reduction must be at least 1"),
        ("scse", {"combine": "mean"}, "scse:combine must be add or max, not 'mean'"),
        ("self-residual-spatial", {"pool": -1}, "self-residual-spatial:pool must be at least 0"),
        ("simam", {"e_lambda": 0.0}, "simam:e_lambda must be above 0, not 0.0"),
        ("simam", {"e_lambda": math.nan}, "simam:e_lambda must be above 0, not nan"),
        ("triplet", {"kernel": -3}, "triplet:kernel must be an odd number"),
    ],
)
def test_options_out_of_range_are_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        _build(name, **options)
