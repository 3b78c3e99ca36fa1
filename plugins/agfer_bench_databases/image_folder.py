"""A folder of images, one subfolder an emotion, after the Hugging Face ImageFolder convention.

Such folders may lie in folders of parts, `train`, `validation` (or `val`) and `test`.

Where a `metadata.csv` stands in the folder, it names the images (`file_name`, relative to the
folder) and may give `emotion`, `subject`, `sequence`, `frame`, `age_group`, `sex` and `take` for
each.
"""

from __future__ import annotations

import csv
import posixpath
from pathlib import Path

from agfer_bench import EMOTIONS, FaceImage, FaceTable, Place, UserError
from agfer_bench_databases.emotions import canonical_emotion
from agfer_bench_databases.parts import NAMES_ALONE, classed_images, part_folders
from agfer_bench_databases.tree import IMAGE_SUFFIXES, Notes, files_below, folders_in, opened

METADATA = "metadata.csv"


def read_image_folder(place: Place) -> FaceTable:
    """Read `<folder>/<emotion>/<image>`, or the images that `metadata.csv` names.

    Raises:
        UserError: The folder is missing, empty or not readable, a subfolder or a row names no
            known emotion, or metadata.csv cannot be read.
    """
    with opened(place, "image-folder") as folder:
        metadata = folder / METADATA
        table = _read_metadata(metadata) if metadata.is_file() else _read_folders(folder)
    if not table.images:
        found = "; ".join(table.notes) or "it is empty"
        raise UserError(f"{folder} holds no image as <emotion>/<image>: {found}")
    return table


def _unknown(name: str, where: str) -> UserError:
    return UserError(
        f"{where}: {name!r} is no known emotion; rename it to one of {', '.join(EMOTIONS)}, "
        "or take it out"
    )


def _read_folders(folder: Path) -> FaceTable:
    named = any(canonical_emotion(child.name) for child in folders_in(folder))
    if not named and part_folders(folder):
        return _read_parts(folder)
    images: list[FaceImage] = []
    notes = []
    for child in folders_in(folder):
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


def _read_parts(folder: Path) -> FaceTable:
    """Read `<part>/<emotion>/<image>`: train, val or validation, and test."""
    notes = Notes()
    images = tuple(classed_images(folder, NAMES_ALONE, notes))
    return FaceTable(root=folder, images=images, notes=notes.lines())


def _images_below(folder: Path) -> tuple[list[Path], int]:
    files = files_below(folder)
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
