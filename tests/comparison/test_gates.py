"""Gates: which conditions are read, and which rows meet them."""

from __future__ import annotations

from typing import Any

import pytest

from agfer_bench.comparison.gates import hold, parse_gate
from agfer_bench.errors import UserError

ROWS: list[dict[str, Any]] = [
    {"module": "base", "accuracy_mean": 0.60, "latency_median_ms": 2.0, "parameters": 100},
    {"module": "mine", "accuracy_mean": 0.59, "latency_median_ms": 2.3, "parameters": 110},
    {"module": "timm-eca", "accuracy_mean": None, "latency_median_ms": 2.1, "parameters": 105},
]


def _passed(text: str) -> dict[str, bool]:
    return {one.module: one.passed for one in hold(parse_gate(text), ROWS)}


@pytest.mark.parametrize(
    ("text", "mine"),
    [
        ("accuracy < base - 0.02", True),
        ("accuracy < base - 0.005", False),
        ("latency > 1.1 * base", False),
        ("latency > 1.2 * base", True),
        ("latency >= 2.3", False),
        ("parameters <= 'timm-eca' + 5", False),
        ("parameters > -(-2) * base / 2 + 10", True),
    ],
)
def test_conditions(text: str, mine: bool) -> None:
    assert _passed(text)["mine"] is mine


def test_a_module_that_is_named_is_not_held_against_itself() -> None:
    assert set(_passed("latency > 1.1 * base")) == {"mine", "timm-eca"}
    assert set(_passed("latency > 5")) == {"base", "mine", "timm-eca"}


def test_what_was_not_measured_fails() -> None:
    assert _passed("accuracy < 0.1") == {"base": True, "mine": True, "timm-eca": False}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("accuracy", "no single comparison"),
        ("accuracy < base < 1", "no single comparison"),
        ("accuracy == base", "no single comparison"),
        ("0.5 < accuracy", "begins with no metric"),
        ("acuracy < base", "unknown metric 'acuracy'; did you mean 'accuracy'"),
        ("accuracy < __import__('os').getpid()", "is no number, module"),
        ("accuracy < base ** 2", "is no number, module"),
        ("accuracy < base[0]", "is no number, module"),
        ("accuracy < True", "is no number, module"),
        ("accuracy <", "is no condition"),
        ("", "is no condition"),
        ("accuracy < " + "(" * 500 + "1" + ")" * 500, "is no condition"),
    ],
)
def test_what_is_no_gate_is_refused_before_anything_is_read(text: str, says: str) -> None:
    with pytest.raises(UserError) as error:
        parse_gate(text)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("accuracy < bass", "no module 'bass'; did you mean 'base'"),
        ("accuracy < 'timm-eca'", "timm-eca has no accuracy"),
        ("accuracy < base / 0", "divides by zero"),
        ("accuracy < timm-eca", "no module 'eca'; write 'timm-eca' with its quotes"),
        ("accuracy < 1e999 - 1e999", "the limit is no number"),
    ],
)
def test_what_cannot_be_held_is_an_error(text: str, says: str) -> None:
    with pytest.raises(UserError) as error:
        hold(parse_gate(text), ROWS)
    assert says in str(error.value)
