"""A folder of images, one subfolder an emotion, after the Hugging Face ImageFolder convention.

Where a `metadata.csv` stands in the folder, it names the images (`file_name`, relative to the
folder) and may give `emotion`, `subject`, `sequence`, `frame`, `age_group`, `sex` and `take` for
each.
"""

from __future__ import annotations

import csv
import os
import posixpath
from pathlib import Path

from agfer_bench import EMOTIONS, FaceImage, FaceTable, Place, UserError

METADATA = "metadata.csv"

IMAGE_SUFFIXES = frozenset(
    {".bmp", ".gif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pgm", ".png", ".pnm", ".ppm"}
    | {".tif", ".tiff", ".webp"}
)

ALIASES = {
    "afraid": "fear",
    "angry": "anger",
    "contemptuous": "contempt",
    "disgusted": "disgust",
    "fearful": "fear",
    "happy": "happiness",
    "sad": "sadness",
    "scared": "fear",
    "surprised": "surprise",
}
"""Other names of the emotions, as folders of known data sets have them."""


def read_image_folder(place: Place) -> FaceTable:
    """Read `<folder>/<emotion>/<image>`, or the images that `metadata.csv` names.

    Raises:
        UserError: The folder is missing, empty or not readable, a subfolder or a row names no
            known emotion, or metadata.csv cannot be read.
    """
    folder = place.folder
    if folder is None:
        raise UserError("image-folder needs a folder: --data image-folder=FOLDER")
    try:
        if not folder.is_dir():
            raise UserError(f"no such folder: {folder}")
        metadata = folder / METADATA
        table = _read_metadata(metadata) if metadata.is_file() else _read_folders(folder)
    except OSError as error:
        raise UserError(f"cannot read {error.filename or folder}: {error.strerror}") from None
    if not table.images:
        found = "; ".join(table.notes) or "it is empty"
        raise UserError(f"{folder} holds no image as <emotion>/<image>: {found}")
    return table


def canonical_emotion(name: str) -> str | None:
    """Return the name in EMOTIONS that a folder's or a row's name stands for, or None.

    >>> canonical_emotion("Happy")
    'happiness'
    """
    lower = name.strip().lower()
    lower = ALIASES.get(lower, lower)
    return lower if lower in EMOTIONS else None


def _unknown(name: str, where: str) -> UserError:
    return UserError(
        f"{where}: {name!r} is no known emotion; rename it to one of {', '.join(EMOTIONS)}, "
        "or take it out"
    )


def _read_folders(folder: Path) -> FaceTable:
    images: list[FaceImage] = []
    notes = []
    for child in sorted(folder.iterdir()):
        if not child.is_dir() or child.name.startswith((".", "__")):
            continue
        emotion = canonical_emotion(child.name)
        if emotion is None:
            raise _unknown(child.name, f"folder {folder}")
        paths, ignored = _images_below(child)
        images.extend(FaceImage(path=path, emotion=emotion) for path in paths)
        if ignored:
            notes.append(f"{child.name}: {ignored} files are no images")
        if not paths:
            notes.append(f"{child.name}: no image")
    return FaceTable(root=folder, images=tuple(images), notes=tuple(notes))


def _images_below(folder: Path) -> tuple[list[Path], int]:
    def refuse(error: OSError) -> None:
        raise error

    files = sorted(
        Path(parent, name)
        for parent, _, names in os.walk(folder, onerror=refuse)
        for name in names
        if not name.startswith(".")
    )
    images = [path for path in files if path.suffix.lower() in IMAGE_SUFFIXES]
    return images, len(files) - len(images)


def _read_metadata(metadata: Path) -> FaceTable:
    folder = metadata.parent
    images: dict[str, FaceImage] = {}
    missing = []
    for line, row in enumerate(_rows(metadata), start=2):
        where = f"{metadata}, line {line}"
        name = (row.get("file_name") or "").strip()
        if not name:
            raise UserError(f"{where}: file_name is empty")
        name = posixpath.normpath(name)
        if name in images:
            raise UserError(f"{where}: {name} stands twice")
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise UserError(f"{where}: {name} lies outside the folder")
        if not path.is_file():
            missing.append(name)
            continue
        images[name] = _image(row, path, where)
    notes = []
    if missing:
        notes.append(f"{len(missing)} files that {METADATA} names are missing, first {missing[0]}")
    extra = len(_images_below(folder)[0]) - len(images)
    if extra > 0:
        notes.append(f"{extra} images that {METADATA} does not name are left out")
    ordered = tuple(images[name] for name in sorted(images))
    return FaceTable(root=folder, images=ordered, notes=tuple(notes))


def _rows(metadata: Path) -> list[dict[str, str | None]]:
    try:
        with metadata.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            if "file_name" not in (reader.fieldnames or ()):
                raise UserError(f"{metadata} has no column file_name in its first line")
            return list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{metadata} is not a CSV file in UTF-8: {error}") from None


def _image(row: dict[str, str | None], path: Path, where: str) -> FaceImage:
    def cell(name: str) -> str | None:
        return (row.get(name) or "").strip() or None

    name = cell("emotion") or path.parent.name
    emotion = canonical_emotion(name)
    if emotion is None:
        raise _unknown(name, where)
    frame = cell("frame")
    if frame is not None and not frame.isdigit():
        raise UserError(f"{where}: frame {frame!r} is not a whole number")
    return FaceImage(
        path=path,
        emotion=emotion,
        subject=cell("subject"),
        sequence=cell("sequence"),
        frame=int(frame) if frame is not None else None,
        age_group=cell("age_group"),
        sex=cell("sex"),
        take=cell("take"),
    )
