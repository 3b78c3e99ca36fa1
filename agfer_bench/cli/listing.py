"""What the installed plugins offer, described for lists and kept between calls."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from agfer_bench.cli.console import warn
from agfer_bench.cli.stdout import set_apart
from agfer_bench.errors import PluginError, UserError
from agfer_bench.errors import describe as describe_error
from agfer_bench.files import cache_folder

if TYPE_CHECKING:
    from agfer_bench.plugin.catalogue import Chosen
    from agfer_bench.plugin.specs import AttentionSpec, ClassifierSpec, ModuleSpec, Slot

CLASSES = 7
"""Classes of the host in which parameters are counted: the paper's seven emotions."""

Listing = dict[str, Any]
"""`modules`, `datasets` or `detectors`, a description each, and `problems`: lines about what is
left out."""


def modules_listing(wanted: Collection[str] = ()) -> Listing:
    """Describe all attention blocks and classifiers, and warn of plugins that are left out.

    Args:
        wanted: Names that are asked for: where one has failed, or may be among what did not load,
            all is looked at anew.
    """

    def doubtful(listing: Listing) -> bool:
        sound = {one["name"] for one in listing["modules"] if not one["error"]}
        known = {one["name"] for one in listing["modules"]}
        failed = known - sound if not listing["problems"] else None
        return any(name not in sound and (failed is None or name in failed) for name in wanted)

    return _listing("modules", _modules, doubtful)


def datasets_listing() -> Listing:
    """Describe all data sets, and warn of plugins that are left out."""
    return _listing("datasets", _datasets)


def detectors_listing() -> Listing:
    """Describe all face detectors, and warn of plugins that are left out."""
    return _listing("detectors", _detectors)


def _listing(
    what: str,
    make: Callable[[], Listing],
    doubtful: Callable[[Listing], bool] = lambda listing: False,
) -> Listing:
    import hashlib

    from agfer_bench.plugin.listing_cache import while_unchanged

    set_apart()
    # Each environment has a file of its own, so that several share a cache folder in peace.
    environment = hashlib.sha256(sys.prefix.encode()).hexdigest()[:16]
    file = cache_folder() / "listings" / f"{what}-{environment}.json"
    made = False

    def making() -> Listing:
        nonlocal made
        made = True
        return make()

    listing = while_unchanged(file, making, _lasts)
    if not made and doubtful(listing):
        with suppress(OSError):
            file.unlink(missing_ok=True)
        listing = while_unchanged(file, making, _lasts)
    for problem in listing["problems"]:
        warn(problem)
    return listing


def _lasts(listing: Listing) -> bool:
    """A failure is tried again after a while: a driver or a licence may have been missing."""
    failed = any(one["error"] for one in listing.get("modules", ()))
    return not (listing["problems"] or failed)


def _modules() -> Listing:
    from agfer_bench.plugin.catalogue import Chosen
    from agfer_bench.plugin.finder import load_catalogue

    catalogue = load_catalogue()
    modules = []
    for entry in catalogue.rows.values():
        defaults = {option.name: option.default for option in entry.options}
        modules.append(describe(Chosen(entry=entry, values=defaults)))
    return {"modules": modules, "problems": [str(problem) for problem in catalogue.problems]}


def _datasets() -> Listing:
    from agfer_bench.plugin.finder import load_catalogue

    catalogue = load_catalogue()
    datasets = [
        {
            "name": entry.spec.name,
            "summary": entry.spec.summary,
            "source": entry.spec.source,
            "licence": entry.spec.licence,
            "pictures_may_be_published": entry.spec.pictures_may_be_published,
            "needs_folder": entry.spec.needs_folder,
            "drawn": entry.spec.drawn,
            "layout": entry.spec.layout,
            "distribution": entry.distribution,
            "version": entry.version,
            "options": {option.name: option.default for option in entry.options},
        }
        for entry in catalogue.datasets.values()
    ]
    return {"datasets": datasets, "problems": [str(problem) for problem in catalogue.problems]}


def _detectors() -> Listing:
    from agfer_bench.plugin.finder import load_catalogue

    catalogue = load_catalogue()
    detectors = [
        {
            "name": entry.spec.name,
            "summary": entry.spec.summary,
            "source": entry.spec.source,
            "needs_file": entry.spec.needs_file,
            "distribution": entry.distribution,
            "version": entry.version,
            "options": {option.name: option.default for option in entry.options},
        }
        for entry in catalogue.detectors.values()
    ]
    return {"detectors": detectors, "problems": [str(problem) for problem in catalogue.problems]}


def describe(chosen: Chosen[ModuleSpec]) -> dict[str, Any]:
    """Return all that is known of a module; of a block, its parameters in the paper's host.

    Raises:
        UserError: The plugin says that a value which is not its default is wrong.
    """
    from agfer_bench.plugin.catalogue import is_block, is_classifier

    entry = chosen.entry
    slots: list[dict[str, Any]] = []
    error = ""
    narrow = None
    try:
        if is_block(chosen):
            slots = _slots(chosen, "paper")
            narrow = _in_quick(chosen)
        elif is_classifier(chosen):
            _try(chosen)
    except PluginError as fault:
        error = str(fault)
    except UserError as fault:
        if chosen.label != entry.spec.name:
            raise
        error = str(PluginError(entry.distribution, f"{chosen.label}: {fault}"))
    counted = is_block(chosen) and not error
    return {
        "kind": "attention" if is_block(chosen) else "classifier",
        "name": entry.spec.name,
        "summary": entry.spec.summary,
        "source": entry.spec.source,
        "distribution": entry.distribution,
        "version": entry.version,
        "options": [
            {
                "name": option.name,
                "type": option.type_name,
                "default": option.default,
                "value": chosen.values[option.name],
            }
            for option in entry.options
        ],
        "slots": slots,
        "parameters": sum(slot["parameters"] for slot in slots) if counted else None,
        "parameters_in_quick": narrow,
        "error": error,
    }


def _try(chosen: Chosen[ClassifierSpec]) -> None:
    """Build a classifier, to see whether it can be."""
    from agfer_bench.run.jobs.classifier import try_classifier

    try_classifier(chosen)


def _in_quick(chosen: Chosen[AttentionSpec]) -> int | None:
    """Count the parameters in the narrow host of the default run; None where it cannot be built."""
    try:
        return sum(int(slot["parameters"]) for slot in _slots(chosen, "quick"))
    except UserError:
        return None


def _slots(chosen: Chosen[AttentionSpec], preset: str) -> list[dict[str, Any]]:
    """Build the block for each slot of a preset's host, and count its parameters.

    Raises:
        PluginError: It cannot be built, or its parameters cannot be counted.
        UserError: The plugin says that an option's value is wrong.
    """
    from agfer_bench.network.build import build_block, place_of, slots_of
    from agfer_bench.protocol import load_preset

    def count(slot: Slot) -> int:
        from agfer_bench.measure.size import parameters

        block = build_block(chosen, slot)
        try:
            return parameters(block)
        except Exception as fault:  # of a lazy layer, say, whose shape is not known yet
            text = f"{chosen.label}: parameters at {place_of(slot)}: {describe_error(fault)}"
            raise PluginError(chosen.entry.distribution, text) from fault

    return [
        {
            "stage": slot.stage,
            "channels": slot.channels,
            "height": slot.height,
            "width": slot.width,
            "parameters": count(slot),
        }
        for slot in slots_of(load_preset(preset), CLASSES)
    ]
