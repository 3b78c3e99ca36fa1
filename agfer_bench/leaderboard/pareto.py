"""What is not beaten in two things at once."""

from __future__ import annotations

from collections.abc import Sequence


def front(costs: Sequence[float], gains: Sequence[float]) -> list[int]:
    """Return the numbers of the points that no other beats: cheaper as well as better.

    In the order of their costs. Of points that are equal in both, the first stands for all.

    >>> front([1, 2, 3, 2], [0.5, 0.4, 0.9, 0.7])
    [0, 3, 2]
    """
    order = sorted(range(len(costs)), key=lambda number: (costs[number], -gains[number], number))
    best, found = float("-inf"), []
    for number in order:
        if gains[number] > best:
            best = gains[number]
            found.append(number)
    return found
