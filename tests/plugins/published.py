"""What the tests of the blocks from papers share: slots, weights, and the formulas by name."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from agfer_bench_blocks import attention_modules
from torch import Tensor, nn

from agfer_bench import Slot
from tests.plugins import papers, papers_attention

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
    "coordinate": ({}, papers_attention.coordinate),
    "cot": ({"share": 4}, partial(papers_attention.cot, groups=4, share=4)),
    "double-attention": ({}, papers_attention.double_attention),
    "ema": ({"groups": 4}, partial(papers.ema, groups=4)),
    "external-attention": ({"memory": 5}, papers_attention.external_attention),
    "gct": ({}, papers.gct),
    "non-local": ({"pool": 2}, partial(papers_attention.non_local, pool=2)),
    "polarized": ({}, papers_attention.polarized),
    "scse": ({}, papers.scse),
    "self-attention": (
        {"head_channels": 4, "pool": 2, "mlp": 2},
        partial(papers_attention.self_attention, heads=3, pool=2, mlp=True),
    ),
    "self-residual-channel": ({}, papers.self_residual_channel),
    "self-residual-spatial": ({"pool": 2}, partial(papers.self_residual_spatial, pool=2)),
    "shuffle": ({"groups": 3}, partial(papers_attention.shuffle, groups=3)),
    "simam": ({}, papers.simam),
    "sk": ({"groups": 4, "minimum": 5}, partial(papers_attention.sk, groups=4)),
    "srm": ({}, papers.srm),
    "triplet": ({}, papers.triplet),
}
"""Options of a block for the narrow slot, and the paper's formula for these."""


def stir(block: nn.Module, size: float = 0.5) -> None:
    """Give all weights and running statistics random values."""
    with torch.no_grad():
        for tensor in (*block.parameters(), *block.buffers()):
            if tensor.is_floating_point():
                tensor.normal_(std=size)
        for layer in block.modules():
            if isinstance(layer, nn.BatchNorm2d) and layer.running_var is not None:
                layer.running_var.uniform_(0.5, 2)


def build(name: str, slot: Slot = NARROW, **options: Any) -> nn.Module:
    """Build a block with the global generator seeded."""
    torch.manual_seed(0)
    return SPECS[name].build(slot, **options)


def build_narrow(name: str) -> nn.Module:
    """Build a block for the narrow slot, with options that suit it."""
    return build(name, **PAPERS[name][0])


def normal_map(slot: Slot = NARROW, batch: int = 2) -> Tensor:
    """Draw a map, the same each time."""
    random = torch.Generator().manual_seed(1)
    return torch.randn(batch, slot.channels, slot.height, slot.width, generator=random)


def weights_of(block: nn.Module) -> papers.Weights:
    """Return a block's parameters and buffers by name."""
    return {name: tensor.clone().numpy() for name, tensor in block.state_dict().items()}


def apart(block: nn.Module, paper: papers.Paper, weights: papers.Weights | None = None) -> float:
    """Return the greatest difference between a block and a paper's formula."""
    x = normal_map().double()
    weights = weights or weights_of(block)
    expected = np.stack([paper(image, weights) for image in x.numpy()])
    with torch.no_grad():
        return float(np.abs(block(x).numpy() - expected).max())
