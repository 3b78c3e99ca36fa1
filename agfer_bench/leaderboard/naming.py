"""Names of modules on a page, told apart where several have the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from agfer_bench.leaderboard.model import Entry
from agfer_bench.leaderboard.text import LABEL, clean, shorten, unique

Module = tuple[str, ...]
"""What makes two rows the same module, whatever they ran on."""


def module_of(entry: Entry) -> Module:
    """Return what tells an entry's module from others: not its device."""
    one = entry.module
    options = repr(sorted(one.options.items()))
    return (one.kind, one.label, options, one.distribution, one.version, one.package_sha256)


def names_of(entries: Sequence[Entry]) -> list[str]:
    """Name each entry's module: entries of one module have one name, others have others.

    The label alone where it does; else with the distribution, the version, or the source's hash,
    whichever tells them apart first.
    """
    firsts: dict[Module, Entry] = {}
    for entry in entries:
        firsts.setdefault(module_of(entry), entry)
    details: dict[Module, list[str]] = {module: [] for module in firsts}
    for tell in _DETAILS:
        by_name: dict[tuple[str, ...], list[Module]] = defaultdict(list)
        for module, entry in firsts.items():
            by_name[entry.module.label, *details[module]].append(module)
        for same in by_name.values():
            if len({tell(firsts[module]) for module in same}) > 1:
                for module in same:
                    details[module].append(tell(firsts[module]))
    names = unique([_name(entry, details[module]) for module, entry in firsts.items()])
    by_module = dict(zip(firsts, names, strict=True))
    return [by_module[module_of(entry)] for entry in entries]


def _name(entry: Entry, details: Sequence[str]) -> str:
    told = f" ({', '.join(clean(one, 24) for one in details)})" if details else ""
    return shorten(entry.module.label, max(12, LABEL - len(told))) + told


_DETAILS: tuple[Callable[[Entry], str], ...] = (
    lambda one: one.module.distribution,
    lambda one: one.module.version,
    lambda one: f"source {one.module.package_sha256[:8]}",
)
