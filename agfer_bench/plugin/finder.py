"""How plugins are found: entry points loaded one by one, each guarded.

pluggy's own loader stops at the first that fails and drops the second of two equal names without a
word.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from agfer_bench.errors import UserError, describe
from agfer_bench.plugin import hookspecs
from agfer_bench.plugin.catalogue import AnySpec, Catalogue, Entry, SpecT
from agfer_bench.plugin.hookspecs import manager_of
from agfer_bench.plugin.listeners import Problem
from agfer_bench.plugin.options import HARNESS_OPTIONS, Option, for_blocks, options_of
from agfer_bench.plugin.specs import (
    AttentionSpec,
    ClassifierSpec,
    DatasetSpec,
    DetectorSpec,
    TrackerSpec,
)
from agfer_bench.plugin.time_limit import Loaded, load_here, load_in_time, put_back, seconds_allowed
from agfer_bench.protocol import CROPS

OWN_DISTRIBUTION = "agfer-bench"


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
                    message=_failed(point, error),
                )
            )
        if loaded.changes:
            catalogue.problems.append(
                Problem(distribution=_distribution(point)[0], message=put_back(loaded.changes))
            )
    return catalogue


def _failed(point: EntryPoint, error: BaseException) -> str:
    text = describe(error)
    return text if text.startswith(point.value) else f"{point.value} does not load: {text}"


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


_ASKED = (
    "attention_modules",
    "face_classifiers",
    "face_datasets",
    "face_detectors",
    "run_trackers",
)
"""Hooks that are called while loading."""


def _load(point: EntryPoint) -> _Offer:
    """Import a plugin and ask it for all that it offers; raise what it raises."""
    plugin = point.load()
    manager = manager_of(plugin)
    if not manager.get_hookcallers(plugin):
        raise UserError(_nothing(point, plugin))
    specs = {name: _flatten(getattr(manager.hook, name)()) for name in _ASKED}
    return _Offer(manager=manager, specs=specs)


def _nothing(point: EntryPoint, plugin: Any) -> str:
    """Say what a plugin without a hook lacks."""
    hooks = [name for name, value in vars(hookspecs).items() if _is_hook(value)]
    unmarked = [name for name in hooks if callable(getattr(plugin, name, None))]
    what = f"write a function {_ASKED[0]} that returns specs, and mark it"
    if unmarked:
        what = f"mark {' and '.join(unmarked)}"
    mark = f"@hookimpl (from {hookspecs.PROJECT} import hookimpl)"
    return f"{point.value} offers nothing: {what} with {mark}"


def _is_hook(value: Any) -> bool:
    return hasattr(value, f"{hookspecs.PROJECT}_spec")


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
            elif isinstance(spec, DetectorSpec) and spec.name in CROPS:
                problem(f"the name {spec.name!r} stands for a way to crop of the harness's own")
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
    collect("face_detectors", DetectorSpec, catalogue.detectors, lambda s: s.load, {})
    collect("run_trackers", TrackerSpec, catalogue.trackers, lambda s: s.start, {})
    catalogue.listeners.add(distribution, offer.manager)


def _options_of(spec: AnySpec, function: Callable[..., Any]) -> tuple[Option, ...]:
    options = options_of(function)
    if not isinstance(spec, AttentionSpec):
        return options
    own = {option.name for option in HARNESS_OPTIONS}
    taken = next((option.name for option in options if option.name in own), None)
    if taken is not None:
        raise UserError(f"the option {taken!r} is the harness's own; give yours another name")
    return for_blocks(options)


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
