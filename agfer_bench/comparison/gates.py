"""Gates for continuous integration: conditions on a comparison's rows under which a build fails.

A gate is `METRIC < EXPRESSION` (or <=, >, >=), for example `accuracy < base - 0.02` or
`latency > 1.1 * base`. In the expression a module's name stands for that module's value of the same
metric; a name that is no Python identifier stands in quotes: `'timm-eca'`.

Accuracies are estimates: by their 95 % interval a gate `--fail-if` fails where all of it meets the
condition, and `--fail-unless` where not all of it does. The limit of such a gate is a share, or a
module plus or less a share.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from agfer_bench.comparison.outcomes import On
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

JUDGED: Final[dict[str, On]] = {"accuracy": "validation", "test_accuracy": "test"}
"""Metrics that are judged by their interval, and the images that they are of."""

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
    unless: bool = False
    """Whether the build fails where the condition does not hold, not where it does."""

    @property
    def option(self) -> str:
        """The option that it was given by."""
        return "--fail-unless" if self.unless else "--fail-if"


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


def parse_gate(text: str, *, unless: bool = False) -> Gate:
    """Read a gate.

    Args:
        text: The condition.
        unless: Whether the build fails unless it holds, not if it does.

    Raises:
        UserError: It is no gate, or names an unknown metric.

    >>> parse_gate("latency > 1.1 * base").metric
    'latency'
    """
    option = "--fail-unless" if unless else "--fail-if"
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise UserError(f"{option} {text!r} is no condition: {_SHAPE}") from None
    if (
        not isinstance(tree, ast.Compare)
        or len(tree.ops) != 1
        or type(tree.ops[0]) not in (_COMPARISONS)
    ):
        raise UserError(f"{option} {text!r} is no single comparison: {_SHAPE}")
    if not isinstance(tree.left, ast.Name):
        raise UserError(f"{option} {text!r} begins with no metric: {_SHAPE}")
    metric = tree.left.id
    if metric not in METRICS:
        raise UserError(f"{option} {text!r}: unknown metric {metric!r}{nearest(metric, METRICS)}")
    sign, fails = _COMPARISONS[type(tree.ops[0])]
    limit = tree.comparators[0]
    names = frozenset(_names(limit, f"{option} {text!r}"))
    gate = Gate(
        text=text, metric=metric, sign=sign, fails=fails, limit=limit, names=names, unless=unless
    )
    if metric in JUDGED:
        _check_share(gate)
    return gate


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
            raise UserError(f"{gate.option} {gate.text!r}: no module {name!r}{hint}")
        if values[name] is None:
            raise UserError(f"{gate.option} {gate.text!r}: {name} has no {gate.metric}")
    try:
        limit = _value(gate.limit, values)
    except ZeroDivisionError:
        raise UserError(f"{gate.option} {gate.text!r} divides by zero") from None
    if not math.isfinite(limit):
        raise UserError(f"{gate.option} {gate.text!r}: the limit is no number")
    judged = [label for label in values if label not in gate.names]
    if not judged:
        raise UserError(f"{gate.option} {gate.text!r}: no module is left to be held against it")
    return [_outcome(gate, label, values[label], limit) for label in judged]


def reference_of(gate: Gate) -> str | None:
    """Return the module that a gate of an accuracy is held against; None for a plain share."""
    return next(iter(gate.names), None)


def hold_interval(gate: Gate, label: str, interval: tuple[float, float] | None) -> GateResult:
    """Hold a module's accuracy, or its difference from the gate's module, against the gate.

    Args:
        gate: A gate of a metric in `JUDGED`.
        label: The module.
        interval: The 95 % interval of the accuracy, or of the difference; None where nothing
            scatters, so that nothing can be said.
    """
    limit = offset_of(gate)
    what = f"{gate.metric} less {reference_of(gate)}'s" if gate.names else gate.metric
    if interval is None:
        text = f"{label}: {what} has no interval"
        failed = gate.unless
    else:
        low, high = interval
        held = gate.fails(low, limit) and gate.fails(high, limit)
        failed = held != gate.unless
        text = f"{label}: {what} {low:.4f} to {high:.4f} (95 % interval), limit {limit:g}"
    verdict = "fails" if failed else "passes"
    return GateResult(
        gate=gate,
        module=label,
        passed=not failed,
        text=f"{text}: {verdict} {gate.option} {gate.text!r}",
    )


def offset_of(gate: Gate) -> float:
    """Return the share that a gate of an accuracy adds to its module, or its plain limit."""
    return _value(gate.limit, dict.fromkeys(gate.names, 0.0))


def _check_share(gate: Gate) -> None:
    """Refuse limits of accuracies that are no share, or no module plus or less one."""
    shape = f"{gate.metric} {gate.sign} base - 0.02"
    where = f"{gate.option} {gate.text!r}"
    try:
        at_0, at_1 = (_value(gate.limit, dict.fromkeys(gate.names, x)) for x in (0.0, 1.0))
        at_2 = _value(gate.limit, dict.fromkeys(gate.names, 2.0))
    except ZeroDivisionError:
        raise UserError(f"{where} divides by zero") from None
    plain = math.isclose(at_1 - at_0, 1) and math.isclose(at_2 - at_1, 1)
    if len(gate.names) > 1 or (gate.names and not plain):
        raise UserError(
            f"{where}: an accuracy is held against a share or one module plus or less a share: "
            f"write it as `{shape}`"
        )
    if not abs(at_0) < 1 or (not gate.names and at_0 < 0):
        name = reference_of(gate)
        right = f"{abs(at_0) / 100:g}"
        limit = f"{name} {'-' if at_0 < 0 else '+'} {right}" if name else right
        raise UserError(
            f"{where}: accuracies are shares from 0 to 1: write {abs(at_0):g} "
            f"{'points' if name else 'per cent'} as `{gate.metric} {gate.sign} {limit}`"
        )


def _outcome(gate: Gate, label: str, value: float | None, limit: float) -> GateResult:
    if value is None:
        text = f"{label} has no {gate.metric}: fails {gate.option} {gate.text!r}"
        return GateResult(gate=gate, module=label, passed=False, text=text)
    failed = gate.fails(value, limit) != gate.unless
    verdict = "fails" if failed else "passes"
    numbers = f"{gate.metric} {value:.6g}, limit {limit:.6g}"
    text = f"{label}: {numbers}: {verdict} {gate.option} {gate.text!r}"
    return GateResult(gate=gate, module=label, passed=not failed, text=text)


def _names(node: ast.expr, where: str) -> list[str]:
    """Return the modules that an expression names, and refuse all but plain arithmetic."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return []
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        return _names(node.operand, where)
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        return _names(node.left, where) + _names(node.right, where)
    part = ast.unparse(node)
    raise UserError(f"{where}: {part!r} is no number, module, +, -, * or /: {_SHAPE}")


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
