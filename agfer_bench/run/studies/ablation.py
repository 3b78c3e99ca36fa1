"""Ablations: the same modules and folds, one setting changed.

Each value of a setting is a run of its own, so that what is trained is never trained again.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd

from agfer_bench.errors import UserError
from agfer_bench.files import write_text
from agfer_bench.grammar import split
from agfer_bench.plugin.catalogue import Catalogue, Chosen, is_classifier
from agfer_bench.plugin.specs import ModuleSpec
from agfer_bench.progress import Reporter, Under
from agfer_bench.protocol import (
    OFFICIAL,
    PLACES_OF_RESIDUAL,
    PLACES_OF_VGG16,
    VGG16,
    fingerprint,
)
from agfer_bench.records.run import BASE
from agfer_bench.report.ablation_table import (
    Ablation,
    Axis,
    Cell,
    effects_of,
    frame_of,
    to_markdown,
)
from agfer_bench.report.factorial import rows_of
from agfer_bench.run.jobs.classifier import SETTINGS
from agfer_bench.run.runner import run
from agfer_bench.run.settings import RunSettings, Timing
from agfer_bench.text import nearest, to_csv, visible

AXES = {
    axis.name: axis
    for axis in (
        Axis(
            name="guidance",
            setting="guidance",
            values=("off", "on"),
            what="Guidance mask while training, off and on.",
        ),
        Axis(
            name="split",
            setting="split",
            values=("subject", "image"),
            what="Leakage: folds by image, which put frames of one person on both sides, against "
            "folds by subject.",
        ),
        Axis(
            name="colour",
            setting="colour",
            values=("rgb", "grey"),
            what="Crops with their colours, and in grey.",
        ),
        Axis(
            name="stride",
            setting="stride",
            values=("32", "16"),
            what="Overall stride of the host: with the last pool (32), and without (16).",
            moves_cost=True,
        ),
        Axis(
            name="init",
            setting="initialisation",
            values=("glorot", "he"),
            what="Initial weights: Glorot uniform or He.",
        ),
        Axis(
            name="unit_variance",
            setting="unit_variance",
            values=("off", "on"),
            what="Layers as drawn, and rescaled before training to outputs of variance 1, which "
            "makes up for gates that damp the signal.",
        ),
        Axis(
            name="place",
            setting="place",
            values=(),
            what="Where in the host the blocks stand.",
            moves_cost=True,
        ),
        Axis(
            name="reduction",
            setting="reduction",
            values=("16", "2", "4", "8", "32"),
            what="Reduction R of the blocks' bottleneck.",
            of_block=True,
            moves_cost=True,
        ),
    )
}
"""The settings that `agfer-bench ablate` knows, by name."""


def choose_axis(name: str, values: str | None) -> Axis:
    """Return an axis, with the user's values if given.

    Raises:
        UserError: The axis is unknown, or fewer than two different values are named.
    """
    if name not in AXES:
        raise UserError(f"unknown ablation {name!r}{nearest(name, AXES)}")
    axis = AXES[name]
    if values is None:
        return axis
    chosen = tuple(dict.fromkeys(text for part in split(values, ",") if (text := part.strip())))
    if len(chosen) < 2:
        raise UserError(f"--values {values!r}: a comparison needs two values, separated by a comma")
    return replace(axis, values=chosen)


def ablate(axis: Axis, settings: RunSettings, catalogue: Catalogue, reporter: Reporter) -> Ablation:
    """Run every module with every value of a setting.

    Args:
        axis: The setting and its values.
        settings: All else; `settings.modules` are the rows.
        catalogue: Where modules with other options come from.
        reporter: Hears of the progress of each run.

    Raises:
        UserError: As `run`; or a value is not allowed, or no module has the option.
    """
    timing: Timing = "keep" if axis.moves_cost else "skip"
    settings = replace(settings, timing=timing)
    if axis.of_block:
        return _over_options(axis, settings, catalogue, reporter)
    settings, notes = _without_classifiers(axis, settings)
    if axis.setting == "place" and not axis.values:
        own = PLACES_OF_VGG16 if settings.protocol.host == VGG16 else PLACES_OF_RESIDUAL
        axis = replace(axis, values=own)
    if axis.setting == "split" and settings.protocol.split == OFFICIAL:
        raise UserError("ablate split compares folds: give --split image or --split subject")
    protocols = [settings.protocol.with_settings({axis.setting: value}) for value in axis.values]
    if len({protocol.fingerprint for protocol in protocols}) < len(protocols):
        raise UserError(f"--values {','.join(axis.values)}: two of them mean the same")
    runs = []
    cells: dict[str, list[Cell]] = {one.label: [] for one in settings.modules}
    for value, protocol in zip(axis.values, protocols, strict=True):
        under = Under(reporter, f"{axis.name} {value}")
        record, folder = run(replace(settings, protocol=protocol), catalogue, under)
        runs.append((record, folder.name))
        for module in record.modules:
            cell = Cell(name=module.label, value=value, module=module, record=record)
            cells[module.label].append(cell)
    return Ablation(
        axis=axis,
        runs=tuple(runs),
        cells=tuple(cell for row in cells.values() for cell in row),
        notes=notes,
    )


def _without_classifiers(axis: Axis, settings: RunSettings) -> tuple[RunSettings, tuple[str, ...]]:
    """Leave out what a setting of the networks cannot change, with a note each."""
    if axis.setting in (*SETTINGS, "split"):
        return settings, ()
    others = [one for one in settings.modules if is_classifier(one)]
    if len(others) == len(settings.modules):
        raise UserError(f"{axis.name} is a setting of networks, and no module is one; name others")
    notes = (
        f"{one.label} is a classifier of its own, without {axis.name}: left out." for one in others
    )
    kept = tuple(one for one in settings.modules if one not in others)
    return replace(settings, modules=kept), tuple(notes)


def _over_options(
    axis: Axis, settings: RunSettings, catalogue: Catalogue, reporter: Reporter
) -> Ablation:
    """Run the blocks' variants side by side, in one run, base beside them."""
    check_options(axis, settings)
    notes: list[str] = []
    named: dict[tuple[str, str], Chosen[ModuleSpec]] = {}
    for one in settings.modules:
        if _has(one, axis.setting):
            variants = [_variant(one, axis.setting, value, catalogue) for value in axis.values]
            named |= {(one.label, v): c for v, c in zip(axis.values, variants, strict=True)}
        elif one.label == BASE:
            named[one.label, "–"] = one
        else:
            notes.append(f"{one.label} has no option {axis.setting}: left out.")
    unique = tuple({one.label: one for one in named.values()}.values())
    record, folder = run(replace(settings, modules=unique), catalogue, Under(reporter, axis.name))
    modules = {module.label: module for module in record.modules}
    return Ablation(
        axis=axis,
        runs=((record, folder.name),),
        cells=tuple(
            Cell(name=name, value=value, module=modules[one.label], record=record)
            for (name, value), one in named.items()
        ),
        notes=tuple(notes),
    )


def check_options(axis: Axis, settings: RunSettings) -> None:
    """Find out before any work whether the blocks can be varied.

    Raises:
        UserError: No module has the option, or a module sets it already.
    """
    if not axis.of_block:
        return
    able = [one for one in settings.modules if _has(one, axis.setting)]
    if not able:
        raise UserError(f"none of the modules has the option {axis.setting!r}; name others")
    for one in able:
        option = next(o for o in one.entry.options if o.name == axis.setting)
        if one.values[axis.setting] != option.default:
            raise UserError(
                f"{one.label} sets {axis.setting} already: leave it out of --modules, --values "
                "names what it is given"
            )


def _has(one: Chosen[ModuleSpec], option: str) -> bool:
    return any(known.name == option for known in one.entry.options)


def _variant(
    one: Chosen[ModuleSpec], option: str, value: str, catalogue: Catalogue
) -> Chosen[ModuleSpec]:
    """Return a block with one option changed, the others as they were chosen."""
    texts = {
        known.name: known.write(one.values[known.name])
        for known in one.entry.options
        if one.values[known.name] != known.default
    }
    text = "".join(f":{name}={new}" for name, new in (texts | {option: value}).items())
    (variant,) = catalogue.choose_rows(one.entry.spec.name + text)
    return variant


def write(ablation: Ablation, out: Path) -> Path:
    """Write table and data of an ablation.

    Returns:
        The folder: the same for the same runs.

    Raises:
        UserError: The folder cannot be written.
    """
    runs = [folder for _, folder in ablation.runs]
    content = {"axis": ablation.axis.name, "values": ablation.axis.values, "runs": runs}
    folder = out / f"ablation-{ablation.axis.name}-{fingerprint(content)[:10]}"
    write_text(folder / "table.md", visible(to_markdown(ablation)))
    write_text(folder / "table.csv", to_csv(frame_of(ablation)))
    found, _ = effects_of(ablation)
    if found:
        write_text(folder / "effects.csv", to_csv(pd.DataFrame(rows_of(found))))
    write_text(folder / "ablation.json", json.dumps(content, indent=1) + "\n")
    return folder
