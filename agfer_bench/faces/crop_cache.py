"""The crop cache on disk: entries that are either whole or absent.

An entry is a folder, ``<cache>/crops/<key>``: ``crops.u8`` (the pixels), ``looks.u8`` (small grey
copies of the photographs), ``table.parquet``, ``excluded.csv``, ``files.json`` (what it was made
from) and ``meta.json``. It is written under another name and renamed when complete, so an entry is
either whole or absent, whatever is killed and whoever else builds it meanwhile.
"""

from __future__ import annotations

import errno
import json
import math
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from agfer_bench.errors import UserError
from agfer_bench.passport.hashes import SIDE
from agfer_bench.protocol import CASCADES, CROPS

if TYPE_CHECKING:
    import pandas as pd

REASONS = ("unreadable", "truncated", "uniform", "no face", "no eye", "no mouth", "degenerate")
"""Why a photograph may be left out."""

FORMAT = 3
"""Version of the cache and of what `find_crop` finds: raise it when either changes."""
ABANDONED = 3600.0
"""A half-written entry that nobody has touched for so many seconds is removed."""


@dataclass(frozen=True, kw_only=True)
class CropSettings:
    """How photographs become network inputs."""

    image_size: int
    """Side of the square crops in pixels."""
    method: str = CASCADES
    """As a protocol's `crop`: cascade crops, those of a detector, or ``none``: the whole image
    stretched (for faces that are cropped already)."""
    colour: Literal["rgb", "grey"] = "rgb"
    """Whether crops keep their colours, or become grey in three equal channels."""
    padding: float = 0.2
    """Border added before the search, in units of the longest side."""
    longest_side: int = 640
    """Pixels to which the longest side is shrunk for the search."""

    def __post_init__(self) -> None:
        if self.method not in CROPS and "@sha256:" not in self.method:
            raise UserError(f"crop method {self.method!r}: use viola-jones or none")
        if self.colour not in ("rgb", "grey"):
            raise UserError(f"colour {self.colour!r}: use rgb or grey")
        if self.image_size < 1 or self.longest_side < 32 or not 0 <= self.padding <= 2:
            raise UserError(
                f"crop settings out of range: image_size {self.image_size} (at least 1), "
                f"longest_side {self.longest_side} (at least 32), padding {self.padding} (0 to 2)"
            )

    def kept(self) -> dict[str, Any]:
        """Return what keys and fingerprints are made of; `rgb` is left out, as it came later."""
        return {name: value for name, value in asdict(self).items() if value != "rgb"}


@dataclass(frozen=True, kw_only=True)
class CropSet:
    """The crops of one data set, in the order of its table."""

    folder: Path
    """The cache entry that holds them, with `excluded.csv`."""
    pixels: NDArray[np.uint8]
    """RGB of shape (N, S, S, 3); a read-only view of the cache file."""
    looks: NDArray[np.uint8]
    """(N, 64, 64) grey copies of the whole photographs; a read-only view of the cache file."""
    table: pd.DataFrame
    """One row per crop: name, emotion, subject, sequence, frame, age_group, sex, take, sha256 of
    the file; and in pixels of the photograph face_x, face_y, face_width, face_height and the same
    for eye, pair, mouth and crop (method ``none``: crop only). What is unknown is NA. Then
    photograph_width, photograph_height, and of `faces.look.Look` contrast, sharpness, colour."""
    excluded: pd.DataFrame
    """One row per photograph left out: name, emotion, reason (of `REASONS`), detail."""
    fingerprint: str
    """``sha256:`` over names, labels, file contents, exclusions, crop settings and cascades: the
    same on every machine for the same data."""
    pixels_sha256: str
    """``sha256:`` over the crops' bytes: differs where another decoder rounds otherwise."""
    notes: tuple[str, ...] = ()
    """What was assumed about the files' values, with counts: shown to the user and recorded."""


@contextmanager
def draft_entry(folder: Path) -> Iterator[Path]:
    """A new folder beside the entry, gone afterwards whatever happens."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(folder.parent)
    draft = folder.parent / f".draft-{folder.name}-{uuid.uuid4().hex}"
    draft.mkdir()
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _remove_abandoned(parent: Path) -> None:
    """Remove what killed processes left.

    Judged by age alone: process numbers mean nothing across machines that share a cache.
    """
    for draft in parent.glob(".draft-*"):
        try:
            touched = max(path.stat().st_mtime for path in (draft, *draft.iterdir()))
        except OSError:
            continue  # Its owner has just renamed or removed it.
        if time.time() - touched > ABANDONED:
            shutil.rmtree(draft, ignore_errors=True)


def publish(draft: Path, folder: Path, settings: CropSettings) -> None:
    """Move a complete draft into place; yield to another process that was faster."""
    if folder.exists() and open_entry(folder, settings) is None:
        withdraw(folder)
    try:
        draft.replace(folder)
    except OSError:
        if open_entry(folder, settings) is None:
            raise


def withdraw(folder: Path) -> None:
    """Remove an entry that is damaged or out of date; who has it open keeps what it sees."""
    damaged = folder.parent / f".draft-damaged-{uuid.uuid4().hex}"
    with suppress(FileNotFoundError):  # another process has just done so
        folder.replace(damaged)
    shutil.rmtree(damaged, ignore_errors=True)


def open_entry(folder: Path, settings: CropSettings) -> CropSet | None:
    """Read an entry; None where it is absent or its sizes disagree."""
    import pandas as pd

    side, path, looks = settings.image_size, folder / "crops.u8", folder / "looks.u8"
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        shape = (int(meta["crops"]), side, side, 3)
        table = pd.read_parquet(folder / "table.parquet")
        excluded = pd.read_csv(folder / "excluded.csv", dtype=str, keep_default_na=False)
        sizes = [path.stat().st_size, looks.stat().st_size]
        sizes += [len(table), len(excluded), meta["format"]]
        small = (shape[0], SIDE, SIDE)
        if sizes != [math.prod(shape), math.prod(small), shape[0], meta["excluded"], FORMAT]:
            return None
        return CropSet(
            folder=folder,
            pixels=np.memmap(path, np.uint8, "r", shape=shape),
            looks=np.memmap(looks, np.uint8, "r", shape=small),
            table=table,
            excluded=excluded,
            fingerprint=meta["fingerprint"],
            pixels_sha256=meta["pixels_sha256"],
            notes=tuple(map(str, meta["notes"])),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def cannot_write(cache: Path, error: OSError) -> UserError:
    """The error for a cache folder that takes no more, or nothing at all."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UserError(
            f"the disk of the cache folder {cache} is full ({error.strerror}): free some space "
            "there or name another cache folder; nothing half-written was left"
        )
    return UserError(
        f"cannot write the cache folder {cache} ({error.strerror or error}): make it writable or "
        "name another one"
    )
