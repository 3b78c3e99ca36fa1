"""AGFER's road on a CPU against the plain formula, differentiated operator by operator."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from agfer_bench_agfer import AGFER, cpu
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from agfer_bench.measure.memory import TensorTracker
from agfer_bench.measure.size import compute_nodes

CHANNELS = 16
FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
SHAPES = [(3, 9, 7), (1, 1, 1), (2, 1, 1), (1, 8, 8), (5, 2, 31), (0, 5, 5)]
PIECES = [2**19, 16 * 9 * 7 * 2, 16 * 7 * 4, 1]
"""Elements per piece: all at once, two images of (3, 9, 7), bands of rows, single rows."""


@pytest.fixture(autouse=True)
def small_maps_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "_WORTHWHILE", 0)


@pytest.fixture
def block() -> AGFER:
    torch.manual_seed(0)
    block = AGFER(CHANNELS, classes=7)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.normal_()
    return block


def plain(block: AGFER, x: Tensor) -> Tensor:
    which = block.which(x.mean((2, 3), keepdim=True))
    where = block.where(x.mean(1, keepdim=True))
    return x * torch.sigmoid(which * where)


def _map(shape: tuple[int, int, int], memory_format: str, dtype: torch.dtype) -> Tensor:
    batch, height, width = shape
    x = torch.randn(batch, CHANNELS, height, width, dtype=dtype)
    return x.contiguous(memory_format=FORMATS[memory_format]).requires_grad_()


def _output_and_gradients(
    forward: Callable[[Tensor], Tensor], block: AGFER, x: Tensor
) -> list[Tensor]:
    """Return the output, the input's gradient and the parameters'."""
    y = forward(x)
    to_y = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y)
    return [y.detach(), *torch.autograd.grad(y, [x, *block.parameters()], to_y)]


def _distances(some: list[Tensor], exact: list[Tensor]) -> list[float]:
    return [
        float((one - truth).norm() / truth.norm()) for one, truth in zip(some, exact, strict=True)
    ]


def _taken(block: AGFER, x: Tensor) -> bool:
    return "_Gate" in str(block(x).grad_fn)


@pytest.mark.parametrize("elements", PIECES)
@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("shape", SHAPES)
def test_equals_the_plain_formula(
    block: AGFER,
    shape: tuple[int, int, int],
    memory_format: str,
    elements: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cpu, "_PIECE", elements)
    block.double()
    x = _map(shape, memory_format, torch.float64)
    assert _taken(block, x)
    ours = _output_and_gradients(block, block, x)
    theirs = _output_and_gradients(lambda x: plain(block, x), block, x)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)
    y = block(x)
    (to_x,) = torch.autograd.grad(y.sum(), x)
    assert y.is_contiguous(memory_format=FORMATS[memory_format])
    assert to_x.is_contiguous(memory_format=FORMATS[memory_format])


@pytest.mark.parametrize("memory_format", FORMATS)
def test_gradients_by_finite_differences(
    block: AGFER, memory_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu, "_PIECE", CHANNELS * 3 * 2)
    block.double()
    x = _map((2, 4, 3), memory_format, torch.float64)
    names, parameters = zip(*block.named_parameters(), strict=True)

    def call(x: Tensor, *parameters: Tensor) -> Tensor:
        y: Tensor = torch.func.functional_call(block, dict(zip(names, parameters, strict=True)), x)
        return y

    assert torch.autograd.gradcheck(call, (x, *parameters))


def test_small_maps_take_the_plain_way(block: AGFER, monkeypatch: pytest.MonkeyPatch) -> None:
    x = _map((2, 4, 4), "channels_last", torch.float32)
    monkeypatch.setattr(cpu, "_WORTHWHILE", x.numel() + 1)
    assert not _taken(block, x)
    monkeypatch.setattr(cpu, "_WORTHWHILE", x.numel())
    assert _taken(block, x)


def test_a_single_image_comes_out_with_the_strides_of_its_format(block: AGFER) -> None:
    """Layers after it go by the strides, the batch's too, and copy what looks like neither."""
    for name, memory_format in FORMATS.items():
        x = _map((1, 8, 6), name, torch.float32).detach()
        x = x.as_strided(x.shape, (CHANNELS, *x.stride()[1:]))  # as convolutions may hand it on
        assert x.is_contiguous(memory_format=memory_format)
        expected = torch.empty(x.shape).contiguous(memory_format=memory_format)
        assert block(x).stride() == expected.stride()


def test_layouts_that_are_neither(block: AGFER) -> None:
    """Slices, transposes and expanded maps, as input and as the output's gradient."""
    block.double()
    wide = torch.randn(3, 2 * CHANNELS, 6, 5, dtype=torch.float64)
    for x in (
        wide[:, ::2],
        wide[:, :CHANNELS].transpose(2, 3),
        wide[:1, :CHANNELS].expand(3, -1, -1, -1),
        wide[:, :CHANNELS, ::2, 1:],
    ):
        x = x.detach().requires_grad_()
        y = block(x)
        (ours,) = torch.autograd.grad(y.sum(), x)  # the sum's gradient is one number, expanded
        (theirs,) = torch.autograd.grad(plain(block, x).sum(), x)
        torch.testing.assert_close(y, plain(block, x))
        torch.testing.assert_close(ours, theirs)


def test_what_is_changed_in_place_is_nobody_elses(block: AGFER) -> None:
    block.double()
    x = _map((2, 6, 5), "channels_last", torch.float64)
    to_y = torch.randn_like(x)
    kept = to_y.clone()
    y = block(x) + x  # the sum hands the same gradient to both
    first = torch.autograd.grad(y, x, to_y, retain_graph=True)[0]
    saved = first.clone()
    again = torch.autograd.grad(y, x, to_y)[0]
    assert torch.equal(to_y, kept)
    assert torch.equal(first, saved)
    assert torch.equal(first, again)
    torch.testing.assert_close(first, torch.autograd.grad(plain(block, x) + x, x, to_y)[0])


def test_without_gradients(block: AGFER) -> None:
    x = torch.randn(2, CHANNELS, 6, 5)
    expected = plain(block, x).detach()
    with torch.no_grad():
        torch.testing.assert_close(block(x), expected)
    with torch.inference_mode():
        torch.testing.assert_close(block(x), expected)
    parameters = list(block.parameters())  # an input that needs none, as behind frozen layers
    ours = torch.autograd.grad(block(x).sum(), parameters)
    theirs = torch.autograd.grad(plain(block, x).sum(), parameters)
    torch.testing.assert_close(ours, theirs)


def test_is_differentiable_once_and_says_so(block: AGFER) -> None:
    x = _map((2, 4, 3), "contiguous", torch.float32)
    (first,) = torch.autograd.grad(block(x).sum(), x, create_graph=True)
    torch.testing.assert_close(first, torch.autograd.grad(plain(block, x).sum(), x)[0])
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize(
    ("dtype", "autocast", "epsilon"),
    [
        (torch.float32, False, 1e-6),
        (torch.float32, True, 1e-2),
        (torch.bfloat16, True, 1e-2),
        (torch.bfloat16, False, 1e-2),
    ],
)
def test_is_as_exact_as_the_plain_formula(
    block: AGFER, dtype: torch.dtype, autocast: bool, epsilon: float, memory_format: str
) -> None:
    """Against the formula in double precision; the output has the input's type."""
    x = _map((4, 33, 47), memory_format, dtype)
    if dtype == torch.bfloat16 and not autocast:
        block.bfloat16()

    def cast(forward: Callable[[Tensor], Tensor]) -> list[Tensor]:
        def call(x: Tensor) -> Tensor:
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
                return forward(x)

        return _output_and_gradients(call, block, x)

    ours, theirs = cast(block), cast(lambda x: plain(block, x))
    assert ours[0].dtype == ours[1].dtype == dtype
    block.double()
    x_64 = x.detach().double().requires_grad_()
    exact = _output_and_gradients(lambda x: plain(block, x), block, x_64)
    off, of_plain = _distances(ours, exact), _distances(theirs, exact)
    assert max(off[:2]) < epsilon
    assert all(one < 3 * other + epsilon for one, other in zip(off, of_plain, strict=True))


def test_who_looks_at_operators_sees_the_plain_formula(block: AGFER) -> None:
    x = torch.randn(2, CHANNELS, 6, 5)
    assert compute_nodes(block) == 13
    exported = torch.export.export(block, (x,))
    reads = {str(node.target) for node in exported.graph.nodes if node.op == "call_function"}
    assert {"aten.mean.dim", "aten.sigmoid.default", "aten.mul.Tensor"} <= reads
    assert not any("out" in name or name.endswith("_.default") for name in reads)
    torch.testing.assert_close(exported.module()(x), block(x))
    compiled = torch.compile(block, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), block(x))


def test_multiply_accumulates_are_those_of_the_layers(block: AGFER) -> None:
    x = torch.randn(2, CHANNELS, 6, 5)
    hidden, classes, positions = 1, 7, 6 * 5
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        block(x)
    a_channel_path = 2 * CHANNELS * hidden
    a_spatial_path = 2 * 9 * (classes + 1) * positions
    assert counter.get_total_flops() == 2 * len(x) * (a_channel_path + a_spatial_path)


def test_takes_less_memory_than_the_plain_formula() -> None:
    block = AGFER(64, classes=7)
    x = torch.randn(8, 64, 64, 64, requires_grad=True)  # four pieces
    size = x.untyped_storage().nbytes()

    def peak(forward: Callable[[Tensor], Tensor]) -> float:
        with TensorTracker([x, *block.parameters()]) as tracker:
            forward(x).backward(torch.ones_like(x))
        x.grad = None
        block.zero_grad()
        return float(tracker.peak_bytes / size)

    assert peak(block) < 5  # input, output, their gradients; two pieces; what is one channel wide
    assert peak(lambda x: plain(block, x)) > 6


def test_weights_are_those_of_plain_convolutions() -> None:
    torch.manual_seed(7)
    block = AGFER(64, classes=7, reduction=8)
    torch.manual_seed(7)
    which = [nn.Conv2d(64, 8, 1), nn.ReLU(), nn.Conv2d(8, 64, 1)]
    where = [nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 1, 3)]
    expected = {}
    for name, layers in (("which", which), ("where", where)):
        for index in (0, 2):
            layer = layers[index]
            assert isinstance(layer, nn.Conv2d)
            nn.init.xavier_uniform_(layer.weight)
            expected[f"{name}.{index}.weight"] = layer.weight.detach()
            expected[f"{name}.{index}.bias"] = torch.zeros(layer.out_channels)
    state = block.state_dict()
    assert list(state) == list(expected)
    assert all(torch.equal(state[name], expected[name]) for name in expected)
