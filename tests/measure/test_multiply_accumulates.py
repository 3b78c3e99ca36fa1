"""Multiply-accumulates by hand and beside other counters; what has no count is named."""

from __future__ import annotations

import ctypes
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from agfer_bench.measure.multiply_accumulates import OUTSIDE, Operations, count_operations
from agfer_bench.network.build import build_block
from agfer_bench.plugin.finder import load_catalogue
from agfer_bench.plugin.specs import Slot

CATALOGUE = load_catalogue()
BLOCKS = [name for name, entry in CATALOGUE.modules.items() if hasattr(entry.spec, "formula")]
SLOT = Slot(
    channels=64,
    height=14,
    width=14,
    classes=7,
    stage=3,
    image_size=56,
    previous=(32, 28, 28),
    entering=(32, 14, 14),
)
B, N, C = 2, 10, 12
"""Sequences, steps, features."""


class Call(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def _count(function: Callable[[Tensor], Tensor], *shape: int) -> Operations:
    return count_operations(Call(function), torch.zeros(*(shape or (B, N, C))))


def _macs(function: Callable[[Tensor], Tensor], *shape: int) -> int:
    found = _count(function, *shape)
    assert found.uncounted == ()
    assert found.total is not None
    return found.total


def test_attention_counts_the_same_however_it_is_written() -> None:
    heads = 3

    def split(x: Tensor) -> Tensor:
        return x.reshape(B, N, heads, C // heads).transpose(1, 2)

    def in_two_products(x: Tensor) -> Tensor:
        q = k = v = split(x)
        return torch.softmax(q @ k.mT / 2, -1) @ v

    def in_einsum(x: Tensor) -> Tensor:
        q = k = v = split(x)
        weights = torch.einsum("bhle,bhse->bhls", q, k).softmax(-1)
        return torch.einsum("bhls,bhse->bhle", weights, v)

    def fused(x: Tensor) -> Tensor:
        q = k = v = split(x)
        return functional.scaled_dot_product_attention(q, k, v, is_causal=True)

    def with_backend(backend: SDPBackend) -> Callable[[Tensor], Tensor]:
        def attend(x: Tensor) -> Tensor:
            with sdpa_kernel(backend):
                q = k = v = split(x)
                return functional.scaled_dot_product_attention(q, k, v)

        return attend

    products = 2 * B * N * N * C
    written: list[Callable[[Tensor], Tensor]] = [in_two_products, in_einsum, fused]
    written += [with_backend(one) for one in (SDPBackend.MATH, SDPBackend.FLASH_ATTENTION)]
    assert [_macs(one) for one in written] == [products] * len(written)


@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_multihead_attention_by_hand(need_weights: bool, training: bool) -> None:
    layer = nn.MultiheadAttention(C, 3, batch_first=True).train(training)
    found = _macs(lambda x: layer(x, x, x, need_weights=need_weights)[0])
    assert found == 4 * B * N * C * C + 2 * B * N * N * C


@pytest.mark.parametrize("training", [True, False])
def test_an_encoder_layer_by_hand(training: bool) -> None:
    layer = nn.TransformerEncoderLayer(C, 4, 20, batch_first=True).train(training)
    encoder = nn.TransformerEncoder(layer, 2).train(training)
    one = 4 * B * N * C * C + 2 * B * N * N * C + 2 * B * N * C * 20
    assert _macs(layer) == one
    assert _macs(encoder) == 2 * one
    assert torch.backends.mha.get_fastpath_enabled(), "as it was before"


@pytest.mark.parametrize(("kind", "gates"), [(nn.RNN, 1), (nn.GRU, 3), (nn.LSTM, 4)])
@pytest.mark.parametrize("training", [True, False])
def test_recurrent_layers_by_hand(kind: Any, gates: int, training: bool) -> None:
    hidden = 5
    layer = kind(C, hidden, num_layers=2, bidirectional=True, batch_first=True).train(training)
    first, second = C + hidden, 2 * hidden + hidden
    expected = B * N * 2 * gates * hidden * (first + second)
    assert _macs(lambda x: layer(x)[0]) == expected


@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_an_lstm_with_projection_and_one_of_sequences_of_several_lengths() -> None:
    hidden, projected = 5, 3
    projecting = nn.LSTM(C, hidden, proj_size=projected, batch_first=True)
    a_step = 4 * hidden * (C + projected) + hidden * projected
    assert _macs(lambda x: projecting(x)[0]) == B * N * a_step
    plain = nn.LSTM(C, hidden, batch_first=True)

    def packed(x: Tensor) -> Tensor:
        rows = nn.utils.rnn.pack_padded_sequence(x, torch.tensor([N, N - 4]), batch_first=True)
        out: Tensor = plain(rows)[0].data
        return out

    assert _macs(packed) == (2 * N - 4) * 4 * hidden * (C + hidden)


def test_products_with_vectors_are_not_free() -> None:
    assert _macs(lambda x: x[0] @ x[1, 0]) == N * C
    assert _macs(lambda x: x[0, 0] @ x[1, 0]) == C
    assert _macs(lambda x: nn.Linear(C, 7)(x[0, 0])) == 7 * C
    assert _macs(lambda x: torch.addmv(x[0, :, 0], x[0], x[1, 0])) == N * C
    assert _macs(lambda x: torch.tensordot(x[0], x[1], dims=2)) == N * C


def test_convolutions_by_hand() -> None:
    grouped = nn.Conv2d(4, 6, 3, groups=2, stride=2, padding=1)
    transposed = nn.ConvTranspose2d(4, 6, 3, groups=2, stride=2)
    assert _macs(grouped, 1, 4, 8, 8) == 4 * 4 * 6 * 2 * 9
    assert _macs(transposed, 1, 4, 8, 8) == 8 * 8 * 4 * 3 * 9
    assert _macs(nn.Conv1d(4, 6, 5), 3, 4, 9) == 3 * 5 * 6 * 4 * 5


def test_a_deformable_convolution_counts_as_a_plain_one() -> None:
    ops = pytest.importorskip("torchvision.ops")
    layer = ops.DeformConv2d(4, 6, 3, groups=2)
    offsets = torch.full((1, 18, 6, 6), 0.5)
    plain = nn.Conv2d(4, 6, 3, groups=2)
    expected = _macs(plain, 1, 4, 8, 8)
    assert expected == 6 * 6 * 6 * 2 * 9
    assert _macs(lambda x: layer(x, offsets), 1, 4, 8, 8) == expected
    assert _macs(lambda x: layer(x, offsets, torch.ones(1, 9, 6, 6)), 1, 4, 8, 8) == expected


def test_a_complex_product_is_four_real_ones() -> None:
    assert _macs(lambda x: (x[0].to(torch.cfloat) @ x[0].to(torch.cfloat).mT).real) == 4 * N * N * C


@pytest.mark.filterwarnings("ignore:`torch.jit.script`")
def test_what_torch_takes_apart_late_is_counted_too() -> None:
    layer: Any = nn.Linear(C, 7)
    compiled = torch.compile(layer)
    scripted = torch.jit.script(layer)

    def inferred(x: Tensor) -> Tensor:
        with torch.inference_mode():
            y: Tensor = layer(x)
            return y

    def mapped(x: Tensor) -> Tensor:
        y: Tensor = torch.vmap(layer)(x)
        return y

    for function in (layer, compiled, scripted, inferred, mapped):
        assert _macs(function) == B * N * C * 7


def test_neither_elementwise_arithmetic_nor_what_moves_numbers_counts() -> None:
    def busy(x: Tensor) -> Tensor:
        x = functional.gelu(functional.layer_norm(x * x + x.mean(1, keepdim=True), (C,)))
        x = functional.max_pool1d(functional.pad(x, (1, 1), "reflect"), 2).cumsum(1).softmax(-1)
        x = torch.cat([x, torch.zeros_like(x), x.flip(1).roll(1, 0)], 1)
        x = functional.interpolate(x[None], scale_factor=2, mode="bilinear")[0]
        return x.sort(-1).values.topk(2).values.masked_fill(x[..., :2] > 0, 1.0).std(1)

    assert _macs(busy) == 0


WITHOUT: dict[str, tuple[Callable[[Tensor], Tensor], set[str]]] = {
    "fft": (lambda x: torch.fft.rfft2(x).abs(), {"aten::_fft_r2c"}),
    "stft": (
        lambda x: torch.stft(x.flatten(), 8, return_complex=True, window=torch.ones(8)).real,
        {"aten::_fft_r2c"},
    ),
    "distances": (lambda x: torch.cdist(x, x), {"aten::_cdist_forward"}),
    "bilinear": (lambda x: nn.Bilinear(C, C, 3)(x, x), {"aten::_trilinear"}),
    "inverse": (lambda x: torch.linalg.inv(x @ x.mT + torch.eye(N)), {"aten::linalg_inv_ex"}),
    "decomposition": (lambda x: torch.linalg.svdvals(x), {"aten::_linalg_svd"}),
    "bags": (
        lambda x: functional.embedding_bag(torch.arange(4)[None], x[0], mode="sum"),
        {"aten::_embedding_bag_forward_only"},
    ),
}
"""Operators that multiply and have no count."""


@pytest.mark.parametrize("name", WITHOUT)
def test_what_has_no_count_is_named_and_gives_no_total(name: str) -> None:
    function, operators = WITHOUT[name]
    found = _count(lambda x: function(x) + nn.Linear(C, 1)(x).sum())
    assert operators <= set(found.uncounted)
    assert found.total is None
    assert found.counted >= B * N * C, "the rest is counted"


def test_an_operator_of_others_counts_where_a_formula_is_registered() -> None:
    @torch.library.custom_op("agfer_bench_tests::outer", mutates_args=())
    def outer(x: Tensor) -> Tensor:
        return x @ x.mT

    packet = torch.ops.agfer_bench_tests.outer
    assert _count(lambda x: outer(x)).uncounted == ("agfer_bench_tests::outer",)
    tags = (torch.Tag.pointwise,)

    @torch.library.custom_op("agfer_bench_tests::tagged", mutates_args=(), tags=tags)
    def tagged(x: Tensor) -> Tensor:
        return x @ x.mT

    assert _count(lambda x: tagged(x)).uncounted == ("agfer_bench_tests::tagged",)
    torch.utils.flop_counter.register_flop_formula(packet)(
        lambda x_shape, **kwargs: 2 * x_shape[0] * x_shape[1] ** 2 * x_shape[2]
    )
    try:
        assert _macs(lambda x: outer(x)) == B * N * N * C
    finally:
        del flop_registry[packet]


def _fill(tensor: Tensor) -> Tensor:
    """Do as a kernel does that is not registered with torch."""
    ctypes.memset(tensor.data_ptr(), 1, tensor.numel() * tensor.element_size())
    return tensor


@pytest.mark.parametrize(
    "function",
    [
        lambda x: _fill(torch.empty_like(x)) + 1,
        lambda x: _fill(x.new_empty(x.shape)).view(-1)[:5] + 1,
        lambda x: _fill(torch.zeros(B, N, C)).mT.relu(),
        lambda x: torch.from_numpy(np.fft.fft(x.numpy()).real),
        lambda x: torch.as_tensor(np.asarray(x) * 2),
    ],
)
def test_kernels_that_torch_does_not_see_are_noticed(function: Callable[[Tensor], Tensor]) -> None:
    found = _count(function)
    assert found.uncounted == (OUTSIDE,)
    assert found.total is None


def test_tensors_that_operators_fill_are_no_sign_of_such_kernels() -> None:
    def whole(x: Tensor) -> Tensor:
        out = torch.empty(B, N, 2 * C)
        out[..., :C] = x
        out[..., C:].normal_()
        return out + 1

    def given(x: Tensor) -> Tensor:
        out = torch.empty(B, N, N)
        torch.bmm(x, x.mT, out=out)
        return torch.cat([out, torch.zeros(B, N, 1), torch.empty(B, N, 0)], -1)

    assert _macs(whole) == 0
    assert _macs(given) == B * N * N * C


def _torchs(module: nn.Module, x: Tensor) -> int:
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        module(x)
    return int(counter.get_total_flops()) // 2


def _ptflops(module: nn.Module, x: Tensor) -> int:
    """Count with ptflops, which counts a bias as one more product."""
    ptflops = pytest.importorskip("ptflops")
    for one in module.modules():
        if isinstance(one, nn.Linear | nn.Conv1d | nn.Conv2d):
            one.bias = None
    found, _ = ptflops.get_model_complexity_info(
        module,
        tuple(x.shape[1:]),
        backend="aten",
        as_strings=False,
        print_per_layer_stat=False,
        ost=io.StringIO(),
    )
    return int(found)


def _fvcores(module: nn.Module, x: Tensor) -> int:
    """Count the products that fvcore finds in a trace; it counts elementwise operators too."""
    counter = pytest.importorskip("fvcore.nn").FlopCountAnalysis(module, x)
    counter.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    found = counter.by_operator()
    if "aten::scaled_dot_product_attention" in counter.unsupported_ops():
        pytest.skip("fvcore leaves fused attention out")
    names = {"addmm", "bmm", "conv", "einsum", "linear", "matmul", "mm"}
    return int(sum(count for name, count in found.items() if name in names))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("counter", [_torchs, _ptflops, _fvcores])
@pytest.mark.parametrize("name", BLOCKS)
def test_other_counters_agree_on_every_block(
    name: str, counter: Callable[[nn.Module, Tensor], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are given fused attention as two products, since they leave it out on the CPU."""
    (chosen,) = CATALOGUE.choose_modules(name)
    torch.manual_seed(0)
    block = build_block(chosen, SLOT).eval()
    x = torch.zeros(1, *chosen.entry.spec.at(SLOT).given)
    found = count_operations(block, x)

    def two_products(q: Tensor, k: Tensor, v: Tensor, **options: Any) -> Tensor:
        return (q @ k.mT).softmax(dim=-1) @ v

    monkeypatch.setattr(nn.functional, "scaled_dot_product_attention", two_products)
    assert found == Operations(counted=counter(block, x), uncounted=())


@pytest.mark.parametrize(
    ("name", "pixels"),
    [("resnet18", 64), ("mobilenetv3_small_050", 64), ("convnext_atto", 64), ("levit_128s", 224)],
)
def test_torch_agrees_on_hosts_without_fused_attention(name: str, pixels: int) -> None:
    host = timm.create_model(name).eval()
    x = torch.zeros(1, 3, pixels, pixels)
    assert count_operations(host, x) == Operations(counted=_torchs(host, x), uncounted=())


def test_a_host_counts_the_same_with_fused_attention_and_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x = torch.zeros(1, 3, 64, 64)
    host = timm.create_model("vit_tiny_patch16_224", img_size=64).eval()
    fused = count_operations(host, x)
    for one in host.modules():
        if hasattr(one, "fused_attn"):
            monkeypatch.setattr(one, "fused_attn", False)
    assert fused == count_operations(host, x) == Operations(counted=_torchs(host, x), uncounted=())
    recurrent = timm.create_model("sequencer2d_s", img_size=32).eval()
    found = count_operations(recurrent, torch.zeros(1, 3, 32, 32))
    assert found.total == found.counted > _torchs(recurrent, torch.zeros(1, 3, 32, 32))
