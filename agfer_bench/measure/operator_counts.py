"""How many multiply-accumulates each of torch's operators does.

One rule holds for all: convolutions and matrix products count, one for each product that is added
to a sum. Nothing else does: no bias, no elementwise arithmetic (a gate multiplied with a map), no
reduction, softmax, normalisation, pooling or interpolation, and nothing that moves numbers. A
complex product counts as four real ones. An operator that is in neither list has no count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils.flop_counter import flop_registry

Count = Callable[..., int]
"""Multiply-accumulates of a call, from its result and its arguments."""


def count_of(operator: Any) -> Count | None:
    """Return how calls of an operator are counted; None where nothing is known of it.

    Where this module knows none, formulas count that are registered with torch
    (`torch.utils.flop_counter.register_flop_formula`): half of them, since they take one
    multiply-accumulate as two operations.

    Args:
        operator: What torch dispatches: an operator's overload, or a higher-order operator.
    """
    name = name_of(operator)
    if name in _COUNTS:
        return _COUNTS[name]
    if _is_free(name):
        return _nothing
    registered = flop_registry.get(getattr(operator, "overloadpacket", operator))
    return None if registered is None else _half(registered)


def name_of(operator: Any) -> str:
    """Return an operator's name as torch writes it, without the overload: `aten::mm`."""
    return str(operator.name()).partition(".")[0]


def _half(registered: Callable[..., int]) -> Count:
    return lambda result, *args, **kwargs: int(registered(*args, **kwargs, out_val=result)) // 2


@cache
def _is_free(name: str) -> bool:
    """Tell whether an operator multiplies nothing into sums.

    Only torch's own operators may be known by their tags: anybody can tag their own.
    """
    namespace, _, own = name.rpartition("::")
    if namespace in ("prim", "prims"):
        return own in _SIZES
    if namespace != "aten":
        return False
    words = own.removesuffix("_").removesuffix("_copy")
    if {own, words} & _FREE:
        return True
    found = [getattr(torch.ops.aten, one, None) for one in {own, words}]
    kinds = [getattr(packet, one) for packet in found if packet for one in packet.overloads()]
    return any(torch.Tag.pointwise in kind.tags or is_view(kind) for kind in kinds)


def is_view(operator: OpOverload) -> bool:
    """Tell whether an operator returns a view of its argument."""
    return bool(operator.is_view)


def _nothing(result: Any, *args: Any, **kwargs: Any) -> int:
    return 0


def _product(result: Any, a: Tensor, b: Tensor, *args: Any, **kwargs: Any) -> int:
    """(..., N, K) times (..., K, M), or (K,): each element of `a` meets M elements of `b`."""
    own = a.numel() * (b.shape[-1] if b.ndim > 1 else 1)
    return own * (_COMPLEX if a.is_complex() else 1)


_COMPLEX = 4
"""Real multiply-accumulates of a complex one: both parts of one number with both of the other."""


def _added_product(result: Any, added: Tensor, a: Tensor, b: Tensor, **kwargs: Any) -> int:
    """`added` + `a` `b`: the sum is not counted, as no bias is."""
    return _product(result, a, b)


def _convolution(
    result: Tensor, x: Tensor, weight: Tensor, *args: Any, transposed: bool = False, **kwargs: Any
) -> int:
    """Every output meets one filter; transposed, every input does.

    The arguments are those of `aten::convolution`, whose seventh is `transposed`.
    """
    transposed = args[4] if len(args) > 4 else transposed
    return (x if transposed else result).numel() * weight[0].numel()


def _attention(
    result: Any, query: Tensor, key: Tensor, value: Tensor, *args: Any, **kwargs: Any
) -> int:
    """(B, H, L, E) queries, (B, H, S, E) keys, (B, H, S, V) values: both products of attention.

    Those are queries with keys, and the weights with values. A mask leaves nothing out, as it would
    not with two matrix products.
    """
    rows = query.numel() // query.shape[-1]
    return rows * key.shape[-2] * (query.shape[-1] + value.shape[-1])


def _mkldnn_rnn(result: Any, x: Tensor, *args: Any, **kwargs: Any) -> int:
    """One layer in one direction of an LSTM on the CPU; its matrices are the first arguments."""
    return _recurrent(x, args[:2])


def _cudnn_rnn(result: Any, x: Tensor, weights: list[Tensor], *args: Any, **kwargs: Any) -> int:
    """All layers and directions of an RNN, an LSTM or a GRU on a GPU."""
    return _recurrent(x, weights)


def _recurrent(x: Tensor, weights: Sequence[Tensor]) -> int:
    """At each step of each sequence a vector goes through every matrix; (..., features) input."""
    steps = x.numel() // x.shape[-1]
    return steps * sum(weight.numel() for weight in weights if weight.ndim > 1)


def _deformable(result: Tensor, x: Tensor, weight: Tensor, *args: Any, **kwargs: Any) -> int:
    """Every output meets one filter, at places between pixels (Dai et al. 2017, equation 2).

    To interpolate there does not count, as it does not elsewhere.
    """
    return result.numel() * weight[0].numel()


def _affine_grid(result: Tensor, theta: Tensor, *args: Any, **kwargs: Any) -> int:
    """(B, H, W, 2) places: (x, y, 1) times the transposed (B, 2, 3) matrix; or one axis more."""
    return result.numel() * theta.shape[-1]


_COUNTS: Final[Mapping[str, Count]] = {
    **dict.fromkeys(("aten::mm", "aten::bmm", "aten::mv", "aten::dot", "aten::vdot"), _product),
    "aten::_int_mm": _product,
    **dict.fromkeys(
        ("aten::addmm", "aten::addmv", "aten::baddbmm", "aten::addbmm", "aten::_addmm_activation"),
        _added_product,
    ),
    **dict.fromkeys(("aten::addmm_", "aten::addmv_", "aten::baddbmm_"), _added_product),
    "aten::convolution": _convolution,
    **dict.fromkeys(
        (
            "aten::_scaled_dot_product_flash_attention",
            "aten::_scaled_dot_product_flash_attention_for_cpu",
            "aten::_scaled_dot_product_efficient_attention",
            "aten::_scaled_dot_product_cudnn_attention",
            "aten::_scaled_dot_product_fused_attention_overrideable",
            "flex_attention",
        ),
        _attention,
    ),
    "aten::mkldnn_rnn_layer": _mkldnn_rnn,
    "aten::_cudnn_rnn": _cudnn_rnn,
    "torchvision::deform_conv2d": _deformable,
    "aten::affine_grid_generator": _affine_grid,
}
"""Operators that multiply, by name."""

_SIZES: Final = frozenset({"device", "dtype", "layout", "numel", "size", "stride"})
"""Operators of namespace `prim` that ask a tensor for what it is."""

_NOTHING: Final = {
    "reductions and scans": """
        all allclose amax amin aminmax _aminmax any argmax argmin bincount count_nonzero cummax
        cummin cumprod cumsum dist equal histc kthvalue linalg_vector_norm logcumsumexp logsumexp
        max mean median min mode nanmedian nansum native_norm norm prod renorm segment_reduce std
        std_mean sum trace var var_mean
    """,
    "activations and normalisation that torch does not tag": """
        glu hardshrink hardswish log_sigmoid_forward log_softmax _log_softmax _masked_softmax mish
        _prelu_kernel rrelu_with_noise _safe_softmax softmax _softmax softplus softshrink
        batch_norm_elemt batch_norm_stats _batch_norm_no_update _batch_norm_with_update
        cudnn_batch_norm _fused_rms_norm miopen_batch_norm native_batch_norm
        _native_batch_norm_legit _native_batch_norm_legit_no_training native_group_norm
        native_layer_norm _weight_norm_interface _thnn_fused_gru_cell _thnn_fused_lstm_cell
    """,
    "pooling and interpolation": """
        _adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d
        adaptive_avg_pool3d adaptive_max_pool2d adaptive_max_pool3d avg_pool1d avg_pool2d
        avg_pool3d fractional_max_pool2d fractional_max_pool3d max_pool2d_with_indices
        max_pool3d_with_indices max_unpool2d max_unpool3d mkldnn_adaptive_avg_pool2d
        mkldnn_max_pool2d cudnn_grid_sampler grid_sampler_2d grid_sampler_3d upsample_bicubic2d
        upsample_bilinear2d _upsample_bicubic2d_aa _upsample_bilinear2d_aa upsample_linear1d
        upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_trilinear3d
        _upsample_nearest_exact1d _upsample_nearest_exact2d _upsample_nearest_exact3d
    """,
    "moving, picking and ordering numbers": """
        as_strided_scatter block_diag bucketize cat channel_shuffle clone col2im complex
        constant_pad_nd copy _copy_from diag_embed diagonal_scatter embedding flip gather im2col
        index index_add index_copy index_fill index_put _index_put_impl index_reduce index_select
        isin lift lift_fresh _local_scalar_dense masked_fill masked_scatter masked_select narrow
        nonzero nonzero_static _pack_padded_sequence pixel_shuffle pixel_unshuffle polar put
        reflection_pad1d reflection_pad2d reflection_pad3d repeat repeat_interleave
        replication_pad1d replication_pad2d replication_pad3d _reshape_alias _reshape_copy resize
        roll rot90 scatter scatter_add scatter_reduce searchsorted select_scatter set
        slice_scatter sort stack _stack take _to_copy topk tril triu unique_consecutive unique_dim
        _unique _unique2 _unsafe_index _unsafe_index_put _unsafe_masked_index unsafe_split
        unsafe_split_with_sizes _unsafe_view
    """,
    "making and drawing numbers": """
        arange bartlett_window bernoulli blackman_window _efficientzerotensor empty empty_like
        empty_permuted empty_strided exponential eye fill full full_like _fused_dropout
        hamming_window hann_window kaiser_window linspace logspace multinomial native_dropout
        new_empty new_empty_strided new_full new_ones new_zeros normal ones ones_like rand
        rand_like randint randint_like randn randn_like random randperm range scalar_tensor
        tril_indices triu_indices uniform zero zeros zeros_like
    """,
    "sizes and checks": """
        _assert_async _assert_scalar _assert_tensor_metadata dim is_contiguous
        is_non_overlapping_and_dense is_pinned is_same_size is_set_to is_strides_like_format numel
        record_stream size storage_offset stride sym_is_contiguous sym_numel sym_size
        sym_storage_offset sym_stride
    """,
}
"""Operators of namespace `aten` that do no multiply-accumulates, in-place variants included, beside
those that torch tags as elementwise and those that return views."""

_FREE: Final = frozenset(name for names in _NOTHING.values() for name in names.split())
