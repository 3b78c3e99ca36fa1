"""A table of photographs to a cached set of crops.

A cache entry is a folder, ``<cache>/crops/<key>``: ``crops.u8`` (the pixels), ``table.parquet``,
``excluded.csv`` and ``meta.json``. It is written under another name and renamed when complete, so
an entry is either whole or absent, whatever is killed and whoever else builds it meanwhile.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import math
import os
import shutil
import time
import uuid
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, fields
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from agfer_bench.errors import UserError
from agfer_bench.faces.cascade import Cascades
from agfer_bench.faces.crops import Box, CropBoxes, NoCrop, cut, find_crop
from agfer_bench.faces.decode import Pixels, Unreadable, decode, opencv
from agfer_bench.specs import FaceImage, FaceTable

if TYPE_CHECKING:
    import pandas as pd

REASONS = ("unreadable", "truncated", "no face", "no eye", "no mouth", "degenerate")
"""Why a photograph may be left out."""

_FORMAT = 1
"""Version of the cache and of what `find_crop` finds: raise it when either changes."""
_ABANDONED = 3600.0
"""A half-written entry that nobody has touched for so many seconds is removed."""
_TEXT = ("name", "emotion", "subject", "sequence", "age_group", "sha256")
_COLUMNS = ("name", "emotion", "subject", "sequence", "frame", "age_group", "sha256")
_SIDES = ("x", "y", "width", "height")


@dataclass(frozen=True, kw_only=True)
class CropSettings:
    """How photographs become network inputs."""

    image_size: int
    """Side of the square crops in pixels."""
    method: Literal["viola-jones", "none"] = "viola-jones"
    """Cascade crops, or the whole image stretched (for faces that are cropped already)."""
    padding: float = 0.2
    """Border added before the search, in units of the longest side."""
    longest_side: int = 640
    """Pixels to which the longest side is shrunk for the search."""

    def __post_init__(self) -> None:
        if self.method not in ("viola-jones", "none"):
            raise UserError(f"crop method {self.method!r}: use viola-jones or none")
        if self.image_size < 1 or self.longest_side < 32 or not 0 <= self.padding <= 2:
            raise UserError(
                f"crop settings out of range: image_size {self.image_size} (at least 1), "
                f"longest_side {self.longest_side} (at least 32), padding {self.padding} (0 to 2)"
            )


@dataclass(frozen=True, kw_only=True)
class CropSet:
    """The crops of one data set, in the order of its table."""

    pixels: NDArray[np.uint8]
    """RGB of shape (N, S, S, 3); a read-only view of the cache file."""
    table: pd.DataFrame
    """One row per crop: name, emotion, subject, sequence, frame, age_group, sha256 of the file;
    and in pixels of the photograph face_x, face_y, face_width, face_height and the same for eye,
    pair, mouth and crop (method ``none``: crop only). What is unknown is NA."""
    excluded: pd.DataFrame
    """One row per photograph left out: name, emotion, reason (of `REASONS`), detail."""
    fingerprint: str
    """``sha256:`` over names, labels, file contents, exclusions, crop settings and cascades: the
    same on every machine for the same data."""
    pixels_sha256: str
    """``sha256:`` over the crops' bytes: differs where another decoder rounds otherwise."""


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    """What became of one photograph."""

    image: FaceImage
    """The photograph."""
    sha256: str | None = None
    """Of the file; None where it could not be read."""
    pixels: Pixels | None = None
    """The crop, (S, S, 3) RGB; None where it was left out."""
    boxes: dict[str, Box] | None = None
    """The named boxes in pixels of the photograph."""
    reason: str | None = None
    """Why it was left out."""
    detail: str = ""
    """One line on that."""


def prepare(
    table: FaceTable,
    settings: CropSettings,
    *,
    cascades_folder: Path | None,
    cache: Path,
    workers: int,
    progress: Callable[[str, int, int], None],
) -> CropSet:
    """Crop all photographs, or take the crops from the cache.

    Args:
        table: The photographs.
        settings: How to crop.
        cascades_folder: Where the user keeps other cascades; None for OpenCV's.
        cache: The folder of derived files; filled below ``crops/``.
        workers: Threads; the crops do not depend on it, memory grows with it and not with N.
        progress: Called with (what is being done, photographs done, of how many).

    Raises:
        UserError: The cascades are missing, the cache cannot be written, the disk is full, or no
            photograph remains.
    """
    cascades = Cascades.load(cascades_folder) if settings.method == "viola-jones" else None
    folder = cache / "crops" / _key(table, settings, cascades)
    ready = _open(folder, settings)
    if ready is not None:
        return ready
    try:
        with _draft(folder) as draft:
            outcomes = _in_order(table, settings, cascades, workers)
            with _single_threaded_opencv(), closing(outcomes):
                _write(draft, table, settings, cascades, outcomes, progress)
            _publish(draft, folder, settings)
    except OSError as error:
        raise _cannot_write(cache, error) from error
    ready = _open(folder, settings)
    if ready is None:
        raise UserError(f"the crop cache {folder} was changed while it was written: run again")
    return ready


def counts(crops: CropSet) -> pd.DataFrame:
    """Count photographs per emotion: before, after, and left out for each reason.

    Returns:
        Indexed by emotion, with a last row ``all``; columns photographs, kept, and one for each
        reason that occurs.
    """
    import pandas as pd

    kept = crops.table["emotion"].astype(str).value_counts()
    left_out = pd.crosstab(crops.excluded["emotion"], crops.excluded["reason"])
    emotions = sorted({*kept.index, *left_out.index})
    reasons = [reason for reason in REASONS if reason in left_out.columns]
    left_out = left_out.reindex(index=emotions, columns=reasons, fill_value=0)
    found = kept.reindex(emotions, fill_value=0)
    result = pd.DataFrame({"photographs": found + left_out.sum(axis=1), "kept": found})
    result = result.join(left_out)
    result.loc["all"] = result.sum()
    return result.astype(int).rename_axis(index="emotion", columns=None)


def _key(table: FaceTable, settings: CropSettings, cascades: Cascades | None) -> str:
    """Name of the cache entry: changes with anything that may change the crops."""
    payload = {
        "format": _FORMAT,
        "opencv": opencv().__version__,
        "settings": asdict(settings),
        "cascades": cascades and cascades.digest,
        "root": str(table.root.absolute()),
        "images": [[*_labels(table, image), _state(image.path)] for image in table.images],
    }
    return _sha256(payload)[:32]


def _sha256(payload: object) -> str:
    return hashlib.sha256(json.dumps(payload, sort_keys=True).encode()).hexdigest()


def _labels(table: FaceTable, image: FaceImage) -> list[str | int | None]:
    """What identifies an image and what it shows, in the order of the first columns."""
    return [
        table.name(image),
        image.emotion,
        image.subject,
        image.sequence,
        image.frame,
        image.age_group,
    ]


def _state(path: Path) -> tuple[int, int, bool] | None:
    """Size, time of change and readability of a file; None where there is none."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns, os.access(path, os.R_OK)


def _process(image: FaceImage, settings: CropSettings, cascades: Cascades | None) -> _Outcome:
    """Read and crop one photograph."""
    try:
        data = image.path.read_bytes()
    except OSError as error:
        detail = error.strerror or type(error).__name__
        return _Outcome(image=image, reason="unreadable", detail=detail)
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        rgb = decode(data)
        boxes = _boxes(rgb, settings, cascades)
    except (Unreadable, NoCrop) as error:
        return _Outcome(image=image, sha256=sha256, reason=error.reason, detail=error.detail)
    pixels = cut(rgb, boxes["crop"], settings.image_size)
    return _Outcome(image=image, sha256=sha256, pixels=pixels, boxes=boxes)


def _boxes(rgb: Pixels, settings: CropSettings, cascades: Cascades | None) -> dict[str, Box]:
    """The named boxes of one photograph."""
    if cascades is None:
        return {"crop": (0, 0, rgb.shape[1], rgb.shape[0])}
    found: CropBoxes = find_crop(
        rgb, cascades, padding=settings.padding, longest_side=settings.longest_side
    )
    return {part.name: getattr(found, part.name) for part in fields(found)}


def _in_order(
    table: FaceTable, settings: CropSettings, cascades: Cascades | None, workers: int
) -> Generator[_Outcome, None, None]:
    """Outcomes in the order of the table, a few ahead of the reader.

    OpenCV gives up Python's lock while it works, so threads use all cores.
    """
    workers = max(1, workers)
    images = iter(table.images)
    pool = ThreadPoolExecutor(workers)
    try:
        waiting: deque[Future[_Outcome]] = deque()
        while True:
            for image in islice(images, 2 * workers - len(waiting)):
                waiting.append(pool.submit(_process, image, settings, cascades))
            if not waiting:
                return
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _single_threaded_opencv() -> Iterator[None]:
    """Keep OpenCV from starting threads of its own below ours."""
    cv2 = opencv()
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _write(
    draft: Path,
    table: FaceTable,
    settings: CropSettings,
    cascades: Cascades | None,
    outcomes: Iterator[_Outcome],
    progress: Callable[[str, int, int], None],
) -> None:
    """Fill an entry; `meta.json` comes last."""
    import pandas as pd

    total, pixels_hash = len(table.images), hashlib.sha256()
    rows: list[dict[str, Any]] = []
    excluded: list[tuple[str, str, str, str]] = []
    contents: list[list[str | int | None]] = []
    progress("cropping faces", 0, total)
    with (draft / "crops.u8").open("wb") as file:
        for done, outcome in enumerate(outcomes, start=1):
            labels = _labels(table, outcome.image)
            contents.append([*labels, outcome.sha256, outcome.reason])
            if outcome.pixels is None or outcome.boxes is None:
                name, emotion = str(labels[0]), str(labels[1])
                excluded.append((name, emotion, str(outcome.reason), outcome.detail))
            else:
                crop = outcome.pixels.tobytes()
                file.write(crop)
                pixels_hash.update(crop)
                rows.append(_row([*labels, outcome.sha256], outcome.boxes))
            progress("cropping faces", done, total)
    left_out = pd.DataFrame(excluded, columns=["name", "emotion", "reason", "detail"], dtype=str)
    if not rows:
        raise _nothing_left(table, left_out["reason"].value_counts().to_dict())
    used = {"method": "none", "image_size": settings.image_size}
    content = {
        "images": sorted(contents, key=lambda row: str(row[0])),
        "settings": used if cascades is None else asdict(settings),
        "cascades": cascades and cascades.digest,
    }
    meta = {
        "format": _FORMAT,
        "crops": len(rows),
        "excluded": len(excluded),
        "fingerprint": f"sha256:{_sha256(content)}",
        "pixels_sha256": f"sha256:{pixels_hash.hexdigest()}",
        "settings": asdict(settings),
        "opencv": opencv().__version__,
    }
    # By way of memory: the errors of a full disk are then Python's own, with their number.
    parquet = io.BytesIO()
    pd.DataFrame(rows).astype(_types(rows)).to_parquet(parquet, index=False)
    (draft / "table.parquet").write_bytes(parquet.getvalue())
    (draft / "excluded.csv").write_text(left_out.to_csv(index=False), encoding="utf-8")
    (draft / "meta.json").write_text(json.dumps(meta, indent=1), encoding="utf-8")


def _row(labels: list[str | int | None], boxes: dict[str, Box]) -> dict[str, Any]:
    """One row of the table."""
    row: dict[str, Any] = dict(zip(_COLUMNS, labels, strict=True))
    for part, box in boxes.items():
        row |= {f"{part}_{side}": value for side, value in zip(_SIDES, box, strict=True)}
    return row


def _types(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Column types that are the same under every pandas and know NA where it may occur."""
    types = dict.fromkeys(rows[0], "int64")
    return types | dict.fromkeys(_TEXT, "string") | {"frame": "Int64"}


def _nothing_left(table: FaceTable, reasons: dict[Any, int]) -> UserError:
    """The error for a data set of which no photograph remains."""
    if not table.images:
        return UserError(f"{table.root} holds no labelled photograph")
    shown = ", ".join(f"{reason} {reasons[reason]}" for reason in REASONS if reason in reasons)
    return UserError(
        f"none of the {len(table.images)} photographs in {table.root} gave a crop ({shown}): "
        'where the images are cropped faces already, use the crop method "none"'
    )


@contextmanager
def _draft(folder: Path) -> Iterator[Path]:
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
        if time.time() - touched > _ABANDONED:
            shutil.rmtree(draft, ignore_errors=True)


def _publish(draft: Path, folder: Path, settings: CropSettings) -> None:
    """Move a complete draft into place; yield to another process that was faster."""
    if folder.exists() and _open(folder, settings) is None:
        damaged = folder.parent / f".draft-damaged-{uuid.uuid4().hex}"
        folder.replace(damaged)
        shutil.rmtree(damaged, ignore_errors=True)
    try:
        draft.replace(folder)
    except OSError:
        if _open(folder, settings) is None:
            raise


def _open(folder: Path, settings: CropSettings) -> CropSet | None:
    """Read an entry; None where it is absent or its sizes disagree."""
    import pandas as pd

    side, path = settings.image_size, folder / "crops.u8"
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        shape = (int(meta["crops"]), side, side, 3)
        table = pd.read_parquet(folder / "table.parquet")
        excluded = pd.read_csv(folder / "excluded.csv", dtype=str, keep_default_na=False)
        sizes = [path.stat().st_size, len(table), len(excluded), meta["format"]]
        if sizes != [math.prod(shape), shape[0], meta["excluded"], _FORMAT]:
            return None
        return CropSet(
            pixels=np.memmap(path, np.uint8, "r", shape=shape),
            table=table,
            excluded=excluded,
            fingerprint=meta["fingerprint"],
            pixels_sha256=meta["pixels_sha256"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _cannot_write(cache: Path, error: OSError) -> UserError:
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
