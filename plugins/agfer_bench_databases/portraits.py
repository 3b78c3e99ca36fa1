"""Portraits anywhere below a folder, whose file names say who shows what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from agfer_bench_databases.tree import (
    MISNAMED,
    TWICE,
    Notes,
    files_below,
    has_bytes,
    is_image,
)


def named_portraits(
    folder: Path, pattern: re.Pattern[str], notes: Notes
) -> Iterator[tuple[Path, re.Match[str]]]:
    """Find the images whose names, without suffix and in lower case, match a pattern.

    Names that do not match, empty files, other files and second copies are counted in `notes`.
    A copy is told by its name alone, suffix aside: a portrait that stands in two folders would
    be its own test.
    """
    seen = set()
    for path in files_below(folder):
        if not is_image(path, folder, notes):
            continue
        match = pattern.fullmatch(path.stem.lower())
        if match is None:
            notes.count(MISNAMED, path.relative_to(folder).as_posix())
        elif not has_bytes(path, folder, notes):
            continue
        elif match[0] in seen:
            notes.count(TWICE, path.relative_to(folder).as_posix())
        else:
            seen.add(match[0])
            yield path, match
