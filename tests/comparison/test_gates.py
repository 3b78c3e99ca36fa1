"""Gates: which conditions are read, and which rows meet them."""

from __future__ import annotations

from typing import Any

import pytest

from agfer_bench.comparison.gates import hold, hold_interval, parse_gate, reference_of
from agfer_bench.errors import UserError

ROWS: list[dict[str, Any]] = [
    {"module": "base", "hz": 500, "latency_median_ms": 2.0, "parameters": 100},
    {"module": "mine", "hz": 430, "latency_median_ms": 2.3, "parameters": 110},
    {"module": "timm-eca", "hz": None, "latency_median_ms": 2.1, "parameters": 105},
]


def _passed(text: str) -> dict[str, bool]:
    return {one.module: one.passed for one in hold(parse_gate(text), ROWS)}


@pytest.mark.parametrize(
    ("text", "mine"),
    [
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
    assert _passed("hz < 0.1") == {"base": True, "mine": True, "timm-eca": False}


@pytest.mark.parametrize(
    ("text", "interval", "if_passes", "unless_passes"),
    [
        ("accuracy < base - 0.02", (-0.06, -0.03), False, True),
        ("accuracy < base - 0.02", (-0.06, -0.01), True, False),
        ("accuracy > base - 0.02", (-0.01, 0.03), False, True),
        ("accuracy > base - 0.02", (-0.06, 0.03), True, False),
        ("accuracy >= 0.5", (0.5, 0.6), False, True),
        ("accuracy > 0.5", (0.5, 0.6), True, False),
        ("test_accuracy < base + 0.01", None, True, False),
    ],
)
def test_accuracies_are_judged_by_their_whole_interval(
    text: str, interval: tuple[float, float] | None, if_passes: bool, unless_passes: bool
) -> None:
    gate, unless = parse_gate(text), parse_gate(text, unless=True)
    assert reference_of(gate) == ("base" if "base" in text else None)
    assert hold_interval(gate, "mine", interval).passed is if_passes
    found = hold_interval(unless, "mine", interval)
    assert found.passed is unless_passes
    assert f"{'passes' if unless_passes else 'fails'} --fail-unless {text!r}" in found.text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("accuracy < base - 2", "write 2 points as `accuracy < base - 0.02`"),
        ("accuracy < 70", "write 70 per cent as `accuracy < 0.7`"),
        ("accuracy < -0.1", "accuracies are shares from 0 to 1"),
        ("accuracy < 0.9 * base", "one module plus or less a share"),
        ("accuracy < base + se", "one module plus or less a share"),
        ("accuracy < base / 0", "divides by zero"),
    ],
)
def test_limits_of_accuracies_are_shares(text: str, says: str) -> None:
    with pytest.raises(UserError) as error:
        parse_gate(text)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


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
        ("latency < bass", "no module 'bass'; did you mean 'base'"),
        ("hz < 'timm-eca'", "timm-eca has no hz"),
        ("latency < base / 0", "divides by zero"),
        ("latency < timm-eca", "no module 'eca'; write 'timm-eca' with its quotes"),
        ("latency < 1e999 - 1e999", "the limit is no number"),
    ],
)
def test_what_cannot_be_held_is_an_error(text: str, says: str) -> None:
    with pytest.raises(UserError) as error:
        hold(parse_gate(text), ROWS)
    assert says in str(error.value)
