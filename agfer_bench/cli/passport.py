"""`agfer-bench data passport`: what is known of a set's pictures, and what two sets share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agfer_bench.cli.console import ProgressBars, catalogue_with_notes, show, show_json
from agfer_bench.cli.groups import OPTIONS, JsonOption, grouped
from agfer_bench.errors import UserError
from agfer_bench.run.request import ProtocolOptions, SourceOptions

if TYPE_CHECKING:
    from agfer_bench.passport.build import Passport

DATA_HELP = "Data set, written like --data: NAME=FOLDER, or NAME:option=value=FOLDER."


@grouped
def passport(
    source: SourceOptions,
    protocol: ProtocolOptions,
    first: Annotated[str | None, typer.Argument(metavar="DATA", help=DATA_HELP)] = None,
    second: Annotated[
        str | None,
        typer.Argument(
            metavar="[OTHER]", help="Another set, or a file with a manifest, to look for copies in."
        ),
    ] = None,
    image_size: Annotated[int | None, OPTIONS["image_size"]] = None,
    workers: Annotated[int | None, OPTIONS["workers"]] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write salted hashes of the pictures, to compare sets by."
        ),
    ] = None,
    salt: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="Salt of the manifest. Default: that of OTHER where it is one, else a new one.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write it there as well: JSON, or Markdown for .md."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Look through a set's pictures: copies, contradicting labels, poor crops, counts.

    With a second set, also what the two share. See docs/passport.md.
    """
    from agfer_bench.faces.data import load_data
    from agfer_bench.faces.passport import make_passport, manifest_of, meet_manifest
    from agfer_bench.passport.manifest import new_salt, read_manifest, write_manifest
    from agfer_bench.report.passport import to_json
    from agfer_bench.run.resolve import build_protocol, build_source, settings_for, with_crop

    if first is not None and Path(first).expanduser().is_file():
        _compare(Path(first).expanduser(), second, as_json)
        return
    if first is not None and source.data is not None:
        raise UserError("name the data set once: as DATA, or with --data")
    if salt is not None and manifest is None:
        raise UserError("--salt belongs to a manifest: add --manifest FILE")
    catalogue = catalogue_with_notes()
    asked = replace(source, data=first or source.data)
    chosen = build_source(catalogue, asked, workers)
    resolved = build_protocol(protocol, settings_for(chosen.chosen), image_size=image_size)
    resolved = with_crop(resolved, chosen)
    theirs = other_source = None
    if second is not None and Path(second).expanduser().is_file():
        theirs = read_manifest(Path(second).expanduser())
    elif second is not None:
        other_source = build_source(catalogue, replace(asked, data=second), workers, flag="OTHER")
    with ProgressBars() as bars:
        data = load_data(chosen, resolved, bars)
        other = None if other_source is None else load_data(other_source, resolved, bars)
        found = make_passport(data, resolved, bars, other)
    content: dict[str, Any] = to_json(found)
    met = None
    if theirs is not None:
        met = meet_manifest(data, theirs)
        content["manifest"] = {
            "pictures": len(theirs.entries),
            "same_bytes": [data.names[i] for i in met.same_bytes],
            "same_look": [data.names[i] for i in met.same_look],
        }
    if manifest is not None:
        own = salt or (theirs.salt if theirs else new_salt())
        write_manifest(manifest_of(data, own), manifest.expanduser())
    if out is not None:
        _write(found, content, out.expanduser())
    if as_json:
        show_json(content)
        return
    _show(found)
    if theirs is not None and met is not None:
        show(
            f"In the manifest of {len(theirs.entries)} pictures: {len(met.same_bytes)} of these by "
            f"their bytes, {len(met.same_look)} more by their perceptual hash."
        )
    if manifest is not None:
        show(f"Manifest: {manifest} (docs/passport.md tells what it gives away)")


def _compare(first: Path, second: str | None, as_json: bool) -> None:
    """Compare two manifests."""
    from agfer_bench.passport.manifest import meet, read_manifest

    if second is None or not Path(second).expanduser().is_file():
        raise UserError(
            f"{first} is a file: give a second manifest, or the data set first and the manifest "
            "behind it"
        )
    ours, theirs = read_manifest(first), read_manifest(Path(second).expanduser())
    if ours.salt != theirs.salt:
        raise UserError(
            f"{first} and {second} have different salts, so nothing of them compares: write one "
            "anew with `--salt`, or with the other manifest as OTHER"
        )
    met = meet(ours.entries, theirs)
    counts = {
        "pictures": [len(ours.entries), len(theirs.entries)],
        "same_bytes": len(met.same_bytes),
        "same_look": len(met.same_look),
    }
    if as_json:
        show_json(counts)
        return
    show(
        f"Of {len(ours.entries)} pictures {counts['same_bytes']} are among the other's "
        f"{len(theirs.entries)} by their bytes, {counts['same_look']} more by "
        "their perceptual hash."
    )


def _write(found: Passport, content: dict[str, Any], out: Path) -> None:
    from agfer_bench.files import write_text
    from agfer_bench.report.passport import to_markdown
    from agfer_bench.text import visible, visible_json

    markdown = out.suffix == ".md"
    write_text(out, visible(to_markdown(found)) if markdown else visible_json(content) + "\n")


def _show(found: Passport) -> None:
    from rich.table import Table
    from rich.text import Text

    from agfer_bench.report.passport import class_rows, sentences

    drawn = " (drawn faces)" if found.drawn else ""
    table = Table(title=f"Passport of {found.name}{drawn}", title_justify="left")
    table.add_column("class")
    for column in ("images", "subjects"):
        table.add_column(column, justify="right")
    for row in class_rows(found):
        table.add_row(*map(Text, row))
    show(table)
    for line in sentences(found):
        show(line)
