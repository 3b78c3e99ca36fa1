"""A table of photographs to a cached set of crops.

Parallel over threads: OpenCV lets go of Python's lock while it decodes and detects.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
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
    withdraw,
)
from agfer_bench.faces.decode import opencv
from agfer_bench.faces.detector import Detector
from agfer_bench.faces.file_states import Stat, are_current, keep_states, stat_of
from agfer_bench.faces.photograph import CropResult, crop_photograph
from agfer_bench.plugin.specs import FaceImage, FaceTable
from agfer_bench.protocol import CASCADES, is_detector, told_crop

if TYPE_CHECKING:
    import pandas as pd

Finder = Cascades | Detector | None
"""What finds faces; None takes images whole."""

_LABELS = ("emotion", "subject", "sequence", "frame", "age_group", "sex", "take")
_COLUMNS = ("name", *_LABELS, "sha256")
_TEXT = tuple(name for name in _COLUMNS if name != "frame")
_NO_PICTURES = frozenset({"unreadable", "truncated", "uniform"})
"""Reasons that no other way of cropping helps against."""
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
    detector: Detector | None = None,
) -> CropSet:
    """Crop all photographs, or take the crops from the cache.

    Args:
        table: The photographs.
        settings: How to crop.
        cascades_folder: Where the user keeps other cascades; None for OpenCV's.
        cache: The folder of derived files; filled below ``crops/``.
        workers: Threads; the crops do not depend on it, memory grows with it and not with N.
        progress: Called with (what is being done, photographs done, of how many).
        detector: The detector that the settings name, where they name one.

    Raises:
        PluginError: The detector's plugin failed.
        UserError: The cascades are missing, the settings name another detector, the cache cannot
            be written, the disk is full, or no photograph remains.
    """
    finder = find_finder(settings.method, cascades_folder, detector)
    stats = [stat_of(image.path) for image in table.images]
    folder = cache / "crops" / _key(table, stats, settings, finder)
    ready = open_entry(folder, settings)
    try:
        if ready is not None:
            if are_current(folder, [image.path for image in table.images], stats, workers):
                return ready
            withdraw(folder)
        with draft_entry(folder) as draft:
            outcomes = _in_order(table, settings, finder, workers)
            with _single_threaded_opencv(), closing(outcomes):
                _write(draft, table, stats, settings, finder, outcomes, progress)
            publish(draft, folder, settings)
    except OSError as error:
        raise cannot_write(cache, error) from error
    ready = open_entry(folder, settings)
    if ready is None:
        raise UserError(f"the crop cache {folder} was changed while it was written: run again")
    return ready


def find_finder(method: str, folder: Path | None, detector: Detector | None) -> Finder:
    """Return what finds the faces that a protocol's `crop` asks for.

    Args:
        method: The protocol's `crop`.
        folder: Where the user keeps other cascades; None for OpenCV's.
        detector: The detector that the user named.

    Raises:
        UserError: The cascades are missing, or the protocol names another detector.
    """
    if is_detector(method):
        if detector is None or detector.crop != method:
            raise UserError(
                f"the protocol's crops are those of the detector {told_crop(method)}: give it "
                "with --detector"
            )
        return detector
    return Cascades.load(folder) if method == CASCADES else None


def counts(crops: CropSet, copies: Iterable[int] = ()) -> pd.DataFrame:
    """Count photographs per emotion: before, after, and left out for each reason.

    Args:
        crops: The crops, and what gave none.
        copies: Indices of crops that are left out as copies of others; none where only cropping
            counts.

    Returns:
        Indexed by emotion, with a last row ``all``; columns photographs, kept, one for each
        reason that occurs, and copies where there are any.
    """
    import pandas as pd

    shown = crops.table["emotion"].astype(str)
    cropped = shown.value_counts()
    left_out = pd.crosstab(crops.excluded["emotion"], crops.excluded["reason"])
    emotions = sorted({*cropped.index, *left_out.index})
    reasons = [reason for reason in REASONS if reason in left_out.columns]
    left_out = left_out.reindex(index=emotions, columns=reasons, fill_value=0)
    found = cropped.reindex(emotions, fill_value=0)
    dropped = shown.iloc[list(copies)].value_counts().reindex(emotions, fill_value=0)
    result = pd.DataFrame({"photographs": found + left_out.sum(axis=1), "kept": found - dropped})
    result = result.join(left_out)
    if dropped.any():
        result["copies"] = dropped
    result.loc["all"] = result.sum()
    return result.astype(int).rename_axis(index="emotion", columns=None)


def _key(table: FaceTable, stats: list[Stat], settings: CropSettings, finder: Finder) -> str:
    """Name of the cache entry: changes with anything that may change the crops.

    But for a file that is replaced by another of its size and time, which `are_current` finds.
    """
    payload = {
        "format": FORMAT,
        "opencv": opencv().__version__,
        "settings": settings.kept(),
        **_identity(finder),
        "root": str(table.root.absolute()),
        "images": [
            [*_labels(table, image), _state(image.path, stat)]
            for image, stat in zip(table.images, stats, strict=True)
        ],
    }
    return _sha256(payload)[:32]


def _identity(finder: Finder) -> dict[str, Any]:
    """What crops depend on of that which finds faces."""
    if isinstance(finder, Detector):
        return {"detector": finder.key}
    return {"cascades": finder and finder.digest}


def _sha256(payload: object) -> str:
    return hashlib.sha256(json.dumps(payload, sort_keys=True).encode()).hexdigest()


def _labels(table: FaceTable, image: FaceImage) -> list[str | int | None]:
    """What identifies an image and what it shows, in the order of the first columns."""
    return [table.name(image), *(getattr(image, name) for name in _LABELS)]


def _state(path: Path, stat: Stat) -> tuple[int, int, bool] | None:
    """Size, time of change and readability of a file; None where there is none."""
    if stat is None:
        return None
    return stat.st_size, stat.st_mtime_ns, os.access(path, os.R_OK)


def _in_order(
    table: FaceTable, settings: CropSettings, finder: Finder, workers: int
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
                waiting.append(pool.submit(crop_photograph, image, settings, finder))
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
    stats: list[Stat],
    settings: CropSettings,
    finder: Finder,
    outcomes: Iterator[CropResult],
    progress: Callable[[str, int, int], None],
) -> None:
    """Fill an entry; `meta.json` comes last."""
    import pandas as pd

    total, pixels_hash = len(table.images), hashlib.sha256()
    rows: list[dict[str, Any]] = []
    excluded: list[tuple[str, str, str, str]] = []
    contents: list[list[str | int | None]] = []
    hashes: list[str | None] = []
    remarks: dict[str, list[str]] = {}
    progress("cropping faces", 0, total)
    with (draft / "crops.u8").open("wb") as file, (draft / "looks.u8").open("wb") as looks:
        for done, outcome in enumerate(outcomes, start=1):
            labels = _labels(table, outcome.image)
            contents.append([*labels, outcome.sha256, outcome.reason])
            hashes.append(outcome.sha256)
            if outcome.remark is not None:
                remarks.setdefault(outcome.remark, []).append(str(labels[0]))
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
    used = settings.kept()
    del used["padding"], used["longest_side"]  # nothing is searched for
    content = {
        "images": sorted(contents, key=lambda row: str(row[0])),
        "settings": used if finder is None else settings.kept(),
        "cascades": finder.digest if isinstance(finder, Cascades) else None,
    }
    meta = {
        "format": FORMAT,
        "crops": len(rows),
        "excluded": len(excluded),
        "fingerprint": f"sha256:{_sha256(content)}",
        "pixels_sha256": f"sha256:{pixels_hash.hexdigest()}",
        "settings": settings.kept(),
        "opencv": opencv().__version__,
        "notes": [
            f"{remark}: {len(names)}, first {names[0]}" for remark, names in sorted(remarks.items())
        ],
    }
    # By way of memory: the errors of a full disk are then Python's own, with their number.
    parquet = io.BytesIO()
    pd.DataFrame(rows).astype(_types(rows)).to_parquet(parquet, index=False)
    (draft / "table.parquet").write_bytes(parquet.getvalue())
    (draft / "excluded.csv").write_text(left_out.to_csv(index=False), encoding="utf-8")
    keep_states(draft, stats, hashes, str(meta["pixels_sha256"]))
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
    start = f"none of the {len(table.images)} photographs in {table.root} gave a crop ({shown}): "
    if reasons.keys() <= _NO_PICTURES:
        return UserError(start + "look at one of them, or fetch the data set again")
    return UserError(
        start + 'where the images are cropped faces already, use the crop method "none"'
    )
