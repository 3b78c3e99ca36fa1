"""A block that does nothing, for comparisons that must not find a difference.

Its output differs from its input by rounding alone. Training carries that on: two networks that
differ by rounding at the start may end several points apart. `agfer-bench calibrate` trains several
such blocks, and counts how often one of them is called better or worse than base; `agfer-bench run`
shows one as a control.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from agfer_bench import AttentionSpec, Slot, UserError, hookimpl

STEP = 1e-6
"""What `k` counts: about eight times the spacing of 32-bit numbers above 1."""
_MOST = 1000
"""Largest `k`: a factor of 1.001, still far less than what any block does."""


class Nudge(nn.Module):
    """Multiply the input by a constant next to 1: x * (1 + k * 1e-6).

    In bf16 such a factor rounds to 1, so that the output is the input.

    Args:
        k: Number of steps of 1e-6, not 0.
    """

    def __init__(self, k: int) -> None:
        super().__init__()
        self.factor = 1 + k * STEP

    def forward(self, x: Tensor) -> Tensor:
        """Return the input, (B, C, H, W), each value nudged."""
        return x * self.factor


def build(slot: Slot, *, k: int = 1) -> nn.Module:
    """Build a block that does nothing; it has no parameters.

    Args:
        slot: Where the block goes.
        k: By how many millionths the input is nudged, from -1000 to 1000; 0 leaves it as it is.
    """
    if not -_MOST <= k <= _MOST:
        raise UserError(f"null:k must be from {-_MOST} to {_MOST}, not {k}")
    return Nudge(k) if k else nn.Identity()


@hookimpl
def attention_modules() -> Sequence[AttentionSpec]:
    """Offer `null`."""
    return [
        AttentionSpec(
            name="null",
            build=build,
            source="agfer_bench_null, for A/A tests",
            summary="A block that does nothing: the input, nudged by k millionths",
            formula="0",
        )
    ]
