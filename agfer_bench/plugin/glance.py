"""A look at a folder without reading it: what readers judge a layout by.

Nothing here opens an image, and a folder of a million files is not listed to its end.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

MOST_FILES = 1000
"""Most entries of one folder that are listed."""
MOST_FOLDERS = 500
"""Most folders that are looked into."""
_FIRST_LINE = 4096
"""Most bytes of a table's first line that are read."""
_TABLES = frozenset({".csv", ".tsv", ".txt", ".lst"})


@dataclass(frozen=True, kw_only=True)
class Glance:
    """What a folder looks like. Names are relative to it, with forward slashes, sorted."""

    folder: Path
    """The folder, or a single file."""
    files: tuple[str, ...] = ()
    """Files that were seen, hidden ones left out."""
    folders: tuple[str, ...] = ()
    """Folders that were seen, likewise."""
    whole: bool = True
    """Whether nothing is left out: False for a large folder, of which a part was listed."""
    first_lines: Mapping[str, str] = field(default_factory=dict)
    """The first line of each table (csv, tsv, txt, lst) in the folder or in a folder of it."""

    @property
    def suffixes(self) -> Mapping[str, int]:
        """Files that were seen, per suffix in small letters, most frequent first."""
        found = Counter(PurePosixPath(name).suffix.lower() for name in self.files)
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    def children(self, below: str = "") -> tuple[str, ...]:
        """Return the names of the folders right in the folder, or in one below it."""
        prefix = f"{below}/" if below else ""
        return tuple(
            name.removeprefix(prefix)
            for name in self.folders
            if name.startswith(prefix) and "/" not in name.removeprefix(prefix)
        )

    def columns(self, table: str) -> tuple[str, ...]:
        """Return the columns that a table's first line names, in small letters."""
        line = self.first_lines.get(table, "")
        sign = "\t" if "\t" in line else ","
        return tuple(text.strip().strip('"').lower() for text in line.split(sign) if text.strip())


@dataclass(frozen=True, kw_only=True)
class Fit:
    """How well a folder fits the layout that a reader expects."""

    share: float
    """From 0, not at all, to 1: the reader takes the folder."""
    why: str
    """What speaks for it, and where `share` is below 1, what is missing: one clause."""
    below: str = ""
    """The folder below the one looked at that the reader takes; empty for that one itself."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Options of the reader that go with this layout."""


def glance(folder: Path) -> Glance:
    """Look at a folder: top first, each folder up to `MOST_FILES` entries.

    Raises:
        OSError: The folder itself cannot be listed. Folders below that cannot are left out.
    """
    if folder.is_file():
        line = {folder.name: _first_line(folder)} if folder.suffix.lower() in _TABLES else {}
        return Glance(folder=folder, files=(folder.name,), first_lines=line)
    files: list[str] = []
    folders: list[str] = []
    whole = True
    waiting = deque([""])
    looked = 0
    while waiting:
        if looked == MOST_FOLDERS:
            whole = False
            break
        here = waiting.popleft()
        try:
            names, subfolders, all_of_it = _list(folder / here)
        except OSError:
            if not here:
                raise
            whole = False
            continue
        looked += 1
        whole = whole and all_of_it
        prefix = f"{here}/" if here else ""
        files += [prefix + name for name in names]
        folders += [prefix + name for name in subfolders]
        waiting.extend(prefix + name for name in subfolders)
    tables = [name for name in files if _is_near_table(name)]
    return Glance(
        folder=folder,
        files=tuple(sorted(files)),
        folders=tuple(sorted(folders)),
        whole=whole,
        first_lines={name: _first_line(folder / name) for name in sorted(tables)[:MOST_FILES]},
    )


def _list(folder: Path) -> tuple[list[str], list[str], bool]:
    """Return files, folders, and whether these are all. Links to folders are not followed."""
    names: list[str] = []
    subfolders: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name == "__MACOSX":
                continue
            if len(names) + len(subfolders) == MOST_FILES:
                return sorted(names), sorted(subfolders), False
            (subfolders if entry.is_dir(follow_symlinks=False) else names).append(entry.name)
    return sorted(names), sorted(subfolders), True


def _is_near_table(name: str) -> bool:
    return name.count("/") < 2 and PurePosixPath(name).suffix.lower() in _TABLES


def _first_line(path: Path) -> str:
    """Return the first line of a table; empty where it cannot be read."""
    try:
        with path.open("rb") as file:
            line = file.readline(_FIRST_LINE)
    except OSError:
        return ""
    return line.decode("utf-8-sig", errors="replace").strip()
