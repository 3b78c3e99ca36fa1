"""FER2013: 48x48 grey faces from the web, as text in one table; unpacked once into the cache.

Layout: `fer2013.csv` with the columns `emotion,pixels,Usage`: 0 anger, 1 disgust, 2 fear,
3 happiness, 4 sadness, 5 surprise, 6 neutral; 2304 pixels from 0 to 255, row by row; `Training`,
`PublicTest` or `PrivateTest`. Persons are not known.

Source: Goodfellow et al. 2013, arXiv:1307.0414.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from agfer_bench import FaceImage, FaceTable, Place, UserError
from agfer_bench_databases.fer2013_unpack import Unpacked, unpacked
from agfer_bench_databases.tree import CROPPED_ALREADY, Notes, misfit, opened, within

NAMES = ("fer2013.csv", "icml_face_data.csv", "train.csv")
"""Names of the table: as first published, as Kaggle hands it out, and its training part alone."""

EXPECTED = f"{NAMES[0]} with the columns emotion,pixels,Usage"


def read_fer2013(
    place: Place, *, usage: Literal["all", "Training", "PublicTest", "PrivateTest"] = "all"
) -> FaceTable:
    """Unpack the table's images, or find them unpacked, and keep those of one use or of all.

    Args:
        place: The table, or a folder that holds it.
        usage: The part to keep.

    Raises:
        UserError: There is no such table, no row of it fits, it cannot be read, or the cache
            cannot be written.
    """
    notes = Notes()
    with opened(place, "fer2013", or_file=True) as folder:
        table = _find(folder)
        unpack = unpacked(table, place)
    images = tuple(
        FaceImage(path=unpack.root / one.name, emotion=one.emotion)
        for one in unpack.images
        if usage in ("all", one.usage)
    )
    if unpack.bad_rows:
        notes.count("rows that do not fit, left out", unpack.first_bad, unpack.bad_rows)
    if not unpack.has_usage:
        notes.say("the table has no column Usage: all its rows are taken as Training")
    if not images:
        raise UserError(_explain(table, usage, unpack))
    notes.say(CROPPED_ALREADY)
    return FaceTable(root=unpack.root, images=images, notes=notes.lines())


def _find(folder: Path) -> Path:
    if folder.is_file():
        return folder
    for name in NAMES:
        base = within(folder, name)
        if base is not None:
            return base / name
    advice = f"name the folder that holds {NAMES[0]}, or the file itself"
    raise UserError(misfit("FER2013", folder, EXPECTED, advice))


def _explain(table: Path, usage: str, unpack: Unpacked) -> str:
    if unpack.images:
        there = ", ".join(sorted({one.usage for one in unpack.images}))
        return f"{table} has no row with Usage {usage}: found {there}; set usage"
    odd = f"{unpack.bad_rows} rows that do not fit, {unpack.first_bad} first"
    found = odd if unpack.bad_rows else "no row below the first"
    return f"{table} holds no image: expected {EXPECTED}, found {found}; download it again"
