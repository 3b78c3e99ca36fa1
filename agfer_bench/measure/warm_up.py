"""Warm-up: passes that do not count, until times have settled."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

WINDOW = 5
"""Least passes whose median is one reading."""
TOLERANCE = 0.03
"""Two windows in a row whose medians differ by no more than this share have settled."""
MOST_WINDOWS = 40
"""Where times never settle, the warm-up ends all the same."""
MOST_MS = 10_000.0
"""And after as much time."""


@dataclass(frozen=True, kw_only=True)
class Warmed:
    """How a warm-up went."""

    passes: int
    """Passes made."""
    settled: bool | None
    """Whether it ended since times had settled; None where there was none."""


def warm_up(time_passes: Callable[[int], Sequence[float]], least: int) -> Warmed:
    """Run passes until the medians of two windows agree.

    Args:
        time_passes: Runs so many passes and returns the milliseconds of each.
        least: Passes before the windows begin to count; 0 for no warm-up at all.
    """
    if least == 0:
        return Warmed(passes=0, settled=None)
    first = time_passes(least)
    passes, spent, before = least, sum(first), None
    for _ in range(MOST_WINDOWS):
        times = time_passes(WINDOW)
        passes, spent, now = passes + len(times), spent + sum(times), statistics.median(times)
        if before is not None and abs(now - before) <= TOLERANCE * min(now, before):
            return Warmed(passes=passes, settled=True)
        if spent > MOST_MS:
            break
        before = now
    return Warmed(passes=passes, settled=False)
