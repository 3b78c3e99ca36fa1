"""A table of photographs to a cached set of crops.

Parallel over threads: OpenCV lets go of Python's lock while it decodes and detects.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agfer_bench.errors import UserError
from agfer_bench.faces.cascade import Cascades
from agfer_bench.faces.crop_cache import (
    FORMAT,
    REASONS,
    CropSet,
    CropSettings,
    cannot_write,
    draft_entry,
    open_entry,
    publish,
)
from agfer_bench.faces.decode import opencv
from agfer_bench.faces.photograph import CropResult, crop_photograph
from agfer_bench.plugin.specs import FaceImage, FaceTable

if TYPE_CHECKING:
    import pandas as pd

_LABELS = ("emotion", "subject", "sequence", "frame", "age_group", "sex", "take")
_COLUMNS = ("name", *_LABELS, "sha256")
_TEXT = tuple(name for name in _COLUMNS if name != "frame")
_MEASURES = {"contrast": "float64", "sharpness": "float64", "colour": "bool"}
_SIDES = ("x", "y", "width", "height")


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
    ready = open_entry(folder, settings)
    if ready is not None:
        return ready
    try:
        with draft_entry(folder) as draft:
            outcomes = _in_order(table, settings, cascades, workers)
            with _single_threaded_opencv(), closing(outcomes):
                _write(draft, table, settings, cascades, outcomes, progress)
            publish(draft, folder, settings)
    except OSError as error:
        raise cannot_write(cache, error) from error
    ready = open_entry(folder, settings)
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
        "format": FORMAT,
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
    return [table.name(image), *(getattr(image, name) for name in _LABELS)]


def _state(path: Path) -> tuple[int, int, bool] | None:
    """Size, time of change and readability of a file; None where there is none."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns, os.access(path, os.R_OK)


def _in_order(
    table: FaceTable, settings: CropSettings, cascades: Cascades | None, workers: int
) -> Generator[CropResult, None, None]:
    """Outcomes in the order of the table, a few ahead of the reader.

    OpenCV gives up Python's lock while it works, so threads use all cores.
    """
    workers = max(1, workers)
    images = iter(table.images)
    pool = ThreadPoolExecutor(workers)
    try:
        waiting: deque[Future[CropResult]] = deque()
        while True:
            for image in islice(images, 2 * workers - len(waiting)):
                waiting.append(pool.submit(crop_photograph, image, settings, cascades))
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
    outcomes: Iterator[CropResult],
    progress: Callable[[str, int, int], None],
) -> None:
    """Fill an entry; `meta.json` comes last."""
    import pandas as pd

    total, pixels_hash = len(table.images), hashlib.sha256()
    rows: list[dict[str, Any]] = []
    excluded: list[tuple[str, str, str, str]] = []
    contents: list[list[str | int | None]] = []
    progress("cropping faces", 0, total)
    with (draft / "crops.u8").open("wb") as file, (draft / "looks.u8").open("wb") as looks:
        for done, outcome in enumerate(outcomes, start=1):
            labels = _labels(table, outcome.image)
            contents.append([*labels, outcome.sha256, outcome.reason])
            if outcome.pixels is None or outcome.boxes is None or outcome.look is None:
                name, emotion = str(labels[0]), str(labels[1])
                excluded.append((name, emotion, str(outcome.reason), outcome.detail))
            else:
                crop = outcome.pixels.tobytes()
                file.write(crop)
                pixels_hash.update(crop)
                looks.write(outcome.look.grey.tobytes())
                rows.append(_row([*labels, outcome.sha256], outcome))
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
        "format": FORMAT,
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


def _row(labels: list[str | int | None], outcome: CropResult) -> dict[str, Any]:
    """One row of the table."""
    row: dict[str, Any] = dict(zip(_COLUMNS, labels, strict=True))
    for part, box in (outcome.boxes or {}).items():
        row |= {f"{part}_{side}": value for side, value in zip(_SIDES, box, strict=True)}
    if outcome.size is not None and outcome.look is not None:
        row |= dict(zip(("photograph_width", "photograph_height"), outcome.size, strict=True))
        row |= {name: getattr(outcome.look, name) for name in _MEASURES}
    return row


def _types(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Column types that are the same under every pandas and know NA where it may occur."""
    types = dict.fromkeys(rows[0], "int64")
    return types | dict.fromkeys(_TEXT, "string") | {"frame": "Int64"} | _MEASURES


def _nothing_left(table: FaceTable, reasons: dict[Any, int]) -> UserError:
    """The error for a data set of which no photograph remains."""
    if not table.images:
        return UserError(f"{table.root} holds no labelled photograph")
    shown = ", ".join(f"{reason} {reasons[reason]}" for reason in REASONS if reason in reasons)
    return UserError(
        f"none of the {len(table.images)} photographs in {table.root} gave a crop ({shown}): "
        'where the images are cropped faces already, use the crop method "none"'
    )
