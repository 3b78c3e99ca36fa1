"""A block with a second input and one that replaces its stage, against their papers in NumPy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from agfer_bench_blocks.attention_gate import AttentionGate
from agfer_bench_blocks.residual_attention import ResidualAttention, Unit
from scipy.special import expit

from agfer_bench import Slot, UserError
from agfer_bench.contract.formula import evaluate
from agfer_bench.measure.size import parameters
from tests.plugins.papers import Array, Weights, convolve, normalise, relu
from tests.plugins.papers_attention import pointwise
from tests.plugins.published import SPECS, build, stir, weights_of

GATE = Slot(channels=12, height=9, width=7, classes=5, stage=2, previous=(6, 18, 14))
STAGE = replace(GATE, entering=(6, 18, 14), replaces=True)


def _noise(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def _gate(x: Array, previous: Array, w: Weights) -> Array:
    """Oktay et al. 2018, equations 1 and 2, a position at a time."""
    y = np.empty_like(x)
    for r, c in np.ndindex(*x.shape[1:]):
        row, column = (r * previous.shape[1] // x.shape[1], c * previous.shape[2] // x.shape[2])
        signal = w["of_previous.weight"][:, :, 0, 0] @ previous[:, row, column]
        hidden = w["of_map.weight"][:, :, 0, 0] @ x[:, r, c] + signal + w["of_previous.bias"]
        y[:, r, c] = x[:, r, c] * expit(w["psi.weight"][0, :, 0, 0] @ relu(hidden) + w["psi.bias"])
    return y


@pytest.mark.parametrize("previous", [(6, 18, 14), (6, 9, 7), (6, 5, 4), (6, 23, 31)])
def test_attention_gate_is_the_papers(previous: tuple[int, int, int]) -> None:
    block = AttentionGate(12, 6, reduction=3).double()
    stir(block)
    x, signal = _noise(2, 12, 9, 7), _noise(2, *previous)
    pairs = zip(x.numpy(), signal.numpy(), strict=True)
    expected = [_gate(*maps, weights_of(block)) for maps in pairs]
    with torch.no_grad():
        np.testing.assert_allclose(block(x, signal).numpy(), expected, atol=1e-12)


def _unit(x: Array, w: Weights, name: str, stride: int = 1) -> Array:
    """He et al. 2016, figure 4e; what goes past is projected where the channels change."""
    hidden = pointwise(relu(normalise(x, w, f"{name}.branch.0")), w, f"{name}.branch.2")
    hidden = relu(normalise(hidden, w, f"{name}.branch.3"))
    hidden = convolve(hidden, w[f"{name}.branch.5.weight"])[:, ::stride, ::stride]
    branch = pointwise(relu(normalise(hidden, w, f"{name}.branch.6")), w, f"{name}.branch.8")
    past = x[:, ::stride, ::stride]
    projections = [key for key in w if key.startswith(f"{name}.past.")]
    for key in projections:
        past = pointwise(past, w, key.removesuffix(".weight"))
    return past + branch


def _enlarged(x: Array, height: int, width: int) -> Array:
    """Bilinear, corners on corners."""
    y = np.zeros((len(x), height, width))
    for r, c in np.ndindex(height, width):
        down, right = r * (x.shape[1] - 1) / (height - 1), c * (x.shape[2] - 1) / (width - 1)
        for row, column in np.ndindex(*x.shape[1:]):
            share = max(0, 1 - abs(down - row)) * max(0, 1 - abs(right - column))
            y[:, r, c] += share * x[:, row, column]
    return y


def _residual_attention(x: Array, w: Weights, stride: int, trunk: int, mask: int) -> Array:
    """Wang et al. 2017, figure 2 and equation 3."""
    x = _unit(x, w, "before", stride)
    body = x
    for number in range(trunk):
        body = _unit(body, w, f"trunk.{number}")
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    rows, columns = (np.arange(0, side, 2) for side in x.shape[1:])
    below = np.array(
        [[padded[:, r : r + 3, c : c + 3].max((1, 2)) for c in columns] for r in rows]
    ).transpose(2, 0, 1)
    for number in range(2 * mask):
        below = _unit(below, w, f"mask.{number}")
    gate = _enlarged(below, *x.shape[1:])
    gate = pointwise(relu(normalise(gate, w, "gate.0")), w, "gate.2")
    gate = pointwise(relu(normalise(gate, w, "gate.3")), w, "gate.5")
    return _unit((1 + expit(gate)) * body, w, "behind")


@pytest.mark.parametrize(("given", "stride"), [(6, 2), (12, 2), (12, 1)])
@pytest.mark.parametrize(("trunk", "mask"), [(2, 1), (0, 2)])
def test_residual_attention_is_the_papers(given: int, stride: int, trunk: int, mask: int) -> None:
    block = ResidualAttention(given, 12, stride, trunk, mask).double().eval()
    stir(block)
    x = _noise(2, given, 9 * stride, 7 * stride)
    w = weights_of(block)
    expected = [_residual_attention(one, w, stride, trunk, mask) for one in x.numpy()]
    with torch.no_grad():
        np.testing.assert_allclose(block(x).numpy(), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("channels", [8, 12, 64])
@pytest.mark.parametrize("previous", [3, 12, 512])
@pytest.mark.parametrize("reduction", [1, 3, 99])
def test_formula_of_the_gate(channels: int, previous: int, reduction: int) -> None:
    slot = replace(GATE, channels=channels, previous=(previous, 4, 4))
    block = build("attention-gate", slot, reduction=reduction)
    found = evaluate(SPECS["attention-gate"].formula, slot, {"reduction": reduction})
    assert found == parameters(block)


@pytest.mark.parametrize("channels", [8, 12, 64])
@pytest.mark.parametrize("entering", [3, 12])
@pytest.mark.parametrize(("trunk", "mask"), [(2, 1), (0, 0), (1, 3)])
def test_formula_of_the_stage(channels: int, entering: int, trunk: int, mask: int) -> None:
    slot = replace(STAGE, channels=channels, entering=(entering, 9, 7))
    options = {"trunk": trunk, "mask": mask}
    block = build("residual-attention", slot, **options)
    found = evaluate(SPECS["residual-attention"].formula, slot, options)
    assert found == parameters(block)


def test_a_stage_that_has_no_stride_says_so() -> None:
    with pytest.raises(UserError, match="from 19 x 14 to 9 x 7, as stage 2 goes, there is no str"):
        build("residual-attention", replace(STAGE, entering=(6, 19, 14)))
    with pytest.raises(UserError, match="residual-attention:trunk must be at least 0, not -1"):
        build("residual-attention", STAGE, trunk=-1)
    assert isinstance(build("residual-attention", STAGE).get_submodule("before"), Unit)
