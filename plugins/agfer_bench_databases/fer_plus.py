"""FER+: ten votes for each image of FER2013, and the label that most of them give.

Layout: `fer2013new.csv` with the columns `Usage,Image name,neutral,happiness,surprise,sadness,
anger,disgust,fear,contempt,unknown,NF`, row by row as `fer2013.csv`; NF: not a face.

Source: Barsoum et al. 2016, arXiv:1608.01041; https://github.com/microsoft/FERPlus.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from agfer_bench import UserError
from agfer_bench_databases.fer2013_unpack import Unpacked
from agfer_bench_databases.tree import Notes

EMOTIONS = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
)
_OTHERS = ("unknown", "nf")
COLUMNS = ("usage", *EMOTIONS, *_OTHERS)
"""The columns that are read, in small letters."""

NONE = "images without a majority of votes, left out"
UNKNOWN = "images that most votes call unknown, left out"
NO_FACE = "images that most votes call no face, left out"


def majority(votes: Sequence[int]) -> int | None:
    """Return the place of what has more than half of the votes, once single votes are gone.

    >>> majority([6, 2, 1, 1])
    0
    >>> majority([4, 4, 2]) is None
    True
    """
    kept = [vote if vote > 1 else 0 for vote in votes]
    most = max(kept)
    return kept.index(most) if 2 * most > sum(kept) else None


def voted(table: Path, unpacked: Unpacked, notes: Notes) -> dict[str, str]:
    """Return the emotion that most votes give to each image, by its name.

    Args:
        table: FER+'s table.
        unpacked: The images of FER2013's table.
        notes: Counts the images that get no label.

    Raises:
        UserError: The table is missing, no such table, or of other images.
        OSError: It cannot be read.
    """
    if not table.is_file():
        raise UserError(
            f"votes=majority needs {table.name} beside the table: {table} is missing; it is to be "
            "had from https://github.com/microsoft/FERPlus"
        )
    rows = _rows(table)
    usages = {one.name: one.usage for one in unpacked.images}
    found: dict[str, str] = {}
    for name, usage in usages.items():
        line = int(Path(name).stem)
        if line not in rows:
            raise UserError(f"{table} has no line {line}: it is of another table of FER2013")
        of, votes = rows[line]
        if of.lower() != usage.lower():
            raise UserError(
                f"{table}, line {line}: Usage {of!r}, and in FER2013's table {usage!r}: the rows "
                "of the two do not belong together; download both again"
            )
        place = majority(votes)
        if place is None:
            notes.count(NONE, name)
        elif place < len(EMOTIONS):
            found[name] = EMOTIONS[place]
        else:
            notes.count(UNKNOWN if place == len(EMOTIONS) else NO_FACE, name)
    notes.say(
        "labels by FER+: more than half of the votes, single votes taken away "
        f"({len(found)} of {len(usages)} images)"
    )
    return found


def _rows(table: Path) -> Mapping[int, tuple[str, tuple[int, ...]]]:
    """Return Usage and votes of each row, by the line that the same row of FER2013 has."""
    with table.open(encoding="utf-8-sig", newline="") as file:
        try:
            rows = csv.reader(file)
            names = [name.strip().lower() for name in next(rows, [])]
            if not set(COLUMNS) <= set(names):
                raise UserError(
                    f"{table} is no table of FER+: expected a first line with the columns "
                    f"{','.join(COLUMNS)}, found {','.join(names)[:60] or 'nothing'}"
                )
            places = [names.index(name) for name in COLUMNS]
            found = {}
            for line, row in enumerate(rows, start=2):
                if not row:
                    continue
                try:
                    usage, *votes = (row[place].strip() for place in places)
                    found[line] = usage, tuple(map(int, votes))
                except (IndexError, ValueError):
                    raise UserError(f"{table}, line {line}: the votes are no numbers") from None
        except (UnicodeDecodeError, csv.Error) as error:
            raise UserError(f"{table} is not a CSV file in UTF-8: {error}") from None
    return found
