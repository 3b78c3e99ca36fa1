"""AGFER on a CPU, operator by operator: the same numbers, with less written to memory.

Autograd's own way through x * sigmoid(which * where) and the two means writes some ten tensors of
the input's size, and on a CPU that traffic takes most of the block's time. Here maps are worked
through in pieces that stay in the cache, and only the output and the input's gradient are written
whole. Compilers fuse operators by themselves, so they get the plain formula, as GPUs do.

Shapes in names: B batch, C channels, H height, W width, P positions (H times W).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_PIECE = 2**19
"""Elements per piece. A few tensors of this size fit a cache of some megabytes; smaller pieces cost
more calls than they spare traffic."""

_WORTHWHILE = 2**18
"""Elements from which this pays: smaller maps stay in the cache anyhow, and then Python's own calls
make it up to twice as slow."""


def applies(x_BCHW: Tensor) -> bool:
    """Tell whether a tensor is a large one on the CPU, and nobody traces, exports or compiles."""
    return (
        type(x_BCHW) is Tensor  # in symbolic tracing it is a proxy
        and x_BCHW.device.type == "cpu"
        and x_BCHW.numel() >= _WORTHWHILE
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    )


def attend(
    x_BCHW: Tensor, which: Callable[[Tensor], Tensor], where: Callable[[Tensor], Tensor]
) -> Tensor:
    """Return x * sigmoid(which(mean of x over H and W) * where(mean of x over C)).

    Shape, type and memory format are the input's. Differentiable once.
    """
    x_BCHW, mean_BC11, mean_B1HW = _Means.apply(x_BCHW)
    # Under autocast the gates come in another type than the map.
    which_BC11, where_B1HW = which(mean_BC11).to(x_BCHW), where(mean_B1HW).to(x_BCHW)
    y_BCHW: Tensor = _Gate.apply(x_BCHW, which_BC11, where_B1HW)
    return y_BCHW


class _Means(torch.autograd.Function):
    """x -> x, its mean over H and W, its mean over C."""

    @staticmethod
    def forward(x_BCHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        batch, _, height, width = x_BCHW.shape
        # Of one channel both memory formats are the same bytes, but a convolution goes by the
        # strides, and channels last it takes half the time.
        mean_B1HW = x_BCHW.new_empty(batch, height, width, 1).movedim(3, 1)
        torch.mean(x_BCHW, 1, keepdim=True, out=mean_B1HW)
        return x_BCHW, x_BCHW.mean(dim=(2, 3), keepdim=True), mean_B1HW

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: tuple[Tensor, ...]) -> None:
        pass

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_x_BCHW: Tensor, to_BC11: Tensor, to_B1HW: Tensor) -> Tensor:
        batch, channels, height, width = to_x_BCHW.shape
        # Each element gets its channel's share and its position's: channel * 1 + 1 * position, a
        # matrix product of inner size two, which adds both in one pass. In place, since _Gate made
        # this gradient for nobody else.
        by_channel_BC1 = to_BC11.flatten(2) / (height * width)
        by_position_B1P = to_B1HW.flatten(2) / channels
        to_x_BCHW.view(batch, channels, height * width).baddbmm_(
            torch.cat([by_channel_BC1, torch.ones_like(by_channel_BC1)], dim=2),
            torch.cat([torch.ones_like(by_position_B1P), by_position_B1P], dim=1),
        )
        return to_x_BCHW


class _Gate(torch.autograd.Function):
    """x, which, where -> x * sigmoid(which * where); the gate is computed twice, and not kept."""

    @staticmethod
    def forward(x_BCHW: Tensor, which_BC11: Tensor, where_B1HW: Tensor) -> Tensor:
        # A format and not the input's own strides: of a single image these may be such that the
        # next layer takes the map for neither format and copies it.
        y_BCHW = torch.empty_like(x_BCHW, memory_format=_memory_format(x_BCHW))
        for b, h in _pieces(x_BCHW):
            y = y_BCHW[b, :, h]
            torch.mul(which_BC11[b], where_B1HW[b, :, h], out=y)
            y.sigmoid_().mul_(x_BCHW[b, :, h])
        return y_BCHW

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_y_BCHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x_BCHW, which_BC11, where_B1HW = ctx.saved_tensors
        to_x_BCHW = torch.empty_like(x_BCHW, memory_format=_memory_format(x_BCHW))
        to_which_BC11, to_where_B1HW = torch.zeros_like(which_BC11), torch.empty_like(where_B1HW)
        pieces = list(_pieces(x_BCHW))
        # Fresh memory is slow at first touch, so all pieces share what one needs.
        spare = [torch.empty_like(to_x_BCHW[b, :, h]) for b, h in pieces[:1] for _ in range(2)]
        for b, h in pieces:
            out = to_x_BCHW[b, :, h]
            to_which, to_where_B1HW[b, :, h] = _gate_backward(
                to_y_BCHW[b, :, h],
                x_BCHW[b, :, h],
                which_BC11[b],
                where_B1HW[b, :, h],
                out=out,
                spare=[one[: out.shape[0], :, : out.shape[2]] for one in spare],
            )
            to_which_BC11[b] += to_which
        return to_x_BCHW, to_which_BC11, to_where_B1HW


def _gate_backward(
    to_y_BCHW: Tensor,
    x_BCHW: Tensor,
    which_BC11: Tensor,
    where_B1HW: Tensor,
    *,
    out: Tensor,
    spare: Sequence[Tensor],
) -> tuple[Tensor, Tensor]:
    """Return the gradients of which and where, of a piece; that of x goes to `out`."""
    gate_BCHW = torch.mul(which_BC11, where_B1HW, out=spare[0]).sigmoid_()
    torch.mul(to_y_BCHW, gate_BCHW, out=out)
    to_product_BCHW = torch.mul(out, x_BCHW, out=spare[1])
    to_product_BCHW.addcmul_(to_product_BCHW, gate_BCHW, value=-1)  # times 1 - gate
    to_product_BCP = to_product_BCHW.flatten(2)
    to_which_BC1 = to_product_BCP @ where_B1HW.flatten(2).mT
    to_where_B1P = which_BC11.flatten(2).mT @ to_product_BCP
    return to_which_BC1[..., None], to_where_B1P.view_as(where_B1HW)


def _pieces(x_BCHW: Tensor) -> Iterator[tuple[slice, slice]]:
    """Yield the images and the rows of each piece: whole images, or a band of rows of one."""
    batch, channels, height, width = x_BCHW.shape
    image = channels * height * width
    images = max(1, _PIECE // image)
    rows = math.ceil(height / math.ceil(image / _PIECE))
    for b in range(0, batch, images):
        for h in range(0, height, rows):
            yield slice(b, b + images), slice(h, h + rows)


def _memory_format(x_BCHW: Tensor) -> torch.memory_format:
    """Return the dense format that is nearest to a tensor's own."""
    last = x_BCHW.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format
