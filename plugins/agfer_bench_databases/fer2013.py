"""FER2013: 48x48 grey faces from the web, as text in one table; unpacked once into the cache.

Layout, as first published: `fer2013.csv` with the columns `emotion,pixels,Usage`: 0 anger,
1 disgust, 2 fear, 3 happiness, 4 sadness, 5 surprise, 6 neutral; 2304 pixels from 0 to 255, row by
row; `Training`, `PublicTest` or `PrivateTest`. As Kaggle also hands it out: `train/angry/*.jpg` and
`test/angry/*.jpg`, with both test parts in `test/`. Persons are not known.

FER+ labels the same images anew by ten votes each: `fer2013new.csv`, row by row beside
`fer2013.csv`. An image's label is the one with more than half of the votes, once single votes are
taken away; that is the authors' rule for "majority".

Source: Goodfellow et al. 2013, arXiv:1307.0414; FER+: Barsoum et al. 2016, arXiv:1608.01041, and
https://github.com/microsoft/FERPlus.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from agfer_bench import FaceImage, FaceTable, Place, UserError
from agfer_bench_databases.fer2013_unpack import EMOTIONS, Unpacked, unpacked
from agfer_bench_databases.fer_plus import voted
from agfer_bench_databases.parts import Classes, classed_images, divided
from agfer_bench_databases.tree import CROPPED_ALREADY, Notes, misfit, opened, within

NAMES = ("fer2013.csv", "icml_face_data.csv", "train.csv")
"""Names of the table: as first published, as Kaggle hands it out, and its training part alone."""

EXPECTED = (
    f"{NAMES[0]} with the columns emotion,pixels,Usage, or train/angry/*.jpg and so on beside test/"
)

VOTES = "fer2013new.csv"
"""Name of FER+'s table."""

_PARTS = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}

CLASSES = Classes(numbers={str(number): name for number, name in enumerate(EMOTIONS)})


def read_fer2013(
    place: Place,
    *,
    usage: Literal["all", "Training", "PublicTest", "PrivateTest"] = "all",
    votes: Literal["none", "majority"] = "none",
) -> FaceTable:
    """Unpack the table's images, or find them unpacked, and keep those of one use or of all.

    Args:
        place: The table, a folder that holds it, or one with `train/` and `test/`.
        usage: The part to keep. In folders, `Training` is `train/` and `PrivateTest` is `test/`.
        votes: `none` takes the table's own labels, `majority` those of most votes in FER+'s table
            beside it; images without a majority, unknown ones and those without a face are then
            left out.

    Raises:
        UserError: There is no such table, no row of it fits, FER+'s table is missing or is of
            other images, something cannot be read, or the cache cannot be written.
    """
    notes = Notes()
    with opened(place, "fer2013", or_file=True) as folder:
        table = _find(folder)
        if table is None:
            return _read_folders(folder, usage, votes, notes)
        unpack = unpacked(table, place)
        cast = table.parent / VOTES
        found = dict.fromkeys((one.name for one in unpack.images), "")
        if votes == "majority":
            found = voted(cast, unpack, notes)
        elif cast.is_file():
            notes.say(f"{VOTES} lies beside the table: votes=majority takes its votes")
    images = tuple(
        FaceImage(
            path=unpack.root / one.name,
            emotion=found[one.name] or one.emotion,
            part=_PARTS[one.usage],
        )
        for one in unpack.images
        if usage in ("all", one.usage) and one.name in found
    )
    if unpack.bad_rows:
        notes.count("rows that do not fit, left out", unpack.first_bad, unpack.bad_rows)
    if not unpack.has_usage:
        notes.say("the table has no column Usage: all its rows are taken as Training")
    if not images:
        raise UserError(_explain(table, usage, unpack))
    notes.say(CROPPED_ALREADY)
    return FaceTable(root=unpack.root, images=images, notes=notes.lines())


def _find(folder: Path) -> Path | None:
    """Return the table; None where the images lie in folders of parts.

    Raises:
        UserError: There is neither.
    """
    if folder.is_file():
        return folder
    for name in NAMES:
        base = within(folder, name)
        if base is not None:
            return base / name
    if divided(folder) is not None:
        return None
    advice = f"name the folder that holds {NAMES[0]}, or the file itself"
    raise UserError(misfit("FER2013", folder, EXPECTED, advice))


def _read_folders(folder: Path, usage: str, votes: str, notes: Notes) -> FaceTable:
    """Read `train/<emotion>/` and `test/<emotion>/`."""
    if votes == "majority":
        raise UserError(
            f"votes=majority goes by the rows of {NAMES[0]}, and {folder} has folders of images; "
            f"name the folder that holds {NAMES[0]} and {VOTES}"
        )
    root = divided(folder)
    assert root is not None, "the caller has found it"
    wanted = None if usage == "all" else _PARTS[usage]
    images = tuple(classed_images(root, CLASSES, notes, parts=lambda part: wanted in (None, part)))
    if not images:
        advice = f"name the folder that holds {NAMES[0]}, or train and test"
        raise UserError(misfit("FER2013", folder, EXPECTED, advice, notes))
    notes.say(CROPPED_ALREADY)
    return FaceTable(root=root, images=images, notes=notes.lines())


def _explain(table: Path, usage: str, unpack: Unpacked) -> str:
    if unpack.images:
        there = ", ".join(sorted({one.usage for one in unpack.images}))
        return f"{table} has no row with Usage {usage}: found {there}; set usage"
    odd = f"{unpack.bad_rows} rows that do not fit, {unpack.first_bad} first"
    found = odd if unpack.bad_rows else "no row below the first"
    return f"{table} holds no image: expected {EXPECTED}, found {found}; download it again"
