"""The blocks written from their papers, against the papers' formulas in NumPy."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
import torch

from agfer_bench import Slot
from agfer_bench.contract.formula import evaluate
from agfer_bench.measure.size import compute_nodes, parameters
from agfer_bench.plugin.finder import load_catalogue
from agfer_bench.plugin.options import HARNESS_OPTIONS
from tests.plugins.published import (
    PAPERS,
    SLOTS,
    SPECS,
    apart,
    build,
    build_narrow,
    normal_map,
    stir,
    weights_of,
)


def test_every_block_has_a_paper() -> None:
    elsewhere = {"attention-gate", "residual-attention"}  # test_gate_and_stage.py
    assert PAPERS.keys() | elsewhere == SPECS.keys()


@pytest.mark.parametrize("name", PAPERS)
def test_equals_the_papers_formula(name: str) -> None:
    paper, block = PAPERS[name][1], build_narrow(name).double().eval()
    stir(block)
    # SRM has a small number under its root, which the paper's formula has not.
    assert apart(block, paper) < (1e-8 if name == "srm" else 1e-10)


@pytest.mark.parametrize("name", [name for name in PAPERS if name != "simam"])
def test_the_papers_formula_needs_every_weight(name: str) -> None:
    """A reference that ignored a weight would agree with a block that does."""
    paper, block = PAPERS[name][1], build_narrow(name).double().eval()
    for parameter in block.parameters():
        stir(block)
        weights = weights_of(block)
        with torch.no_grad():
            parameter.add_(torch.randn_like(parameter))
        assert apart(block, paper, weights) > 1e-5


def _defaults(name: str) -> dict[str, Any]:
    options = load_catalogue().modules[name].options
    return {one.name: one.default for one in options if one not in HARNESS_OPTIONS}


OTHERS: dict[str, dict[str, Any]] = {
    "abn": {"depth": 2, "kernel": 3, "loss": 0.5},
    "bam": {"reduction": 7, "dilation": 2},
    "cbam-original": {"reduction": 100, "kernel": 3},
    "coordinate": {"reduction": 3},
    "cot": {"kernel": 5, "groups": 2, "share": 16},
    "double-attention": {"reduction": 100},
    "ema": {"groups": 8},
    "external-attention": {"memory": 7},
    "non-local": {"reduction": 5, "pool": 3},
    "polarized": {"layout": "sequential"},
    "scse": {"reduction": 5, "combine": "max"},
    "self-attention": {"head_channels": 8, "pool": 3, "mlp": 3},
    "self-residual-spatial": {"pool": 3},
    "shuffle": {"groups": 2},
    "sk": {"reduction": 3, "minimum": 2, "groups": 8},
    "triplet": {"kernel": 5},
}


@pytest.mark.parametrize("name", PAPERS)
def test_formula_is_the_count(name: str) -> None:
    for values in ({}, OTHERS.get(name, {})):
        options = _defaults(name) | values
        for slot in SLOTS:
            with torch.device("meta"):
                count = parameters(SPECS[name].build(slot, **options))
            assert evaluate(SPECS[name].formula, slot, options) == count


@pytest.mark.parametrize("name", PAPERS)
@pytest.mark.parametrize(("height", "width"), [(9, 7), (1, 1), (1, 5)])
def test_odd_maps_keep_their_shape_at_batch_1(name: str, height: int, width: int) -> None:
    slot = Slot(channels=16, height=height, width=width, classes=7, stage=2)
    block = build(name, slot).train()
    x = normal_map(slot, batch=1).requires_grad_()
    y = block(x)
    assert y.shape == x.shape
    y.square().sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in block.parameters())


@pytest.mark.parametrize("name", PAPERS)
def test_every_parameter_learns_and_the_input_stays(name: str) -> None:
    block = build_narrow(name).train()
    stir(block)
    x = normal_map(batch=3).requires_grad_()
    before = x.detach().clone()
    (block(x) * normal_map(batch=3).flip(0)).sum().backward()
    assert torch.equal(x, before)
    tensors = {"input": x, **dict(block.named_parameters())}
    assert not [name for name, t in tensors.items() if t.grad is None or not t.grad.any()]


@pytest.mark.parametrize("name", PAPERS)
def test_an_image_does_not_depend_on_its_batch(name: str) -> None:
    block = build_narrow(name).double().eval()
    stir(block)
    x = normal_map(batch=3).double()
    torch.testing.assert_close(block(x)[1:2], block(x[1:2]), rtol=0, atol=1e-12)
    last = x.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(block(last), block(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", PAPERS)
def test_bfloat16_pickle_and_seed(name: str) -> None:
    block = build_narrow(name)
    assert block.to(torch.bfloat16)(normal_map().bfloat16()).dtype == torch.bfloat16
    again = build_narrow(name)
    first = pickle.loads(pickle.dumps(build_narrow(name))).state_dict()
    assert all(torch.equal(tensor, first[key]) for key, tensor in again.state_dict().items())


@pytest.mark.parametrize("name", PAPERS)
def test_layers_are_counted_alike_in_training_and_evaluation(name: str) -> None:
    """torch.fx traces every block: nothing in it depends on the size of a map."""
    nodes = compute_nodes(build_narrow(name).train())
    assert nodes is not None
    assert nodes == compute_nodes(build_narrow(name).eval())
