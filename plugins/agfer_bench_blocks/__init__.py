"""Attention blocks written from their papers, one file each.

Where a paper says nothing of initial weights, they are Glorot uniform with zero biases, as in the
other first-party blocks. Where it says nothing of a bias before a batch normalisation, there is
none: the normalisation would take it away. `amax` stands for global max pooling, since the
backward pass of adaptive max pooling is not deterministic on CUDA.
"""

from __future__ import annotations

from collections.abc import Sequence

from agfer_bench import AttentionSpec, hookimpl
from agfer_bench_blocks import (
    abn,
    bam,
    cbam_original,
    ema,
    gct,
    scse,
    self_residual_channel,
    self_residual_spatial,
    simam,
    srm,
    triplet,
)

_FILES = (
    abn,
    bam,
    cbam_original,
    ema,
    gct,
    scse,
    self_residual_channel,
    self_residual_spatial,
    simam,
    srm,
    triplet,
)


@hookimpl
def attention_modules() -> Sequence[AttentionSpec]:
    """Offer the block of each file."""
    return [file.SPEC for file in _FILES]
