"""Whether files still hold what was read from them, without reading them all again.

Size and time of change do not tell: a picture that is restored with `cp -p` or `rsync -a` may have
those of the one before. The number of the file and the time at which the system last touched it
do, and also change where nothing else does (a copy, a `chmod`); so where they differ, the contents
are hashed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from agfer_bench.errors import UserError
from agfer_bench.files import write_text

FILES = "files.json"
"""Name of the list in a cache entry."""

Stat = os.stat_result | None


def stat_of(path: Path) -> Stat:
    """Ask the system about a file; None where there is none."""
    try:
        return path.stat()
    except OSError:
        return None


def touched(stat: Stat) -> list[int] | None:
    """What changes with every change of a file, and sometimes without."""
    return None if stat is None else [stat.st_ctime_ns, stat.st_ino]


def keep_states(
    folder: Path, stats: Sequence[Stat], hashes: Sequence[str | None], pixels: str
) -> None:
    """Write down what an entry was made from.

    Args:
        folder: The entry.
        stats: The photographs, asked before they were read.
        hashes: SHA-256 of what was read of each; None where nothing could be.
        pixels: ``sha256:`` of the entry's crops.
    """
    files = [[touched(stat), sha] for stat, sha in zip(stats, hashes, strict=True)]
    crops = [touched(stat_of(folder / "crops.u8")), pixels]
    (folder / FILES).write_text(json.dumps({"crops": crops, "files": files}), encoding="utf-8")


def are_current(folder: Path, paths: Sequence[Path], stats: Sequence[Stat], workers: int) -> bool:
    """Tell whether photographs and crops are those that an entry was written with.

    Args:
        folder: The entry.
        paths: The photographs, in the order in which they were kept.
        stats: What the system says of them now.
        workers: Threads that hash files in doubt.
    """
    try:
        kept = json.loads((folder / FILES).read_text(encoding="utf-8"))
        files = [(was, sha) for was, sha in kept["files"]]
        crops, pixels = kept["crops"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    if len(files) != len(paths):
        return False
    now = [touched(stat) for stat in stats]
    doubtful = [place for place, (was, _) in enumerate(files) if was is None or was != now[place]]
    with ThreadPoolExecutor(max(1, workers)) as pool:
        hashes = pool.map(_sha256, [paths[place] for place in doubtful])
        if any(sha != files[place][1] for place, sha in zip(doubtful, hashes, strict=True)):
            return False
    crops_now = touched(stat_of(folder / "crops.u8"))
    if crops != crops_now and f"sha256:{_sha256(folder / 'crops.u8')}" != pixels:
        return False
    if crops != crops_now or any(stats[place] is not None for place in doubtful):
        _renew(folder, {"crops": [crops_now, pixels], "files": _pairs(now, files)})
    return True


def _pairs(now: list[Any], files: list[Any]) -> list[list[Any]]:
    return [[state, sha] for state, (_, sha) in zip(now, files, strict=True)]


def _renew(folder: Path, kept: dict[str, Any]) -> None:
    """Spare the next reader the doubt; a cache that cannot be written is none the worse."""
    with suppress(UserError):
        write_text(folder / FILES, json.dumps(kept))


def _sha256(path: Path) -> str | None:
    if not path.is_file():  # a pipe has no end
        return None
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
