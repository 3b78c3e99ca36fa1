"""Files in the layout of MedMNIST: arrays of small pictures and their classes in one .npz.

`train_images`, `val_images` and `test_images` are (N, H, W) or (N, H, W, 3) bytes, `train_labels`
and so on (N, 1) or (N,) whole numbers. Yang et al. 2023, doi:10.1038/s41597-022-01721-8.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agfer_bench import FaceTable, Place, UserError
from agfer_bench_pictures.files import Unpacking

PARTS = {"train": "train", "val": "validation", "test": "test"}
"""Parts by the names that arrays begin with."""
EXPECTED = "train_images (N, H, W) or (N, H, W, 3) of bytes beside train_labels (N, 1), and so on"


def medmnist(place: Place, part: str) -> FaceTable:
    """Unpack a file into the cache, or find it there, and keep one part or all.

    Raises:
        UserError: There is no such file, it has another layout, or the cache cannot be written.
    """
    file = place.folder
    if file is None:
        raise UserError("npz needs a file: --data npz=FILE")
    if not file.is_file():
        raise UserError(f"no such file: {file}; npz=FILE names a file that ends in .npz")
    try:
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()[:16]
        table = Unpacking(place, "npz", digest).table(_parts(file))
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror or error}") from None
    images = [
        replace(one, part=PARTS[name])
        for one in table.images
        if part in ("all", name := one.path.parent.parent.name)
    ]
    if not images:
        there = sorted({one.path.parent.parent.name for one in table.images})
        raise UserError(f"{file} holds no picture of part={part}: found {', '.join(there)}")
    return FaceTable(
        root=table.root, images=tuple(images), notes=table.notes, classes=table.classes
    )


def _parts(file: Path) -> Iterator[tuple[str, NDArray[np.uint8], NDArray[np.int64]]]:
    """Yield the parts that the file has, checked.

    Raises:
        UserError: It has another layout.
    """
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
            names = list(getattr(arrays, "files", ()))
            there = [part for part in PARTS if f"{part}_images" in names]
            if not there:
                found = ", ".join(names[:6]) or "no array"
                raise UserError(
                    f"{file} is not laid out as MedMNIST: expected {EXPECTED}, found {found}"
                )
            for part in there:
                if f"{part}_labels" not in names:
                    raise UserError(f"{file} has {part}_images and no {part}_labels")
                pictures = _pictures(file, f"{part}_images", arrays[f"{part}_images"])
                yield (
                    part,
                    pictures,
                    _classes(file, f"{part}_labels", arrays[f"{part}_labels"], len(pictures)),
                )
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile, AttributeError, TypeError) as error:
        # Without NumPy's own words, which advise to unpickle a stranger's file.
        raise UserError(f"{file} is no .npz of plain arrays; download it again") from error


def _pictures(file: Path, name: str, array: NDArray[np.generic]) -> NDArray[np.uint8]:
    fits = array.ndim == 3 or (array.ndim == 4 and array.shape[3] == 3)
    if array.dtype != np.uint8 or not fits or 0 in array.shape:
        raise UserError(
            f"{file}: {name} is {array.dtype} of shape {array.shape}; expected bytes (uint8) of "
            "shape (N, H, W) or (N, H, W, 3)"
        )
    pictures: NDArray[np.uint8] = array.view(np.uint8)
    return pictures


def _classes(file: Path, name: str, array: NDArray[np.generic], pictures: int) -> NDArray[np.int64]:
    flat = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    if flat.ndim != 1 or not np.issubdtype(flat.dtype, np.integer):
        raise UserError(
            f"{file}: {name} is {array.dtype} of shape {array.shape}; expected one whole number "
            "for each picture (sets with several labels a picture cannot be used)"
        )
    if len(flat) != pictures:
        raise UserError(f"{file}: {name} has {len(flat)} labels for {pictures} pictures")
    classes = flat.astype(np.int64)
    if classes.min(initial=0) < 0:
        raise UserError(f"{file}: {name} holds {classes.min()}; classes are counted from 0")
    return classes
