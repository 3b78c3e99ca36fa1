"""Alternatives timed in turns within one process, and compared round by round.

A clock that drifts or a neighbour that disturbs hits all of a round alike, so a ratio within a
round can be trusted where seconds cannot.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence


def interleaved(
    functions: Mapping[str, Callable[[], object]], rounds: int, *, warmup: int = 2
) -> dict[str, list[float]]:
    """Call every function once a round; the first of a round is the second of the round before.

    Args:
        functions: What to time, by name.
        rounds: Rounds that count, at least 1.
        warmup: Rounds before them that do not.

    Returns:
        Seconds of each round, by name.
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
    """Median over rounds of one's time, as a multiple of the other's."""
    return statistics.median(own / base for own, base in zip(times[one], times[other], strict=True))
