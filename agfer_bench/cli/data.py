"""`agfer-bench data`: what can be read, and reading it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agfer_bench.cli.console import ProgressBars, catalogue_with_notes, show, show_json
from agfer_bench.cli.groups import OPTIONS, JsonOption, grouped
from agfer_bench.cli.listing import datasets_listing, detectors_listing
from agfer_bench.cli.passport import passport
from agfer_bench.cli.paths import App
from agfer_bench.files import cache_folder
from agfer_bench.run.request import ProtocolOptions, SourceOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from agfer_bench.faces.inspect import Inspection
    from agfer_bench.faces.synthesise import Drawn
    from agfer_bench.plugin.glance import Glance
    from agfer_bench.records.run import DataRecord

app = App(help="List data sets, read and crop one, or draw some.", no_args_is_help=True)
app.command("passport")(passport)


@app.command("list")
def list_datasets(as_json: JsonOption = False) -> None:
    """List the data sets that installed plugins can read."""
    from rich.table import Table
    from rich.text import Text

    listing = datasets_listing()
    if as_json:
        show_json(listing)
        return
    table = Table(title="Data sets", title_justify="left")
    for column in ("--data", "What", "Terms", "Distribution", "Options"):
        table.add_column(column)
    for one in listing["datasets"]:
        usage = one["name"] + ("=FOLDER" if one["needs_folder"] else "")
        settings = ", ".join(f"{name}={value}" for name, value in one["options"].items())
        distribution = f"{one['distribution']} {one['version']}"
        terms = one["licence"] or "not told"
        if not one["pictures_may_be_published"]:
            terms += "; no pictures in publications"
        table.add_row(*map(Text, (usage, one["summary"], terms, distribution, settings)))
    show(table)
    show("A folder that you do not know: agfer-bench data inspect FOLDER")


@app.command("inspect")
def inspect_folder(
    folder: Annotated[
        Path, typer.Argument(help="A folder with pictures, or a file of a data set.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Say what a folder looks like, and which reader takes it; opens no picture."""
    from agfer_bench.faces.inspect import inspect

    catalogue = catalogue_with_notes()
    folder = folder.expanduser()
    found = inspect(folder, catalogue.datasets)
    if as_json:
        show_json(_described(found, folder))
        return
    for line in _seen(found.glance):
        show(line)
    for one in found.readers:
        show(f"Read by {one.name}: {one.fit.why}.")
    if found.nearest is not None:
        nearest = found.nearest
        show(f"No reader takes it. {nearest.name} comes nearest, but {nearest.fit.why}.")
    elif not found.readers:
        show("No reader knows anything of it: see agfer-bench data list for the layouts.")
    for problem in found.problems:
        show(problem)
    if found.readers:
        show(f"Next: agfer-bench data prepare --data {found.readers[0].data(folder)}")


@app.command("detectors")
def list_detectors(as_json: JsonOption = False) -> None:
    """List the face detectors that may stand in place of the paper's cascades."""
    from rich.table import Table
    from rich.text import Text

    listing = detectors_listing()
    if as_json:
        show_json(listing)
        return
    table = Table(title="Face detectors", title_justify="left")
    for column in ("--detector", "What", "Distribution", "Options"):
        table.add_column(column)
    for one in listing["detectors"]:
        usage = one["name"] + ("=FILE" if one["needs_file"] else "")
        settings = ", ".join(f"{name}={value}" for name, value in one["options"].items())
        distribution = f"{one['distribution']} {one['version']}"
        table.add_row(*map(Text, (usage, one["summary"], distribution, settings)))
    show(table)
    show("Without --detector, the paper's cascades find the faces.")


@app.command("prepare")
@grouped
def prepare_dataset(
    data: SourceOptions,
    protocol: ProtocolOptions,
    image_size: Annotated[int | None, OPTIONS["image_size"]] = None,
    workers: Annotated[int | None, OPTIONS["workers"]] = None,
    as_json: JsonOption = False,
) -> None:
    """Read and crop a data set into the cache, and say what was kept and what was left out."""
    from agfer_bench.faces.data import load_data
    from agfer_bench.protocol import is_detector, told_crop
    from agfer_bench.run.resolve import build_protocol, build_source, settings_for, with_crop

    catalogue = catalogue_with_notes()
    source = build_source(catalogue, data, workers)
    resolved = build_protocol(protocol, settings_for(source.chosen), image_size=image_size)
    resolved = with_crop(resolved, source)
    with ProgressBars() as bars:
        loaded = load_data(source, resolved, bars)
    if as_json:
        folder = str(loaded.crops.folder)
        show_json(
            {"folder": folder, "crop": resolved.crop, **loaded.record.model_dump(mode="json")}
        )
        return
    from agfer_bench.faces.prepare import counts

    _show(loaded.record, counts(loaded.crops, loaded.left_out))
    if is_detector(resolved.crop):
        show(f"Faces were found by {told_crop(resolved.crop)}, not by the paper's cascades.")
    show(f"Crops and excluded.csv: {loaded.crops.folder}")


@app.command("synthesise")
def synthesise_datasets(
    folder: Annotated[Path, typer.Argument(help="Where to draw; each set gets a folder in it.")],
    sets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SET[:option=value]...]...",
            help="Layouts to draw, such as oulu-casia:subjects=10. Default: all.",
        ),
    ] = None,
    cache: Annotated[Path | None, OPTIONS["cache"]] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that draw. Default: all cores.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Draw faces into files, in the folders and names of real databases."""
    from agfer_bench.faces.synthesise import choose, synthesise
    from agfer_bench.run.resolve import cores

    catalogue = catalogue_with_notes()
    drawings = choose(catalogue.datasets, sets or ())
    with ProgressBars() as bars:
        drawn = synthesise(
            drawings,
            folder.expanduser(),
            cache=cache_folder(cache),
            workers=workers or cores(),
            progress=bars.progress,
        )
    if as_json:
        described = [
            {
                "name": one.drawing.name,
                "folder": str(one.folder),
                "images": one.images,
                "options": one.drawing.values,
            }
            for one in drawn
        ]
        show_json({"drawn": described, "next": _next_command(drawn)})
        return
    for one in drawn:
        show(f"{one.drawing.name}: {one.images} images in {one.folder}")
    show("They are drawn, no photographs: reports on them say so.")
    show(f"Next: {_next_command(drawn)}")


_NAMED = 8
"""Folders, suffixes and tables that are named."""


def _seen(glance: Glance) -> list[str]:
    """Say what a folder looks like."""
    least = "" if glance.whole else "at least "
    suffixes = [
        f"{number:,} {suffix or 'without suffix'}" for suffix, number in glance.suffixes.items()
    ]
    lines = [f"{glance.folder}: {least}{len(glance.files):,} files: {_some(suffixes)}"]
    if not glance.whole:
        lines.append("It is large: only a part of it was looked at.")
    if glance.folders:
        lines.append(f"Folders: {_some(glance.children())}")
        below = {child.rpartition("/")[2]: None for child in glance.folders if "/" in child}
        if below:
            lines.append(f"Folders in these: {_some(tuple(below))}")
    for name in tuple(glance.first_lines)[:_NAMED]:
        columns = glance.columns(name)
        if len(columns) > 1:
            lines.append(f"Table {name}: {_some(columns)}")
    return lines


def _some(names: Sequence[str]) -> str:
    rest = len(names) - _NAMED
    more = f" and {rest:,} more" if rest > 0 else ""
    return (", ".join(names[:_NAMED]) or "none") + more


def _described(found: Inspection, folder: Path) -> dict[str, Any]:
    return {
        "folder": str(folder),
        "files": len(found.glance.files),
        "whole": found.glance.whole,
        "suffixes": dict(found.glance.suffixes),
        "folders": list(found.glance.children()),
        "tables": {name: list(found.glance.columns(name)) for name in found.glance.first_lines},
        "readers": [
            {
                "name": one.name,
                "reads": one.reads,
                "share": one.fit.share,
                "why": one.fit.why,
                "data": one.data(folder),
            }
            for one in found.candidates
        ],
        "problems": list(found.problems),
    }


def _next_command(drawn: list[Drawn]) -> str:
    """Train on the first set, test on the others."""
    words = ["agfer-bench", "run"]
    for flag, one in zip(["--data", *["--test"] * (len(drawn) - 1)], drawn, strict=True):
        words += [flag, f"{one.drawing.reader}={one.folder}"]
    return shlex.join(words)


def _show(record: DataRecord, numbers: pd.DataFrame) -> None:
    from rich.table import Table

    drawn = " (drawn faces)" if record.drawn else ""
    table = Table(title=f"{record.name}{drawn}: images per class", title_justify="left")
    table.add_column("class")
    for column in numbers.columns:
        table.add_column(str(column), justify="right")
    for emotion, row in numbers.iterrows():
        if emotion == "all":
            table.add_section()
        table.add_row(str(emotion), *map(str, row))
    show(table)
    read, kept = sum(record.images_read.values()), sum(record.images_kept.values())
    show(f"{read - kept} of {read} left out ({100 * (read - kept) / read:.1f} %)")
    for note in record.notes:
        show(note)
