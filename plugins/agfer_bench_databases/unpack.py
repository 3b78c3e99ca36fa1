"""Images that come inside other files, written out once into the cache: whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agfer_bench import Place, UserError

_INDEX = "index.json"


@dataclass(frozen=True, kw_only=True)
class Written:
    """One image that was written out."""

    name: str
    """Relative to the folder, with forward slashes."""
    emotion: str
    """The emotion's name."""
    part: str | None = None
    """`train`, `validation`, `test` or None."""
    subject: str | None = None
    """Who is shown, where that is known."""


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a folder in the cache holds."""

    root: Path
    """The folder."""
    images: tuple[Written, ...]
    """In the order in which they came."""
    notes: tuple[str, ...]
    """What was left out, with counts."""


Fill = Callable[[Path], tuple[Iterable[Written], Callable[[], tuple[str, ...]]]]
"""Writes images into a folder as its iterable is read, and says afterwards what was left out."""


def digest_of(files: Iterable[Path], *more: str) -> str:
    """Hash the content of files, and whatever else the outcome depends on."""
    digest = hashlib.sha256(json.dumps(more).encode())
    for file in files:
        own = hashlib.sha256()
        with file.open("rb") as opened:
            while block := opened.read(1 << 20):
                own.update(block)
        digest.update(own.digest())
    return digest.hexdigest()[:16]


def unpack_once(place: Place, name: str, key: str, fill: Fill) -> Contents:
    """Write images into the cache, or find them there.

    Args:
        place: Names the cache.
        name: Name of the data set: images lie in `<cache>/<name>/<key>`.
        key: Changes with whatever the images depend on (`digest_of`).
        fill: Writes them.

    Raises:
        UserError: The cache cannot be written.
    """
    root = place.cache / name / key
    found = _load(root)
    if found is not None:
        return found
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{key}-", dir=root.parent))
    except OSError as error:
        raise _cannot_write(root, error) from None
    try:
        images, notes = fill(draft)
        index: dict[str, Any] = {"images": [asdict(one) for one in images], "notes": notes()}
        try:
            (draft / _INDEX).write_text(json.dumps(index), encoding="utf-8")
            if _load(root) is None:  # else another process was faster, and may be reading it
                shutil.rmtree(root, ignore_errors=True)  # someone tidied up in it
            _rename(draft, root)
        except OSError as error:
            raise _cannot_write(root, error) from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    found = _load(root)
    if found is None:
        raise UserError(f"{root} lost files while it was written; run again")
    return found


def put(folder: Path, name: str, data: bytes) -> None:
    """Write one image's file.

    Raises:
        UserError: The cache cannot be written.
    """
    path = folder / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise _cannot_write(folder, error) from None


def _cannot_write(root: Path, error: OSError) -> UserError:
    return UserError(f"cannot write images under {root.parent}: {error.strerror or error}")


def _load(root: Path) -> Contents | None:
    """Read what was written earlier; None where nothing was, or where files are gone."""
    try:
        index = json.loads((root / _INDEX).read_text(encoding="utf-8"))
        images = tuple(Written(**one) for one in index["images"])
        notes = tuple(index["notes"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not all((root / image.name).is_file() for image in images):
        return None
    return Contents(root=root, images=images, notes=notes)


def _rename(draft: Path, root: Path) -> None:
    try:
        draft.replace(root)
    except OSError as error:
        # Another process was faster; it unpacked the same content.
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
