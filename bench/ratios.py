"""Ratios of two ways of doing the same, measured turn by turn in one process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence

from pytest_benchmark.fixture import BenchmarkFixture

LINES: list[str] = []
"""What is printed when all is measured."""


def interleaved(
    functions: Mapping[str, Callable[[], object]], rounds: int, *, warmup: int = 2
) -> dict[str, list[float]]:
    """Call each function in turn, in an order that rotates from round to round.

    Returns:
        Seconds of each round by name, warm-up left out.
    """
    names = list(functions)
    times: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(-warmup, rounds):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            started = time.perf_counter()
            functions[name]()
            seconds = time.perf_counter() - started
            if turn >= 0:
                times[name].append(seconds)
    return times


def ratio(times: Mapping[str, Sequence[float]], one: str, other: str) -> float:
    """Return the median over rounds of the ratio of `one` to `other` in the same round."""
    pairs = zip(times[one], times[other], strict=True)
    return statistics.median(a / b for a, b in pairs)


class Report:
    """Keeps ratios with the benchmark that they belong to, and prints them at the end."""

    def __init__(self, benchmark: BenchmarkFixture, name: str) -> None:
        self._benchmark = benchmark
        self._name = name

    def ratio(
        self,
        what: str,
        one_s: Sequence[float],
        other_s: Sequence[float],
        *,
        at_least: float | None = None,
        at_most: float | None = None,
    ) -> float:
        """Keep the median ratio of two sequences of seconds, round by round, and return it.

        Args:
            what: Which is divided by which.
            one_s: Seconds of each round.
            other_s: Seconds of the other in the same rounds.
            at_least: The bar, if there is one.
            at_most: The bar, where less is better.
        """
        found = ratio({"one": one_s, "other": other_s}, "one", "other")
        entry = {"ratio": found, "at_least": at_least, "at_most": at_most}
        self._benchmark.extra_info.setdefault("ratios", {})[what] = entry
        bar = f" (bar ≥ {at_least})" if at_least else f" (bar ≤ {at_most})" if at_most else ""
        LINES.append(f"{self._name}: {what} {found:.2f}{bar}")
        return found
