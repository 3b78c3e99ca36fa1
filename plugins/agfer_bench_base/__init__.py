"""The host network as it is, with no attention block: the row that all others are compared with."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from agfer_bench import AttentionSpec, Slot, hookimpl


def build(slot: Slot) -> nn.Module:
    """Return the identity: no layer, no parameter."""
    return nn.Identity()


@hookimpl
def attention_modules() -> Sequence[AttentionSpec]:
    """Offer `base`."""
    return [
        AttentionSpec(
            name="base",
            build=build,
            source="arXiv:1409.1556",
            summary="VGG16 without attention (Simonyan & Zisserman 2014)",
            formula="0",
        )
    ]
