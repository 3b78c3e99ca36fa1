"""Names told apart, where several modules or rows of a page have the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final

from agfer_bench.comparison.entrants import unique
from agfer_bench.leaderboard.model import PageEntry
from agfer_bench.leaderboard.sanitize import LABEL, clean, shorten

Detail = Callable[[PageEntry], str]
"""Something that may tell entries of one label apart."""

MODULE_DETAILS: Final[tuple[Detail, ...]] = (
    lambda one: one.module.distribution,
    lambda one: one.module.version,
    lambda one: f"source {one.module.package_sha256[:8]}",
)
"""What tells modules of one label apart, in this order."""


def told_apart(entries: Sequence[PageEntry], details: Sequence[Detail]) -> list[list[str]]:
    """Return for each entry what tells it apart from others of its label: as little as does it."""
    told: list[list[str]] = [[] for _ in entries]
    for tell in details:
        by_name: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for number, entry in enumerate(entries):
            by_name[entry.module.label, *told[number]].append(number)
        for same in by_name.values():
            if len({tell(entries[number]) for number in same}) > 1:
                for number in same:
                    told[number].append(tell(entries[number]))
    return told


def names_of(entries: Sequence[PageEntry]) -> list[str]:
    """Name modules for tables and sentences: short, and each by a name of its own.

    The label alone where it does; else with the distribution, the version, or the source's hash,
    whichever tells them apart first.
    """
    told = told_apart(entries, MODULE_DETAILS)
    return unique([_name(entry, own) for entry, own in zip(entries, told, strict=True)])


def _name(entry: PageEntry, details: Sequence[str]) -> str:
    told = f" ({', '.join(clean(one, 24) for one in details)})" if details else ""
    return shorten(entry.module.label, max(12, LABEL - len(told))) + told
