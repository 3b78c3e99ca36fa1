"""Attention blocks written from their papers, one file each.

Where a paper says nothing of initial weights, they are Glorot uniform with zero biases, as in the
other first-party blocks. Where it says nothing of a bias before a batch normalisation, there is
none: the normalisation would take it away. `amax` stands for global max pooling, since the
backward pass of adaptive max pooling is not deterministic on CUDA.

ECA (arXiv:1910.03151) and GC (arXiv:1904.11492) have no file here: `timm-eca` and, at the paper's
reduction, `timm-gca:reduction=16` have their formulas, as a test shows.
"""

from __future__ import annotations

from collections.abc import Sequence

from agfer_bench import AttentionSpec, hookimpl
from agfer_bench_blocks import (
    abn,
    attention_gate,
    bam,
    cbam_original,
    coordinate,
    cot,
    double_attention,
    ema,
    external_attention,
    gct,
    non_local,
    polarized,
    residual_attention,
    scse,
    self_attention,
    self_residual_channel,
    self_residual_spatial,
    shuffle,
    simam,
    sk,
    srm,
    triplet,
)

_FILES = (
    abn,
    attention_gate,
    bam,
    cbam_original,
    coordinate,
    cot,
    double_attention,
    ema,
    external_attention,
    gct,
    non_local,
    polarized,
    residual_attention,
    scse,
    self_attention,
    self_residual_channel,
    self_residual_spatial,
    shuffle,
    simam,
    sk,
    srm,
    triplet,
)


@hookimpl
def attention_modules() -> Sequence[AttentionSpec]:
    """Offer the block of each file."""
    return [file.SPEC for file in _FILES]
