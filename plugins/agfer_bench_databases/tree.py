"""What the readers share: the user's folder, listings in one order, and counts of what is odd."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from agfer_bench import DRAWN_MARKER, Place, UserError

IMAGE_SUFFIXES = frozenset(
    {".avif", ".bmp", ".dib", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm"}
    | {".pjp", ".pjpeg", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"}
)

UNREAD_SUFFIXES = frozenset(
    {".arw", ".cr2", ".cr3", ".dng", ".heic", ".heif", ".hif", ".jxl", ".nef", ".orf", ".psd"}
    | {".raf", ".rw2"}
)
"""Of images that OpenCV does not decode: phones' and cameras' own formats."""

CROPPED_ALREADY = "the images are cropped faces already: --set crop=none takes them as they are"

_FROM_SYSTEMS = frozenset(
    {"$recycle.bin", "__macosx", "desktop.ini", "ehthumbs.db", "ehthumbs_vista.db", "icon\r"}
    | {"lost+found", "picasa.ini", "recycler", "system volume information", "thumbs.db"}
    # Synology, QNAP and other network storage: thumbnails, bins, snapshots
    | {"#recycle", "#snapshot", "@eadir", "@recently-snapshot", "@recycle", "@tmp"}
    | {"network trash folder", "temporary items"}
)
"""What operating systems leave in folders, besides names that start with a dot: small copies of
pictures, and pictures that were deleted."""


def is_clutter(name: str) -> bool:
    """Tell whether a file or folder is none of the data set's: hidden, a system's, or a marker.

    >>> [is_clutter(name) for name in ("._000.jpeg", "@eaDir", "Thumbs.db", "000.jpeg")]
    [True, True, True, False]
    """
    return name.startswith(".") or name.lower() in _FROM_SYSTEMS or name == DRAWN_MARKER


@contextmanager
def opened(place: Place, name: str, *, or_file: bool = False) -> Iterator[Path]:
    """Give the user's folder to a reader, and turn what the system refuses into a UserError.

    Args:
        place: Where the user says that the data set is.
        name: The data set's name, as users type it.
        or_file: Whether a file will do in place of a folder.

    Raises:
        UserError: No folder is named, there is none, or something in it cannot be read.
    """
    folder = place.folder
    if folder is None:
        raise UserError(f"{name} needs a folder: --data {name}=FOLDER")
    try:
        if not (folder.is_dir() or (or_file and folder.is_file())):
            raise UserError(f"no such folder: {folder}")
        yield folder
    except OSError as error:
        where = error.filename or folder
        raise UserError(f"cannot read {where}: {error.strerror or error}") from None


def entries(folder: Path) -> list[Path]:
    """List a folder, sorted by name, without clutter."""
    return sorted(path for path in folder.iterdir() if not is_clutter(path.name))


def folders_in(folder: Path) -> list[Path]:
    """List the folders in a folder, sorted by name, without clutter."""
    return [path for path in entries(folder) if path.is_dir()]


def files_below(folder: Path) -> list[Path]:
    """List all files below a folder, sorted, without clutter; links to folders are not followed.

    Raises:
        OSError: A folder cannot be listed: to go on would lose its images without a word.
    """

    def refuse(error: OSError) -> None:
        raise error

    files: list[Path] = []
    for parent, folders, names in os.walk(folder, onerror=refuse, followlinks=False):
        folders[:] = [name for name in folders if not is_clutter(name)]
        files.extend(Path(parent, name) for name in names if not is_clutter(name))
    return sorted(files)


def within(folder: Path, below: str) -> Path | None:
    """Find the folder that holds `below`: the user's folder, or the only one in it that does."""
    if (folder / below).exists():
        return folder
    holding = [child for child in folders_in(folder) if (child / below).exists()]
    return holding[0] if len(holding) == 1 else None


def some(names: Iterable[object], most: int = 3) -> str:
    """Name the first few of many things in one line.

    >>> some(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    texts = [str(name) for name in names]
    rest = len(texts) - most
    return ", ".join(texts[:most]) + (f" and {rest} more" if rest > 0 else "")


def shown(text: str) -> str:
    """Write a name from a file so that it keeps to its line.

    >>> len(shown("a" + chr(10)).splitlines())
    1
    """
    return text if text.isprintable() else ascii(text)


def content(folder: Path) -> str:
    """Say what a folder holds, for an error about its layout."""
    if not folder.is_dir():
        return f"the file {folder.name}"
    return some(path.name for path in entries(folder)) or "nothing"


def misfit(name: str, folder: Path, expected: str, advice: str, notes: Notes | None = None) -> str:
    """Write the error about a folder in which nothing fits."""
    odd = "; ".join(notes.lines()) if notes is not None else ""
    found = content(folder) + (f" ({odd})" if odd else "")
    return f"{folder} is not laid out as {name}: expected {expected}, found {found}; {advice}"


class Notes:
    """Collects what a reader leaves out or finds odd: each kind once, counted, with an example."""

    def __init__(self) -> None:
        self._examples: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def count(self, kind: str, example: object, number: int = 1) -> None:
        """Count one more of a kind; the first example of a kind is the one that is named."""
        self._examples.setdefault(kind, str(example))
        self._counts[kind] = self._counts.get(kind, 0) + number

    def say(self, line: str) -> None:
        """Add a line that counts nothing."""
        self._examples.setdefault(line, "")

    def lines(self) -> tuple[str, ...]:
        """All notes, in the order in which their kinds first turned up."""
        return tuple(
            f"{kind}: {self._counts[kind]}, first {example}" if kind in self._counts else kind
            for kind, example in self._examples.items()
        )


NO_IMAGE = "files that are no images"
UNREAD = "images that OpenCV does not decode (convert them to PNG or JPEG), left out"
EMPTY = "files of zero bytes, left out"
NO_TARGET = "links to no file, left out"
MISNAMED = "images whose names do not fit, left out"
TWICE = "images that stand twice, the first kept"


def is_image(path: Path, root: Path, notes: Notes) -> bool:
    """Tell images from other files by their suffix; count the others."""
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return True
    notes.count(
        UNREAD if suffix in UNREAD_SUFFIXES else NO_IMAGE, path.relative_to(root).as_posix()
    )
    return False


def has_bytes(path: Path, root: Path, notes: Notes) -> bool:
    """Tell whether a file is there and holds anything; count it if not."""
    if not path.exists():
        notes.count(NO_TARGET, path.relative_to(root).as_posix())
        return False
    if path.stat().st_size > 0:
        return True
    notes.count(EMPTY, path.relative_to(root).as_posix())
    return False
