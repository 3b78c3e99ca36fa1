"""Portraits anywhere below a folder, whose file names say who shows what."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from agfer_bench_databases.tree import (
    MISNAMED,
    TWICE,
    Notes,
    files_below,
    has_bytes,
    is_image,
)


def named_portraits(
    folder: Path,
    pattern: re.Pattern[str],
    notes: Notes,
    renamed: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[tuple[Path, re.Match[str]]]:
    """Find the images whose names, without suffix and in lower case, match a pattern.

    Names that do not match, empty files, other files and second copies are counted in `notes`.
    A copy is told by its name alone, suffix aside: a portrait that stands in two folders would
    be its own test.

    Args:
        folder: Where to look.
        pattern: What names are like.
        notes: Counts what is left out, and what is renamed.
        renamed: Names that are known to be wrong, and the right ones, both in small letters.
    """
    seen = set()
    for path in files_below(folder):
        if not is_image(path, folder, notes):
            continue
        stem = path.stem.lower()
        if stem in renamed:
            right = f"{path.name} as {renamed[stem].upper()}"
            notes.count("files known to be misnamed, read under their right names", right)
        match = pattern.fullmatch(renamed.get(stem, stem))
        if match is None:
            notes.count(MISNAMED, path.relative_to(folder).as_posix())
        elif not has_bytes(path, folder, notes):
            continue
        elif match[0] in seen:
            notes.count(TWICE, path.relative_to(folder).as_posix())
        else:
            seen.add(match[0])
            yield path, match
