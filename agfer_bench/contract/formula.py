"""A block's declared number of parameters, computed from its formula."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from agfer_bench.errors import UserError, describe
from agfer_bench.plugin.specs import Slot

_FUNCTIONS: dict[str, Any] = {"max": max, "min": min, "ceil": math.ceil, "log2": math.log2}


def evaluate(formula: str, slot: Slot, options: Mapping[str, Any]) -> int:
    """Compute `AttentionSpec.formula` for one slot.

    A formula is part of an installed plugin, whose code runs anyway: evaluating it adds no risk.
    It sees no builtins, so that what is declared stays an expression that a reader can follow.

    Args:
        formula: An expression of C, H, W, M, I, P, the options by name, `max`, `min`, `ceil`,
            `log2`.
        slot: Where the block goes: its channels C, height H, width W, classes M, channels I of the
            map that it is given, and P of the previous one.
        options: Every option of the block with its value.

    Raises:
        UserError: It does not evaluate, or not to a whole number.

    >>> slot = Slot(channels=128, height=112, width=112, classes=7, stage=2)
    >>> evaluate("2 * C * max(1, C // reduction) + M", slot, {"reduction": 16})
    2055
    """
    place = {"C": slot.channels, "H": slot.height, "W": slot.width, "M": slot.classes}
    place |= {"I": slot.given[0], "P": slot.previous[0]}
    names = {**options, **place, **_FUNCTIONS, "__builtins__": {}}
    try:
        value = eval(formula.strip(), names)
    except (Exception, SystemExit) as error:
        raise UserError(f"the formula {formula!r} does not evaluate: {describe(error)}") from None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value != int(value):
        raise UserError(f"the formula {formula!r} gives {value!r}, not a whole number")
    return int(value)
