"""A folder of images, one subfolder an emotion, after the Hugging Face ImageFolder convention.

Where a `metadata.csv` or `metadata.jsonl` stands in the folder, it names the images (`file_name`,
relative to the folder) and may give `emotion`, `subject`, `sequence`, `frame`, `age_group`, `sex`
and `take` for each.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from agfer_bench import EMOTIONS, FaceImage, FaceTable, Place, UserError
from agfer_bench_databases.emotions import canonical_emotion
from agfer_bench_databases.metadata import NAMES, Pictures, Row, find_metadata, read_rows
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

_PARTS = re.compile(r"(public|private)?(train|test|val|valid)(ing|idation|set|_set)?", re.I)
"""Names of folders that hold parts of a data set."""

_FRAME = re.compile(r"[0-9]{1,9}")


def read_image_folder(place: Place) -> FaceTable:
    """Read `<folder>/<emotion>/<image>`, or the images that `metadata.csv` names.

    Raises:
        UserError: The folder is missing, empty or not readable, a subfolder or a row names no
            known emotion, or metadata.csv cannot be read.
    """
    notes = Notes()
    with opened(place, "image-folder") as folder:
        metadata = find_metadata(folder, notes)
        if metadata is None:
            images = _read_folders(folder, notes)
        else:
            images = _read_metadata(metadata, notes)
    if not images:
        found = "; ".join(notes.lines()) or "it is empty"
        raise UserError(f"{folder} holds no image as <emotion>/<image>: {found}")
    return FaceTable(root=folder, images=images, notes=notes.lines())


def _unknown(name: str, where: str) -> UserError:
    return UserError(
        f"{where}: {name!r} is no known emotion; rename it to one of {', '.join(EMOTIONS)}, "
        "or take it out"
    )


def _read_folders(folder: Path, notes: Notes) -> tuple[FaceImage, ...]:
    images: list[FaceImage] = []
    children = folders_in(folder)
    if not any(canonical_emotion(child.name) for child in children):
        _refuse(folder, children)
    loose = [path for path in entries(folder) if path.is_file() and _is_picture(path)]
    if loose:
        notes.count("images in the folder itself, left out", loose[0].name, len(loose))
    for child in children:
        emotion = canonical_emotion(child.name)
        if emotion is None:
            raise _unknown(child.name, f"folder {folder}")
        paths = _images_below(child, notes)
        images.extend(FaceImage(path=path, emotion=emotion) for path in paths)
        if not paths:
            notes.say(f"{child.name}: no image")
    return tuple(images)


def _refuse(folder: Path, children: list[Path]) -> None:
    """Say how a folder without a folder for each emotion can be read, where that is known."""
    parts = [child for child in children if _PARTS.fullmatch(child.name)]
    if parts:
        raise UserError(
            f"{folder} holds parts of a data set ({some(part.name for part in parts)}), not "
            f"emotions; name one of them: {_command(parts)}"
        )
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
    return bool(canonical_emotion(child.name) or _PARTS.fullmatch(child.name))


def _command(parts: list[Path]) -> str:
    """Options that train on one part and test on another, or read the only one."""
    test = next((part for part in parts if "test" in part.name.lower()), parts[-1])
    others = [part for part in parts if part != test] or [test]
    train = next((part for part in others if "train" in part.name.lower()), others[0])
    options = f"--data image-folder={train}"
    return options if test == train else f"{options} --test image-folder={test}"


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


def _read_metadata(metadata: Path, notes: Notes) -> tuple[FaceImage, ...]:
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
            images[name] = _image(row, folder / name, where)
    if missing:
        notes.say(f"{len(missing)} files that {table} names are missing, first {missing[0]}")
    unnamed = [name for name in pictures.files if name not in images]
    others = [Path(name) for name in unnamed if pictures.is_there(name)]
    extra = [path for path in others if path.suffix.lower() in IMAGE_SUFFIXES]
    if extra:
        first = shown(extra[0].as_posix())
        notes.say(f"{len(extra)} images that {table} does not name are left out, first {first}")
    return tuple(images[name] for name in sorted(images))


def _image(row: Row, path: Path, where: str) -> FaceImage:
    name = row.get("emotion") or path.parent.name
    emotion = canonical_emotion(name)
    if emotion is None and not row.get("emotion"):
        raise UserError(
            f"{where}: nothing tells the emotion of {shown(row['file_name'] or '')}: give it in a "
            "column emotion, or by the image's folder"
        )
    if emotion is None:
        raise _unknown(name, where)
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
