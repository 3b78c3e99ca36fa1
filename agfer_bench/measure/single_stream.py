"""Single images one after another, all networks side by side.

Networks take turns within each round, in an order that rotates, so that a clock that drifts or a
neighbour that disturbs hits all alike. Comparisons are made within a round.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Generic, TypeVar

from agfer_bench.measure.clock import Call, Clock
from agfer_bench.measure.warm_up import warm_up
from agfer_bench.protocol import SpeedProtocol
from agfer_bench.records.timing import StreamRepeat

MOST_ROUNDS = 20
"""Times `rounds` that are made at most to fill the least time."""

KeyT = TypeVar("KeyT")


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One network, ready to be timed."""

    call: Call
    """Passes one image, or one batch, through it."""
    settings: Callable[[], AbstractContextManager[None]] = nullcontext
    """Puts torch's global settings in place for it."""


@dataclass(frozen=True, kw_only=True)
class Streams(Generic[KeyT]):
    """What came of timing several networks."""

    repeats: dict[KeyT, StreamRepeat]
    """The times of each network that did not fail."""
    failures: dict[KeyT, BaseException]
    """What the others raised."""


def time_streams(
    contenders: Mapping[KeyT, Contender],
    clock: Clock,
    protocol: SpeedProtocol,
    *,
    before_rounds: Callable[[], None] = lambda: None,
    on_turn: Callable[[KeyT, float], None] = lambda _key, _share: None,
) -> Streams[KeyT]:
    """Time one image at a time through each network.

    Each turn begins with an untimed pass: the first after another network finds its weights out of
    the caches, which a stream of its own would not.

    Args:
        contenders: The networks.
        clock: That of their device.
        protocol: Warm-up, rounds, passes, least time.
        before_rounds: Called once all are warm.
        on_turn: Called before each turn with the network and the share of the work done, 0..1.
    """
    running = dict(contenders)
    failures: dict[KeyT, BaseException] = {}
    rounds: dict[KeyT, list[tuple[float, ...]]] = {key: [] for key in running}

    def each(work: Callable[[KeyT, Contender], None], done: float, shift: int = 0) -> None:
        for key in rotated(list(running), shift):
            on_turn(key, done)
            try:
                with running[key].settings():
                    work(key, running[key])
            except (Exception, SystemExit) as error:
                clock.survive(error)
                failures[key] = error
                del running[key]

    warmed = {}

    def warm(key: KeyT, one: Contender) -> None:
        warmed[key] = warm_up(lambda passes: clock.single(one.call, passes), protocol.warmup)

    def take_turn(key: KeyT, one: Contender) -> None:
        if protocol.warmup:
            one.call()
        rounds[key].append(clock.single(one.call, protocol.passes))

    each(warm, 0.0)
    before_rounds()
    number = 0
    while running and (share := _share(number, [rounds[key] for key in running], protocol)) < 1:
        each(take_turn, share, number)
        number += 1
    repeats = {
        key: StreamRepeat(
            rounds_ms=tuple(rounds[key]), warmup=warmed[key].passes, settled=warmed[key].settled
        )
        for key in running
    }
    return Streams(repeats=repeats, failures=failures)


def rotated(keys: list[KeyT], shift: int) -> list[KeyT]:
    """Return the keys beginning with another one each round.

    >>> [rotated(["a", "b", "c"], shift) for shift in (0, 1, 5)]
    [['a', 'b', 'c'], ['b', 'c', 'a'], ['c', 'a', 'b']]
    """
    start = shift % len(keys) if keys else 0
    return keys[start:] + keys[:start]


def _share(number: int, rounds: list[list[tuple[float, ...]]], protocol: SpeedProtocol) -> float:
    """Return how much of the work is done, 0..1: rounds, and the time of the quickest network."""
    if number >= MOST_ROUNDS * protocol.rounds:
        return 1.0
    done = number / protocol.rounds
    if protocol.seconds:
        spent = min(sum(map(sum, own)) for own in rounds)
        done = min(done, spent / (1000 * protocol.seconds))
    return min(done, 1.0)
