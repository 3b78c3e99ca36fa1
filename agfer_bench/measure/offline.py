"""Throughput over batch sizes: as many images a second as the device gives."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Generic

from agfer_bench.measure.clock import Call, Clock
from agfer_bench.measure.device_memory import is_out_of_memory, release_memory
from agfer_bench.measure.single_stream import KeyT, rotated

ROUNDS = 3
"""Rounds at each batch size; throughput is the median over them."""
FALL = 0.9
"""Two batch sizes in a row with less than this share of the best throughput end the search."""
MOST_OF_MEMORY = 0.8
"""Share of the free memory that a batch may be expected to take."""
_MOST_PASSES = 1000
_PARTS = 4


@dataclass(frozen=True, kw_only=True)
class Batched:
    """One network, ready to be given batches."""

    bind: Callable[[int], Call]
    """Returns a pass through the network for a batch of so many images."""
    bytes_per_image: int = 0
    """Memory that one image's maps take; 0 where it is not known."""
    sizes: tuple[int, ...] | None = None
    """Batch sizes to try; None for all until throughput falls."""
    settings: Callable[[], AbstractContextManager[None]] = nullcontext
    """Puts torch's global settings in place for it."""


@dataclass(kw_only=True)
class Throughput:
    """What one network gives."""

    points: dict[int, float] = field(default_factory=dict)
    """Images a second by batch size."""
    end: str | None = None
    """Why no larger batch was tried; None while the search goes on."""


def batch_sizes(largest: int) -> list[int]:
    """Return the powers of two up to a bound.

    >>> batch_sizes(9)
    [1, 2, 4, 8]
    """
    return [2**power for power in range(largest.bit_length())]


class Search(Generic[KeyT]):
    """Looks for the best throughput of several networks side by side.

    A network is out once its throughput has fallen or its memory has run out; what it gave at
    smaller sizes stands.

    Args:
        contenders: The networks.
        clock: That of their device.
        seconds: Least time at each batch size.
        free_bytes: Tells the free memory of the device; None where it cannot.
        on_turn: Called before each turn with the network and the batch size.
    """

    def __init__(
        self,
        contenders: Mapping[KeyT, Batched],
        clock: Clock,
        *,
        seconds: float,
        free_bytes: Callable[[], int | None],
        on_turn: Callable[[KeyT, int], None] = lambda _key, _size: None,
    ) -> None:
        self.found = {key: Throughput() for key in contenders}
        """Of each network that did not fail."""
        self.failures: dict[KeyT, BaseException] = {}
        """What the others raised, running out of memory aside."""
        self._contenders = contenders
        self._clock = clock
        self._seconds = seconds
        self._free_bytes = free_bytes
        self._on_turn = on_turn

    def over(self, sizes: Sequence[int]) -> None:
        """Try batch sizes, smallest first."""
        for size in sizes:
            self._at(size)
        for one in self.found.values():
            one.end = one.end or f"batch {sizes[-1]} is the largest tried"

    def _at(self, size: int) -> None:
        wanted_ms = 1000 * self._seconds / ROUNDS
        calls: dict[KeyT, tuple[Call, int]] = {}
        rates: dict[KeyT, list[float]] = {}

        def start(key: KeyT) -> None:
            call = self._contenders[key].bind(size)
            call()  # slow: kernels are chosen, memory is asked for
            once = max(self._clock.queued(call, 1)[0], 1e-3)
            calls[key] = call, max(1, min(_MOST_PASSES, round(wanted_ms / once)))

        def take_turn(key: KeyT) -> None:
            call, passes = calls[key]
            times: list[float] = []
            # In parts: the pass that `passes` was reckoned from may have been a lucky one.
            while not times or (len(times) < passes and sum(times) < wanted_ms):
                times += self._clock.queued(call, -(-passes // _PARTS))
            rates.setdefault(key, []).append(1000 * size * len(times) / sum(times))

        for key in [key for key in self.found if self._runs(key)]:
            if self._is_asked_for(key, size) and self._fits(key, size):
                self._guarded(key, size, start)
        for turn in range(ROUNDS):
            for key in rotated([key for key in calls if self._runs(key)], turn):
                self._guarded(key, size, take_turn)
                if not self._runs(key):
                    del calls[key]  # with the memory that it holds
        for key in [key for key in calls if self._runs(key)]:
            self._judge(key, size, statistics.median(rates[key]))
        calls.clear()
        release_memory()

    def _runs(self, key: KeyT) -> bool:
        return key in self.found and self.found[key].end is None

    def _guarded(self, key: KeyT, size: int, work: Callable[[KeyT], None]) -> None:
        self._on_turn(key, size)
        try:
            with self._contenders[key].settings():
                work(key)
        except (Exception, SystemExit) as error:
            self._clock.survive(error)
            if is_out_of_memory(error):
                self.found[key].end = f"out of memory at batch {size}"
            else:
                self.failures[key] = error
                del self.found[key]
        if not self._runs(key):
            release_memory()

    def _fits(self, key: KeyT, size: int) -> bool:
        free, needed = self._free_bytes(), size * self._contenders[key].bytes_per_image
        if free is None or size == 1 or needed <= MOST_OF_MEMORY * free:
            return True
        self.found[key].end = f"batch {size} would not fit into memory"
        return False

    def _is_asked_for(self, key: KeyT, size: int) -> bool:
        sizes = self._contenders[key].sizes
        return sizes is None or size in sizes

    def _judge(self, key: KeyT, size: int, rate: float) -> None:
        one = self.found[key]
        one.points[size] = rate
        last = list(one.points.values())[-2:]
        fell = all(known < FALL * max(one.points.values()) for known in last)
        if fell and self._contenders[key].sizes is None:
            one.end = f"throughput fell at batch {size}"
