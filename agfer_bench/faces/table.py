"""From a chosen data set to its table of photographs, checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from agfer_bench.errors import PluginError, UserError, describe
from agfer_bench.faces.inspect import advice
from agfer_bench.plugin.catalogue import Chosen, Entry
from agfer_bench.plugin.option_types import kept
from agfer_bench.plugin.specs import EMOTIONS, PARTS, DatasetSpec, FaceImage, FaceTable, Place
from agfer_bench.text import nearest


def read_table(
    chosen: Chosen[DatasetSpec],
    place: Place,
    readers: Mapping[str, Entry[DatasetSpec]] | None = None,
) -> FaceTable:
    """Have the plugin read its data set.

    Args:
        chosen: The data set and its options.
        place: Where it is, and what its reader may use.
        readers: The data sets that the plugin may read in turn, through `Place.read`.

    Raises:
        UserError: The folder is missing or not wanted, or the plugin says what is wrong with it.
        PluginError: The plugin raised something else or returned something that is no table.
    """
    spec, distribution = chosen.entry.spec, chosen.entry.distribution
    if spec.needs_folder and place.folder is None:
        raise UserError(f"{spec.name} needs a folder: write {spec.name}=FOLDER")
    if not spec.needs_folder and place.folder is not None:
        raise UserError(f"{spec.name} takes no folder: write {spec.name} alone")
    if readers is not None:
        place = replace(place, read=_reading(place, readers))
    try:
        table: Any = spec.read(place, **chosen.arguments())
    except UserError as error:
        raise _with_advice(error, spec.name, place.folder, readers) from None
    except (Exception, SystemExit) as error:
        raise PluginError(distribution, f"{spec.name}: read failed: {describe(error)}") from error
    if not isinstance(table, FaceTable):
        raise PluginError(
            distribution, f"{spec.name}: read returned {type(table).__name__}, not a FaceTable"
        )
    names: set[str] = set()
    for image in table.images:
        fault = _fault(table, image)
        if fault is None and (name := table.name(image)) in names:
            fault = f"{name} stands twice: on both sides of a fold it would be its own test"
        if fault is not None:
            raise PluginError(distribution, f"{spec.name}: {fault}")
        names.add(name)
    if table.classes is not None and len(set(table.classes)) < len(table.classes):
        raise PluginError(distribution, f"{spec.name}: a class stands twice among its classes")
    known, kind = (EMOTIONS, "emotions") if table.classes is None else (table.classes, "classes")
    unknown = {image.emotion for image in table.images} - set(known)
    if unknown:
        raise PluginError(
            distribution, f"{spec.name}: unknown {kind} {', '.join(sorted(map(str, unknown)))}"
        )
    return table


def _with_advice(
    error: UserError,
    name: str,
    folder: Path | None,
    readers: Mapping[str, Entry[DatasetSpec]] | None,
) -> UserError:
    """Add to a reader's error which other reader takes the folder, if one does or comes near."""
    told = advice(folder, name, readers) if folder is not None and readers else ""
    return UserError(f"{error}; {told}") if told else error


def _reading(place: Place, readers: Mapping[str, Entry[DatasetSpec]]) -> Callable[..., FaceTable]:
    """Return what `Place.read` is: one plugin's way to another's reader."""

    def read(name: str, folder: Path, **options: Any) -> FaceTable:
        if name not in readers:
            raise UserError(f"no plugin reads the layout {name!r}{nearest(name, readers)}")
        entry = readers[name]
        given = {option: kept(value) for option, value in options.items()}
        values = {option.name: option.default for option in entry.options} | given
        return read_table(Chosen(entry=entry, values=values), replace(place, folder=folder))

    return read


def _fault(table: FaceTable, image: FaceImage) -> str | None:
    """Say what is wrong with a row of a stranger's table."""
    if not isinstance(image, FaceImage) or not isinstance(image.path, Path):
        return f"{image!r} is no FaceImage with a Path"
    texts = (image.subject, image.sequence, image.age_group, image.sex, image.take)
    if not isinstance(image.emotion, str) or not all(isinstance(t, str | None) for t in texts):
        return f"{image!r}: emotion, subject, sequence, age_group, sex and take are text"
    if image.part is not None and image.part not in PARTS:
        return f"{image!r}: part is one of {', '.join(PARTS)}, or None"
    if not isinstance(image.frame, int | None):
        return f"{image!r}: frame is a whole number or None"
    try:
        table.name(image).encode()
    except UnicodeEncodeError:
        raise UserError(f"the name of {str(image.path)!a} is not UTF-8; rename it") from None
    except ValueError:
        return f"{image.path} lies outside {table.root}"
    return None
