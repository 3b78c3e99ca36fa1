"""Attention blocks of timm.layers, as timm has them: `timm-se` is its SE with its own defaults.

Wightman (2019), PyTorch Image Models, doi:10.5281/zenodo.4414861; the papers of the blocks are
their sources. An option changes one argument of timm's layer. Hidden channels are rounded as timm
rounds them, often to a multiple of eight, so `timm-se` is wider than `se` where channels are few.

Left out, as measured with timm 1.0.31 at (C, side) = (128, 112), (256, 56), (512, 28):

- `sk` normalises pooled features over the batch: it raises at batch 1 in training.
- `splat` is a 3x3 convolution of its own, made to replace one and not to follow it.
- `lambda` has weights of five dimensions, which cannot be moved to channels last.
- `nl` keeps weights between all pairs of positions: 629 MB an image at side 112.
- `halo` cuts the map into blocks of 8 x 8, which 28 is no multiple of.
- `bottleneck` is built for one size of map, and also keeps weights between all pairs.
- `ge` raises a TypeError whatever its arguments.

`timm-bat` has its dropout in training, and on CUDA a pooling whose backward pass is not
deterministic. `timm-cbam`, `timm-lcbam` and `timm-bat` raise at batch 1 on maps of 1 x 1 in
training.
"""

from __future__ import annotations

from collections.abc import Sequence

from agfer_bench import AttentionSpec, hookimpl
from agfer_bench_timm import channel, spatial

LEFT_OUT: dict[str, str] = {
    "sk": "raises at batch 1 in training: batch normalisation of pooled features",
    "splat": "is a 3x3 convolution of its own, made to replace one and not to follow it",
    "lambda": "has weights of five dimensions, which cannot be moved to channels last",
    "nl": "needs memory for all pairs of positions: 629 MB an image at 112 x 112",
    "halo": "needs sides that are multiples of its blocks of 8, which 28 is not",
    "bottleneck": "needs the map's size when it is built, and memory for all pairs of positions",
    "ge": "raises a TypeError whatever its arguments",
}
"""Blocks of timm that are not on offer, by timm's name, and why."""


@hookimpl
def attention_modules() -> Sequence[AttentionSpec]:
    """Offer timm's blocks."""
    return [*channel.SPECS, *spatial.SPECS]
