"""`agfer-bench data`: what can be read, and reading it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agfer_bench.cli.console import ProgressBars, catalogue_with_notes, show, show_json
from agfer_bench.cli.groups import OPTIONS, JsonOption, grouped
from agfer_bench.cli.listing import datasets_listing
from agfer_bench.cli.passport import passport
from agfer_bench.files import cache_folder
from agfer_bench.run.request import ProtocolOptions, SourceOptions

if TYPE_CHECKING:
    import pandas as pd

    from agfer_bench.faces.synthesise import Drawn
    from agfer_bench.records.run import DataRecord

app = typer.Typer(help="List data sets, read and crop one, or draw some.", no_args_is_help=True)
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
    for column in ("--data", "What", "Distribution", "Options"):
        table.add_column(column)
    for one in listing["datasets"]:
        usage = one["name"] + ("=FOLDER" if one["needs_folder"] else "")
        settings = ", ".join(f"{name}={value}" for name, value in one["options"].items())
        distribution = f"{one['distribution']} {one['version']}"
        table.add_row(*map(Text, (usage, one["summary"], distribution, settings)))
    show(table)


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
    from agfer_bench.run.resolve import build_protocol, build_source

    catalogue = catalogue_with_notes()
    resolved = build_protocol(protocol, image_size=image_size)
    source = build_source(catalogue, data, workers)
    with ProgressBars() as bars:
        loaded = load_data(source, resolved, bars)
    if as_json:
        folder = str(loaded.crops.folder)
        show_json({"folder": folder, **loaded.record.model_dump(mode="json")})
        return
    from agfer_bench.faces.prepare import counts

    _show(loaded.record, counts(loaded.crops))
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


def _next_command(drawn: list[Drawn]) -> str:
    """Train on the first set, test on the others."""
    words = ["agfer-bench", "run"]
    for flag, one in zip(["--data", *["--test"] * (len(drawn) - 1)], drawn, strict=True):
        words += [flag, f"{one.drawing.reader}={one.folder}"]
    return shlex.join(words)


def _show(record: DataRecord, numbers: pd.DataFrame) -> None:
    from rich.table import Table

    drawn = " (drawn faces)" if record.drawn else ""
    table = Table(title=f"{record.name}{drawn}: images per emotion", title_justify="left")
    table.add_column("emotion")
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
