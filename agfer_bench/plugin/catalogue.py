"""What installed plugins offer: entry points in, named specs out.

Entry points are loaded one by one, each guarded: pluggy's own loader stops at the first that fails
and drops the second of two equal names without a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeGuard, TypeVar

from agfer_bench.bounds import fault_of_name
from agfer_bench.errors import PluginError, UserError, describe
from agfer_bench.grammar import split
from agfer_bench.plugin.containment import contained, ordinary
from agfer_bench.plugin.hookspecs import manager_of
from agfer_bench.plugin.listeners import Listeners, Problem
from agfer_bench.plugin.options import (
    Choice,
    Option,
    arguments_of,
    label,
    parse_choice,
    resolve_options,
)
from agfer_bench.plugin.specs import (
    AttentionSpec,
    ClassifierSpec,
    DatasetSpec,
    DetectorSpec,
    ModuleSpec,
    Slot,
    TrackerSpec,
)
from agfer_bench.plugin.time_limit import put_back
from agfer_bench.text import nearest

AnySpec = ModuleSpec | DatasetSpec | DetectorSpec | TrackerSpec
SpecT = TypeVar("SpecT", bound=AnySpec)
SpecT_co = TypeVar("SpecT_co", bound=AnySpec, covariant=True)


@dataclass(frozen=True, kw_only=True)
class Entry(Generic[SpecT_co]):
    """One spec and where it comes from."""

    spec: SpecT_co
    """What the plugin offers."""
    distribution: str
    """Name of the installed distribution that offers it."""
    version: str
    """Version of that distribution."""
    module: str
    """Dotted name of the module that the entry point names."""
    options: tuple[Option, ...]
    """The options of its function, in the order of its signature."""


@dataclass(frozen=True, kw_only=True)
class Chosen(Generic[SpecT_co]):
    """An entry with the value of each of its options."""

    entry: Entry[SpecT_co]
    """What was chosen."""
    values: dict[str, Any]
    """Every option and its value, defaults included."""

    @cached_property
    def label(self) -> str:
        """Name in tables: the options that differ from their defaults are shown."""
        return label(self.entry.spec.name, self.values, self.entry.options)

    def arguments(self, slot: Slot | None = None) -> dict[str, Any]:
        """Return what the plugin's function is called with: values as its author has them.

        Args:
            slot: The slot of the host that a block is built for; None for all but blocks.

        Raises:
            UserError: An option has a value for each slot or stage, and the host more or fewer.
        """
        place = None
        if slot is not None:
            place = ((slot.number, slot.slots), (slot.stage_number, slot.stages))
        try:
            return arguments_of(self.entry.options, self.values, place)
        except UserError as error:
            raise UserError(f"{self.entry.spec.name}:{error}") from None


def is_block(chosen: Chosen[ModuleSpec]) -> TypeGuard[Chosen[AttentionSpec]]:
    """Tell whether an attention block was chosen, which goes into the host."""
    return isinstance(chosen.entry.spec, AttentionSpec)


def is_classifier(chosen: Chosen[ModuleSpec]) -> TypeGuard[Chosen[ClassifierSpec]]:
    """Tell whether a classifier of its own was chosen, without the host."""
    return isinstance(chosen.entry.spec, ClassifierSpec)


@dataclass(kw_only=True)
class Catalogue:
    """All that the installed plugins offer."""

    modules: dict[str, Entry[AttentionSpec]] = field(default_factory=dict)
    """Attention blocks by name, first-party ones first."""
    classifiers: dict[str, Entry[ClassifierSpec]] = field(default_factory=dict)
    """Classifiers of their own by name, first-party ones first; no name is among `modules`."""
    datasets: dict[str, Entry[DatasetSpec]] = field(default_factory=dict)
    """Data sets by name, first-party ones first."""
    detectors: dict[str, Entry[DetectorSpec]] = field(default_factory=dict)
    """Face detectors by name, first-party ones first; the paper's cascades are none of them."""
    problems: list[Problem] = field(default_factory=list)
    """Plugins, or parts of them, that were left out."""
    trackers: dict[str, Entry[TrackerSpec]] = field(default_factory=dict)
    """What follows a run when it is asked for, by name, first-party ones first."""
    listeners: Listeners = field(default_factory=Listeners)
    """Whoever hears of the ends of epochs and runs."""

    @property
    def rows(self) -> dict[str, Entry[ModuleSpec]]:
        """All that may be a row of the comparison, by name: blocks, then classifiers."""
        return {**self.modules, **self.classifiers}

    def choose_rows(self, text: str) -> list[Chosen[ModuleSpec]]:
        """Resolve `--modules`: names of blocks and classifiers with options, comma-separated.

        Two choices that come out as the same are one. Commas in quotes or brackets belong to an
        option's value.

        Raises:
            UserError: Something is unknown or malformed; all such things are named at once.
        """
        names = [part for part in split(text, ",") if part.strip()]
        if not names:
            raise UserError(
                f"--modules names no module; choose from {', '.join(sorted(self.rows))}"
            )
        return _choose(names, self.rows, "module")

    def choose_modules(self, text: str) -> list[Chosen[AttentionSpec]]:
        """Resolve names of attention blocks, where only networks can stand.

        Raises:
            UserError: As `choose_rows`, or something is a classifier of its own.
        """
        chosen = self.choose_rows(text)
        blocks = [one for one in chosen if is_block(one)]
        if len(blocks) < len(chosen):
            others = ", ".join(one.label for one in chosen if not is_block(one))
            raise UserError(
                f"{others}: no attention block in a network but a classifier of its own, which "
                "`agfer-bench run` compares; leave it out here"
            )
        return blocks

    def choose_dataset(self, choice: Choice) -> Chosen[DatasetSpec]:
        """Resolve the name and the options in `--data`.

        Raises:
            UserError: The data set or an option is unknown, or an option's value is wrong.
        """
        return _resolve(choice, self.datasets, "data set")

    def choose_detector(self, choice: Choice) -> Chosen[DetectorSpec]:
        """Resolve the name and the options in `--detector`.

        Raises:
            UserError: The detector or an option is unknown, or an option's value is wrong.
        """
        return _resolve(choice, self.detectors, "detector")

    def track(self, text: str) -> None:
        """Start a tracker, `NAME[:option=value]...[=FOLDER]`: from now on it hears of runs.

        Raises:
            UserError: It is unknown, or cannot start.
        """
        choice = parse_choice(text, folder=True)
        chosen = _resolve(choice, self.trackers, "tracker")
        owner, name = chosen.entry.distribution, chosen.entry.spec.name
        folder = Path(choice.folder).expanduser() if choice.folder else None
        with contained() as changes:
            try:
                with ordinary():
                    started = chosen.entry.spec.start(folder, **chosen.arguments())
                manager = manager_of(started)
            except UserError:
                raise
            except (Exception, SystemExit) as error:
                raise PluginError(owner, f"{name} does not start: {describe(error)}") from error
        if changes:
            self.problems.append(Problem(distribution=owner, message=put_back(changes)))
        if not self.listeners.add(owner, manager):
            raise PluginError(owner, f"{name}: what it starts has no hook that hears of runs")


def _resolve(choice: Choice, entries: Mapping[str, Entry[SpecT]], what: str) -> Chosen[SpecT]:
    if choice.name not in entries:
        raise UserError(f"unknown {what} {choice.name!r}{nearest(choice.name, entries)}")
    entry = entries[choice.name]
    return Chosen(entry=entry, values=resolve_options(choice.name, entry.options, choice))


def _choose(
    texts: list[str], entries: Mapping[str, Entry[SpecT]], what: str
) -> list[Chosen[SpecT]]:
    chosen: dict[str, Chosen[SpecT]] = {}
    errors = []
    for text in texts:
        try:
            one = _resolve(parse_choice(text), entries, what)
            if fault := fault_of_name(one.label):
                raise UserError(f"{one.label[:80]!r}, which names a row, {fault}")
            chosen.setdefault(one.label, one)
        except UserError as error:
            errors.append(str(error))
    if errors:
        raise UserError("; ".join(errors))
    return list(chosen.values())
