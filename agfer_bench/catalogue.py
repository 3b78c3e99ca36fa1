"""What installed plugins offer: entry points in, named specs out.

Entry points are loaded one by one, each guarded: pluggy's own loader stops at the first that fails
and drops the second of two equal names without a word.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Generic, TypeGuard, TypeVar

import pluggy

from agfer_bench import hookspecs
from agfer_bench.containment import contained
from agfer_bench.errors import PluginError, UserError, describe
from agfer_bench.listeners import Listeners, Problem
from agfer_bench.loading import Loaded, load_here, load_in_time, put_back, seconds_allowed
from agfer_bench.options import (
    RESIDUAL,
    Choice,
    Option,
    label,
    nearest,
    options_of,
    parse_choice,
    resolve_options,
)
from agfer_bench.specs import AttentionSpec, ClassifierSpec, DatasetSpec, ModuleSpec
from agfer_bench.trackers import TrackerSpec

OWN_DISTRIBUTION = "agfer-bench"

AnySpec = ModuleSpec | DatasetSpec | TrackerSpec
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

        Two choices that come out as the same are one.

        Raises:
            UserError: Something is unknown or malformed; all such things are named at once.
        """
        names = [part for part in text.split(",") if part.strip()]
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
                manager = _manager(chosen.entry.spec.start(folder, **chosen.values))
            except UserError:
                raise
            except (Exception, SystemExit) as error:
                raise PluginError(owner, f"{name} does not start: {describe(error)}") from error
        if changes:
            self.problems.append(Problem(distribution=owner, message=put_back(changes)))
        if not self.listeners.add(owner, manager):
            raise PluginError(owner, f"{name}: what it starts has no hook that hears of runs")


def load_catalogue(
    points: Iterable[EntryPoint] | None = None, *, only: Collection[str] | None = None
) -> Catalogue:
    """Load all plugins, our own distribution first, the others in the order of their names.

    Those of others have limited time, and what they change of this process is put back.

    Args:
        points: The entry points; by default those of the installed distributions.
        only: Names of the distributions to load, for a process that needs what another one has
            loaded: in time, so that there is no limit.

    Raises:
        UserError: The variable that sets the limit holds no number of seconds.
    """
    if points is None:
        points = entry_points(group=hookspecs.PROJECT)
    known = sorted(points, key=_order)
    if only is not None:
        known = [point for point in known if _distribution(point)[0] in only]
    catalogue = Catalogue()
    for point, loaded in _loaded(known, limited=only is None):
        try:
            if loaded.error is not None:
                raise loaded.error
            assert loaded.answer is not None
            _add(point, loaded.answer, catalogue)
        except (Exception, SystemExit) as error:
            catalogue.problems.append(
                Problem(
                    distribution=_distribution(point)[0],
                    message=f"{point.value} does not load: {describe(error)}",
                )
            )
        if loaded.changes:
            catalogue.problems.append(
                Problem(distribution=_distribution(point)[0], message=put_back(loaded.changes))
            )
    return catalogue


def _loaded(
    points: Sequence[EntryPoint], *, limited: bool
) -> Iterator[tuple[EntryPoint, Loaded[_Offer]]]:
    """Load plugins: our own as they come, since the first of them imports torch for all."""
    seconds = seconds_allowed() if limited else 0.0
    own = [point for point in points if _distribution(point)[0] == OWN_DISTRIBUTION]
    for point in own:
        yield point, load_here(partial(_load, point))
    others = [point for point in points if point not in own]
    loads = [partial(_load, point) for point in others]
    done = load_in_time(loads, seconds) if limited else map(load_here, loads)
    yield from zip(others, done, strict=True)


def _distribution(point: EntryPoint) -> tuple[str, str]:
    if point.dist is None:
        return point.value, "unknown"
    return point.dist.name, point.dist.version


def _order(point: EntryPoint) -> tuple[bool, str, bool, str]:
    name = _distribution(point)[0]
    return name != OWN_DISTRIBUTION, name, point.name != "base", point.name


@dataclass(frozen=True, kw_only=True)
class _Offer:
    """What a plugin answered."""

    manager: pluggy.PluginManager
    """A manager of its own, which keeps one plugin's faults from the calls to another."""
    specs: dict[str, list[Any]]
    """What each hook that is called while loading returned."""


_ASKED = ("attention_modules", "face_classifiers", "face_datasets", "run_trackers")
"""Hooks that are called while loading."""


def _load(point: EntryPoint) -> _Offer:
    """Import a plugin and ask it for all that it offers; raise what it raises."""
    manager = _manager(point.load())
    specs = {name: _flatten(getattr(manager.hook, name)()) for name in _ASKED}
    return _Offer(manager=manager, specs=specs)


def _manager(plugin: object) -> pluggy.PluginManager:
    """Register a plugin; raise what is wrong with its hooks."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(plugin)
    manager.check_pending()
    return manager


def _add(point: EntryPoint, offer: _Offer, catalogue: Catalogue) -> None:
    """Put what a plugin offers into the catalogue, spec by spec."""
    distribution, version = _distribution(point)

    def problem(message: str) -> None:
        catalogue.problems.append(Problem(distribution=distribution, message=message))

    def collect(
        hook: str,
        kind: type[SpecT],
        taken: dict[str, Entry[SpecT]],
        function: Callable[[SpecT], Callable[..., Any]],
        beside: Mapping[str, Entry[Any]],
    ) -> None:
        for spec in offer.specs[hook]:
            if not isinstance(spec, kind):
                problem(f"offers {spec!r}, which is not of type {kind.__name__}")
            elif fault := _ill_typed(spec):
                problem(f"{spec.name!r}: {fault}")
            elif not _is_name(spec.name):
                problem(f"the name {spec.name!r} is not made of lower-case letters, digits, dashes")
            elif owner := taken.get(spec.name) or beside.get(spec.name):
                problem(f"the name {spec.name!r} is taken by {owner.distribution}")
            else:
                try:
                    options = _options_of(spec, function(spec))
                except UserError as error:
                    problem(f"{spec.name}: {error}")
                    continue
                taken[spec.name] = Entry(
                    spec=spec,
                    distribution=distribution,
                    version=version,
                    module=point.module,
                    options=options,
                )

    blocks, classifiers = catalogue.modules, catalogue.classifiers
    collect("attention_modules", AttentionSpec, blocks, lambda s: s.build, classifiers)
    collect("face_classifiers", ClassifierSpec, classifiers, lambda s: s.build, blocks)
    collect("face_datasets", DatasetSpec, catalogue.datasets, lambda s: s.read, {})
    collect("run_trackers", TrackerSpec, catalogue.trackers, lambda s: s.start, {})
    catalogue.listeners.add(distribution, offer.manager)


def _options_of(spec: AnySpec, function: Callable[..., Any]) -> tuple[Option, ...]:
    options = options_of(function)
    if not isinstance(spec, AttentionSpec):
        return options
    if any(option.name == RESIDUAL for option in options):
        raise UserError(f"the option {RESIDUAL!r} is the harness's own; give yours another name")
    return (*options, Option(name=RESIDUAL, annotation=bool, default=False))


def _flatten(answers: list[Any]) -> list[Any]:
    specs: list[Any] = []
    for answer in answers:
        if isinstance(answer, Sequence) and not isinstance(answer, str):
            specs.extend(answer)
        else:
            raise UserError(f"a hook returned {type(answer).__name__}, not a list of specs")
    return specs


def _ill_typed(spec: AnySpec) -> str | None:
    """Name a field of the wrong type; a plugin's author may not run a type checker."""
    for name in ("name", "source", "summary", "formula"):
        if not isinstance(getattr(spec, name, ""), str):
            return f"its {name} is {getattr(spec, name)!r}, not text"
    return None


def _is_name(name: Any) -> bool:
    return (
        isinstance(name, str)
        and name[:1].isalnum()
        and name == name.lower()
        and name.isascii()
        and name.replace("-", "").isalnum()
    )


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
            chosen.setdefault(one.label, one)
        except UserError as error:
            errors.append(str(error))
    if errors:
        raise UserError("; ".join(errors))
    return list(chosen.values())
