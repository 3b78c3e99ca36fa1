"""Declared numbers of parameters."""

from __future__ import annotations

import pytest

from agfer_bench import Slot, UserError
from agfer_bench.contract.formula import evaluate

SLOT = Slot(channels=48, height=10, width=20, classes=7, stage=2)


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("0", 0),
        ("C + H + W + M", 85),
        (" 2 * C * max(1, C // reduction)", 2 * 48 * 3),
        ("min(C, 4) * ceil(log2(C))", 4 * 6),
        ("C if shared else 2 * C", 96),
        ("sum_of_nothing", 5),
        ("C / 2", 24),
    ],
)
def test_by_hand(formula: str, value: int) -> None:
    options = {"reduction": 16, "shared": False, "sum_of_nothing": 5}
    assert evaluate(formula, SLOT, options) == value


@pytest.mark.parametrize(
    ("formula", "said"),
    [
        ("C +", "SyntaxError"),
        ("channels", "NameError"),
        ("__import__('os').getpid()", "NameError"),
        ("C / 0", "ZeroDivisionError"),
        ("C / 7", "not a whole number"),
        ("C > 2", "gives True, not a whole number"),
        ("'C'", "gives 'C', not a whole number"),
        ("C * 1e400", "not a whole number"),
        ("", "SyntaxError"),
    ],
)
def test_what_is_no_number(formula: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        evaluate(formula, SLOT, {})


def test_the_slot_counts_before_an_option_of_that_name() -> None:
    assert evaluate("C", SLOT, {"C": 3}) == 48
