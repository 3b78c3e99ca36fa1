"""Which records lie in a folder: links are not followed, names are strangers'."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agfer_bench.records.files import RECORD
from agfer_bench.submissions.limits import Limits, one_line
from agfer_bench.submissions.model import Rejected

_JOBS = "jobs"


@dataclass(frozen=True, kw_only=True)
class Found:
    """A file that may be a record."""

    path: str
    """Its place below the folder that was looked through, with slashes; safe to print."""
    file: Path
    """The file itself."""


def find_records(root: Path, limits: Limits) -> Iterator[Found | Rejected]:
    """Yield every `record.json` below a folder, and what is not looked into, with the reason.

    Hidden folders and `jobs/` are passed over. The order is that of the names.
    """
    waiting: list[tuple[str, ...]] = [()]
    folders = records = 0
    while waiting:
        parts = waiting.pop()
        folders += 1
        if folders > limits.folders:
            yield Rejected(path=".", reason=f"more than {limits.folders:,} folders; no more read")
            return
        below: list[tuple[str, ...]] = []
        entries = _entries(root.joinpath(*parts), parts)
        if isinstance(entries, Rejected):
            yield entries
            continue
        for entry in entries:
            place = (*parts, entry.name)
            if entry.name == RECORD:
                records += 1
                if records > limits.records:
                    reason = f"more than {limits.records:,} records; no more read"
                    yield Rejected(path=".", reason=reason)
                    return
                yield _named(place, Path(entry.path), limits)
            elif _leads_on(entry):
                fault = _of_folder(entry, place, limits)
                if fault is None:
                    below.append(place)
                else:
                    yield fault
        waiting.extend(reversed(below))


def shown(parts: tuple[str, ...]) -> str:
    """Return a place below a folder, safe to print."""
    return one_line("/".join(parts) or ".")


def _entries(folder: Path, parts: tuple[str, ...]) -> list[os.DirEntry[str]] | Rejected:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        return Rejected(path=shown(parts), reason=f"cannot be looked into: {error.strerror}")


def _leads_on(entry: os.DirEntry[str]) -> bool:
    """Tell whether an entry is a folder, or a link to one, that may hold records."""
    try:
        return entry.name != _JOBS and not entry.name.startswith(".") and entry.is_dir()
    except OSError:
        return False


def _of_folder(entry: os.DirEntry[str], place: tuple[str, ...], limits: Limits) -> Rejected | None:
    if entry.is_symlink():
        return Rejected(path=shown(place), reason="is a link; links are not followed")
    if len(place) > limits.levels:
        reason = f"lies deeper than {limits.levels} folders"
        return Rejected(path=shown(place), reason=reason)
    return None


def _named(place: tuple[str, ...], file: Path, limits: Limits) -> Found | Rejected:
    """Refuse places that cannot be written into a page, or that mean something else in a link."""
    path = "/".join(place)
    if len(path) > limits.path:
        reason = f"its path has more than {limits.path:,} characters"
    elif not path.isprintable():
        reason = "its path holds control characters, or bytes that are no text"
    elif "\\" in path:
        reason = "its path holds a backslash, which some systems take for a slash"
    else:
        return Found(path=path, file=file)
    return Rejected(path=shown(place), reason=reason)
