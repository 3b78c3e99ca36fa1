"""Times of several ways to do one thing, measured so that their ratio can be believed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence


def interleaved(
    functions: Mapping[str, Callable[[], object]], rounds: int, *, warmup: int = 2
) -> dict[str, list[float]]:
    """Call all functions in turn, in an order that rotates from round to round.

    What else the machine does then falls on all of them alike.

    Args:
        functions: What to time, by name.
        rounds: How many calls of each count.
        warmup: Rounds before these, which do not.

    Returns:
        Seconds of each round, by name.
    """
    names = list(functions)
    times: dict[str, list[float]] = {name: [] for name in names}
    for number in range(warmup + rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            start = time.perf_counter()
            functions[name]()
            if number >= warmup:
                times[name].append(time.perf_counter() - start)
    return times


def ratio(times: Mapping[str, Sequence[float]], one: str, other: str) -> float:
    """How many times longer one takes than the other: the median over rounds."""
    return statistics.median(a / b for a, b in zip(times[one], times[other], strict=True))
