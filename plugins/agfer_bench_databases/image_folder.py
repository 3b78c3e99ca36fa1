"""A folder of images, one subfolder an emotion, after the Hugging Face ImageFolder convention.

Such folders may lie in folders of parts, `train`, `validation` (or `val`) and `test`. With labels
of any kind, folders are classes, whatever their names.

Where a `metadata.csv` or `metadata.jsonl` stands in the folder, it names the images (`file_name`,
relative to the folder) and may give `emotion`, `subject`, `sequence`, `frame`, `age_group`, `sex`
and `take` for each.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agfer_bench import EMOTIONS, FaceImage, FaceTable, Place, UserError
from agfer_bench_databases.emotions import canonical_emotion
from agfer_bench_databases.metadata import NAMES, Pictures, Row, find_metadata, read_rows
from agfer_bench_databases.parts import (
    NAMES_ALONE,
    Classes,
    classed_images,
    part_folders,
    part_of,
)
from agfer_bench_databases.tree import (
    IMAGE_SUFFIXES,
    UNREAD,
    UNREAD_SUFFIXES,
    Notes,
    entries,
    files_below,
    folders_in,
    is_clutter,
    opened,
    shown,
    some,
)

_FRAME = re.compile(r"[0-9]{1,9}")


def read_image_folder(
    place: Place, *, labels: Literal["emotions", "any"] = "emotions"
) -> FaceTable:
    """Read `<folder>/<emotion>/<image>`, or the images that `metadata.csv` names.

    Args:
        place: The folder.
        labels: Whether classes are emotions, or anything: pictures of other things than faces.

    Raises:
        UserError: The folder is missing, empty or not readable, a subfolder or a row names no
            known emotion, or metadata.csv cannot be read.
    """
    notes = Notes()
    with opened(place, "image-folder") as folder:
        metadata = find_metadata(folder, notes)
        if metadata is None:
            images = _read_folders(folder, _CLASSES[labels], notes)
        else:
            images = _read_metadata(metadata, _CLASSES[labels], notes)
    if not images:
        found = "; ".join(notes.lines()) or "it is empty"
        raise UserError(f"{folder} holds no image as <emotion>/<image>: {found}")
    classes = None
    if labels == "any":
        classes = tuple(sorted({image.emotion for image in images}, key=_by_number))
    return FaceTable(root=folder, images=images, notes=notes.lines(), classes=classes)


@dataclass(frozen=True, kw_only=True)
class _AnyClasses(Classes):
    """Classes by whatever names they have."""

    def emotion(self, name: str) -> str:
        return name.strip()


_CLASSES = {"emotions": NAMES_ALONE, "any": _AnyClasses(numbers={})}


def _class(classes: Classes, name: str) -> str:
    """Return the class of that name.

    Raises:
        KeyError: There is none.
    """
    found = classes.emotion(name)
    if found is None:
        raise KeyError(name)
    return found


def _by_number(name: str) -> tuple[int, str]:
    """Sort names that are numbers as numbers, before others."""
    return (int(name), "") if name.isdecimal() else (10**9, name)


def _unknown(name: str, where: str) -> UserError:
    return UserError(
        f"{where}: {name!r} is no known emotion; rename it to one of {', '.join(EMOTIONS)}, "
        "or take it out; --labels any tells other classes apart"
    )


def _read_folders(folder: Path, classes: Classes, notes: Notes) -> tuple[FaceImage, ...]:
    images: list[FaceImage] = []
    children = folders_in(folder)
    if not any(canonical_emotion(child.name) for child in children):
        if part_folders(folder):
            return tuple(classed_images(folder, classes, notes))
        if classes is NAMES_ALONE:
            _refuse(folder, children)
    loose = [path for path in entries(folder) if path.is_file() and _is_picture(path)]
    if loose:
        notes.count("images in the folder itself, left out", loose[0].name, len(loose))
    for child in children:
        try:
            emotion = _class(classes, child.name)
        except KeyError:
            raise _unknown(child.name, f"folder {folder}") from None
        paths = _images_below(child, notes)
        images.extend(FaceImage(path=path, emotion=emotion) for path in paths)
        if not paths:
            notes.say(f"{child.name}: no image")
    return tuple(images)


def _refuse(folder: Path, children: list[Path]) -> None:
    """Say how a folder without a folder for each emotion can be read, where that is known."""
    loose = [path for path in entries(folder) if path.is_file() and _is_picture(path)]
    if loose and not children:
        raise UserError(
            f"{folder} holds {len(loose)} images itself, first {shown(loose[0].name)}, and nothing "
            "tells their emotions: move them into a folder for each emotion, or name them in "
            f"{NAMES[0]} with the columns file_name,emotion"
        )
    inner = [child for child in children if any(map(_tells, folders_in(child)))]
    if len(inner) == 1:
        raise UserError(
            f"{folder} is not the folder of the emotions: name {inner[0]}, which has "
            f"{some(child.name for child in folders_in(inner[0]))}"
        )
    if children and all(child.name.isdecimal() for child in children):
        raise UserError(
            f"{folder} has numbers for emotions ({some(child.name for child in children)}), which "
            "mean other emotions in each data set; rename them to "
            f"{', '.join(EMOTIONS)}, or read the whole data set with its own reader (`agfer-bench "
            "data list`)"
        )


def _tells(child: Path) -> bool:
    return bool(canonical_emotion(child.name) or part_of(child.name))


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES | UNREAD_SUFFIXES


def _images_below(folder: Path, notes: Notes) -> list[Path]:
    """Return the images in an emotion's folder; note what else there is."""
    files = files_below(folder)
    images = [path for path in files if path.suffix.lower() in IMAGE_SUFFIXES]
    unread = [path for path in files if path.suffix.lower() in UNREAD_SUFFIXES]
    others = len(files) - len(images) - len(unread)
    if others:
        notes.say(f"{folder.name}: {others} files are no images")
    if unread:
        notes.count(UNREAD, unread[0].relative_to(folder.parent).as_posix(), len(unread))
    linked = _linked_folders(folder)
    if linked:
        first = linked[0].relative_to(folder.parent).as_posix()
        notes.count("linked folders, not followed; copy them to read them", first, len(linked))
    return images


def _linked_folders(folder: Path) -> list[Path]:
    """List the links to folders below a folder, which `files_below` does not follow."""
    return sorted(
        path
        for parent, folders, _ in os.walk(folder)
        for name in folders
        if not is_clutter(name) and (path := Path(parent, name)).is_symlink()
    )


def _read_metadata(metadata: Path, classes: Classes, notes: Notes) -> tuple[FaceImage, ...]:
    folder, table = metadata.parent, metadata.name
    pictures = Pictures(folder, metadata, notes)
    images: dict[str, FaceImage] = {}
    missing: list[str] = []
    for where, row in read_rows(metadata, notes):
        asked = row["file_name"] or ""
        name = pictures.find(asked, where)
        if name is None:
            missing.append(shown(asked))
        elif name in images:
            raise UserError(f"{where}: {shown(name)} stands twice")
        else:
            images[name] = _image(row, folder / name, classes, where)
    if missing:
        notes.say(f"{len(missing)} files that {table} names are missing, first {missing[0]}")
    unnamed = [name for name in pictures.files if name not in images]
    others = [Path(name) for name in unnamed if pictures.is_there(name)]
    extra = [path for path in others if path.suffix.lower() in IMAGE_SUFFIXES]
    if extra:
        first = shown(extra[0].as_posix())
        notes.say(f"{len(extra)} images that {table} does not name are left out, first {first}")
    return tuple(images[name] for name in sorted(images))


def _image(row: Row, path: Path, classes: Classes, where: str) -> FaceImage:
    name = row.get("emotion") or path.parent.name
    try:
        emotion = _class(classes, name)
    except KeyError:
        if row.get("emotion"):
            raise _unknown(name, where) from None
        raise UserError(
            f"{where}: nothing tells the emotion of {shown(row['file_name'] or '')}: give it in a "
            "column emotion, or by the image's folder"
        ) from None
    frame = row.get("frame")
    if frame is not None and not _FRAME.fullmatch(frame):
        raise UserError(f"{where}: frame {frame!r} is not a whole number from 0 to 999999999")
    return FaceImage(
        path=path,
        emotion=emotion,
        subject=row.get("subject"),
        sequence=row.get("sequence"),
        frame=int(frame) if frame is not None else None,
        age_group=row.get("age_group"),
        sex=row.get("sex"),
        take=row.get("take"),
    )
