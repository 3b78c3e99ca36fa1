"""Gates for continuous integration: conditions on a comparison's rows under which a build fails.

A gate is `METRIC < EXPRESSION` (or <=, >, >=), for example `accuracy < base - 0.02` or
`latency > 1.1 * base`. In the expression a module's name stands for that module's value of the same
metric; a name that is no Python identifier stands in quotes: `'timm-eca'`.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from agfer_bench.errors import UserError
from agfer_bench.text import nearest

METRICS: Final[dict[str, str]] = {
    "accuracy": "accuracy_mean",
    "train_accuracy": "train_accuracy_mean",
    "test_accuracy": "test_accuracy_mean",
    "latency": "latency_median_ms",
    "hz": "hz",
    "parameters": "parameters",
    "block_parameters": "block_parameters",
    "macs": "macs",
    "train_seconds": "train_seconds_per_fold",
    "memory": "peak_memory_bytes",
}
"""Metrics by the names that gates call them, and the columns that hold them: accuracies 0..1,
latency in ms, memory in bytes."""

TIMES: Final = frozenset({"latency", "hz", "train_seconds"})
"""Metrics that compare on one device alone."""

_COMPARISONS: Final[dict[type[ast.cmpop], tuple[str, Callable[[Any, Any], bool]]]] = {
    ast.Lt: ("<", operator.lt),
    ast.LtE: ("<=", operator.le),
    ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge),
}
_ARITHMETIC: Final[dict[type[ast.operator], Callable[[Any, Any], float]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_SHAPE = "write it as `accuracy < base - 0.02` or `latency > 1.1 * base`"


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A condition under which a build fails."""

    text: str
    """As it was typed."""
    metric: str
    """What is compared, one of `METRICS`."""
    sign: str
    """The comparison as it is written."""
    fails: Callable[[float, float], bool]
    """The comparison."""
    limit: ast.expr
    """What it is compared with; only what `_value` knows."""
    names: frozenset[str]
    """Labels of modules that the expression names."""


@dataclass(frozen=True, kw_only=True)
class GateResult:
    """One module held against one gate."""

    gate: Gate
    """The gate."""
    module: str
    """Label of the module."""
    passed: bool
    """Whether the condition does not hold."""
    text: str
    """What was found, in plain words."""


def parse_gate(text: str) -> Gate:
    """Read a gate.

    Raises:
        UserError: It is no gate, or names an unknown metric.

    >>> parse_gate("latency > 1.1 * base").metric
    'latency'
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise UserError(f"--fail-if {text!r} is no condition: {_SHAPE}") from None
    if (
        not isinstance(tree, ast.Compare)
        or len(tree.ops) != 1
        or type(tree.ops[0]) not in (_COMPARISONS)
    ):
        raise UserError(f"--fail-if {text!r} is no single comparison: {_SHAPE}")
    if not isinstance(tree.left, ast.Name):
        raise UserError(f"--fail-if {text!r} begins with no metric: {_SHAPE}")
    metric = tree.left.id
    if metric not in METRICS:
        raise UserError(f"--fail-if {text!r}: unknown metric {metric!r}{nearest(metric, METRICS)}")
    sign, fails = _COMPARISONS[type(tree.ops[0])]
    limit = tree.comparators[0]
    names = frozenset(_names(limit, text))
    return Gate(text=text, metric=metric, sign=sign, fails=fails, limit=limit, names=names)


def hold(gate: Gate, rows: Sequence[Mapping[str, Any]]) -> list[GateResult]:
    """Hold every module against a gate, but for those that the gate names.

    A module without the metric fails: what was not measured is not good enough.

    Args:
        gate: The gate.
        rows: Rows of the comparison (`report.rows`), with their labels as `module`.

    Raises:
        UserError: The gate names a module that is not there or lacks the metric, or divides by 0.
    """
    column = METRICS[gate.metric]
    values = {str(row["module"]): row.get(column) for row in rows}
    for name in sorted(gate.names):
        if name not in values:
            quoted = next((one for one in values if name in one and one in gate.text), None)
            hint = f"; write {quoted!r} with its quotes" if quoted else nearest(name, values)
            raise UserError(f"--fail-if {gate.text!r}: no module {name!r}{hint}")
        if values[name] is None:
            raise UserError(f"--fail-if {gate.text!r}: {name} has no {gate.metric}")
    try:
        limit = _value(gate.limit, values)
    except ZeroDivisionError:
        raise UserError(f"--fail-if {gate.text!r} divides by zero") from None
    if not math.isfinite(limit):
        raise UserError(f"--fail-if {gate.text!r}: the limit is no number")
    judged = [label for label in values if label not in gate.names]
    if not judged:
        raise UserError(f"--fail-if {gate.text!r}: no module is left to be held against it")
    return [_outcome(gate, label, values[label], limit) for label in judged]


def _outcome(gate: Gate, label: str, value: float | None, limit: float) -> GateResult:
    if value is None:
        text = f"{label} has no {gate.metric}: fails {gate.text!r}"
        return GateResult(gate=gate, module=label, passed=False, text=text)
    failed = gate.fails(value, limit)
    verdict = "fails" if failed else "passes"
    text = f"{label}: {gate.metric} {value:.6g}, limit {limit:.6g}: {verdict} {gate.text!r}"
    return GateResult(gate=gate, module=label, passed=not failed, text=text)


def _names(node: ast.expr, text: str) -> list[str]:
    """Return the modules that an expression names, and refuse all but plain arithmetic."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return []
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        return _names(node.operand, text)
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        return _names(node.left, text) + _names(node.right, text)
    part = ast.unparse(node)
    raise UserError(f"--fail-if {text!r}: {part!r} is no number, module, +, -, * or /: {_SHAPE}")


def _value(node: ast.expr, values: Mapping[str, Any]) -> float:
    if isinstance(node, ast.Name):
        return float(values[node.id])
    if isinstance(node, ast.Constant):
        return float(values[node.value] if isinstance(node.value, str) else str(node.value))
    if isinstance(node, ast.UnaryOp):
        value = _value(node.operand, values)
        return -value if isinstance(node.op, ast.USub) else value
    assert isinstance(node, ast.BinOp), "parse_gate has refused all else"
    return _ARITHMETIC[type(node.op)](_value(node.left, values), _value(node.right, values))
