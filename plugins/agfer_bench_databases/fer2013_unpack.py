"""FER2013's table to image files: whole or not at all, found again by the table's content.

The files are binary PGM, which needs no image library: a header, then a byte for each pixel.
"""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agfer_bench import Place, UserError

SIDE = 48
"""Rows and columns of an image, in pixels."""

COLUMNS = ("emotion", "pixels", "Usage")
"""In any letters; a table without `Usage`, such as Kaggle's `train.csv`, is all `Training`."""

EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
"""In the order of the table's numbers."""

_USAGES = ("Training", "PublicTest", "PrivateTest")
_INDEX = "index.json"
_HEADER = f"P5\n{SIDE} {SIDE}\n255\n".encode()
_RULES = b"2"
"""Version of what is read from a table: raise it when that changes."""
_STEP = 500
"""Rows between two reports of progress."""


@dataclass(frozen=True, kw_only=True)
class Unpacked:
    """The images of one table, as files."""

    root: Path
    """The folder that holds them."""
    images: tuple[Image, ...]
    """In the order of the table's rows."""
    bad_rows: int
    """Rows that hold no image."""
    first_bad: str
    """The line of the first such row, and what is wrong with it; empty where all fit."""
    has_usage: bool
    """Whether the table says what each row is for."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """One image."""

    name: str
    """Relative to the folder: `Training/00002.pgm`, after the table's line."""
    emotion: str
    """The emotion's name."""
    usage: str
    """`Training`, `PublicTest` or `PrivateTest`."""


class _BadRow(Exception):
    """A row that holds no image; says why in a few words."""


def unpacked(table: Path, place: Place) -> Unpacked:
    """Unpack a table, or find it unpacked.

    Raises:
        UserError: It is no such table, or the cache cannot be written.
        OSError: The table cannot be read.
    """
    digest, lines = _digest(table)
    root = place.cache / "fer2013" / digest
    found = _load(root)
    if found is not None:
        return found
    with table.open(encoding="utf-8-sig", newline="") as file:
        try:
            rows = csv.reader(file)
            places = _columns(table, next(rows, []))
            _unpack(rows, places, root, place, lines)
        except (UnicodeDecodeError, csv.Error) as error:
            raise UserError(f"{table} is not a CSV file in UTF-8: {error}") from None
    found = _load(root)
    if found is None:
        raise UserError(f"{root} lost files while it was written; run again")
    return found


def _digest(table: Path) -> tuple[str, int]:
    """Hash a table's content and count its lines."""
    digest, lines = hashlib.sha256(_RULES), 0
    with table.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
            lines += block.count(b"\n")
    return digest.hexdigest()[:16], lines


def _load(root: Path) -> Unpacked | None:
    """Read what was unpacked earlier; None where nothing was, or a file is gone or changed."""
    try:
        written = (root / _INDEX).stat().st_mtime_ns
        index = json.loads((root / _INDEX).read_text(encoding="utf-8"))
        images = tuple(
            Image(name=name, emotion=emotion, usage=usage)
            for name, emotion, usage in index["images"]
        )
        bad_rows, first_bad = index["bad_rows"], index["first_bad"]
        has_usage = index["has_usage"]
        # The index is written last: what is newer was changed by somebody.
        stats = [(root / image.name).stat() for image in images]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    size = len(_HEADER) + SIDE * SIDE
    if any(stat.st_size != size or stat.st_mtime_ns > written for stat in stats):
        return None
    return Unpacked(
        root=root, images=images, bad_rows=bad_rows, first_bad=first_bad, has_usage=has_usage
    )


def _columns(table: Path, header: list[str]) -> tuple[int, ...]:
    """Return the places of the columns that there are; one release has spaces around their names.

    `Usage` may be missing.
    """
    names = [name.strip().lower() for name in header]
    found = ",".join(name.strip() for name in header)[:60] or "nothing"
    if "pixels" in names and "emotion" not in names:
        raise UserError(
            f"{table} has no column emotion (found {found}): nothing tells what its images show; "
            "name fer2013.csv, or Kaggle's train.csv"
        )
    if not {"emotion", "pixels"} <= set(names):
        raise UserError(
            f"{table} is no table of FER2013: expected a first line with the columns "
            f"{','.join(COLUMNS)}, found {found}; name the file fer2013.csv"
        )
    return tuple(names.index(name) for name in map(str.lower, COLUMNS) if name in names)


def _unpack(
    rows: Iterator[list[str]], places: tuple[int, ...], root: Path, place: Place, lines: int
) -> None:
    """Write into a sibling folder and rename it, so that a folder of this name is always whole."""
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{root.name}-", dir=root.parent))
        try:
            _write(rows, places, draft, place, lines)
            if _load(root) is None:  # else another process was faster, and may be reading it
                shutil.rmtree(root, ignore_errors=True)  # someone tidied up in it
            _rename(draft, root)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        why = error.strerror or error
        raise UserError(f"cannot write FER2013's images under {root.parent}: {why}") from None


def _rename(draft: Path, root: Path) -> None:
    try:
        draft.replace(root)
    except OSError as error:
        # Another process was faster; it unpacked the same content.
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise


def _write(
    rows: Iterator[list[str]], places: tuple[int, ...], draft: Path, place: Place, lines: int
) -> None:
    for usage in _USAGES:
        (draft / usage).mkdir()
    images, bad_rows, first_bad = [], 0, ""
    for line, row in enumerate(rows, start=2):
        if not row:  # a blank line
            continue
        if line % _STEP == 0:
            place.progress("unpacking fer2013", line, max(line, lines))
        try:
            emotion, pixels, usage = _parse(row, places)
        except _BadRow as fault:
            bad_rows += 1
            first_bad = first_bad or f"line {line}: {fault}"
            continue
        name = f"{usage}/{line:05d}.pgm"
        (draft / name).write_bytes(_HEADER + pixels)
        images.append((name, emotion, usage))
    index = {
        "images": images,
        "bad_rows": bad_rows,
        "first_bad": first_bad,
        "has_usage": len(places) == len(COLUMNS),
    }
    (draft / _INDEX).write_text(json.dumps(index), encoding="utf-8")
    place.progress("unpacking fer2013", max(1, lines), max(1, lines))


def _parse(row: list[str], places: tuple[int, ...]) -> tuple[str, bytes, str]:
    """Return (emotion, pixels, usage) of a row.

    Raises:
        _BadRow: The row holds no image.
    """
    if len(row) <= max(places):
        raise _BadRow("too few columns")
    emotion, pixels, *rest = (row[place].strip() for place in places)
    if emotion not in map(str, range(len(EMOTIONS))):
        raise _BadRow(f"emotion {emotion[:20]!r}")
    usage = next((one for one in _USAGES if not rest or one.lower() == rest[0].lower()), None)
    if usage is None:
        raise _BadRow(f"Usage {rest[0][:20]!r}")
    try:
        grey = bytes(map(int, pixels.split()))
    except ValueError:
        raise _BadRow("a pixel is no number from 0 to 255") from None
    if len(grey) != SIDE * SIDE:
        raise _BadRow(f"{len(grey)} pixels")
    return EMOTIONS[int(emotion)], grey, usage
