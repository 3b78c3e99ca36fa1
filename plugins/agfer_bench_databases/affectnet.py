"""AffectNet: faces from the web, eight emotions, labelled by hand.

Layouts: `training.csv` and `validation.csv` (or in `Manually_Annotated_file_lists/`) beside
`Manually_Annotated_Images/`, whose columns `subDirectory_filePath` and `expression` are read;
`train_set/` and `val_set/` with `images/0.jpg` and `annotations/0_exp.npy`; or `train/0/` and
`val/0/`, a folder for each class, by number or name.

0 neutral, 1 happiness, 2 sadness, 3 surprise, 4 fear, 5 disgust, 6 anger, 7 contempt; 8 none,
9 uncertain and 10 no face are left out and counted. The test part was never published, so the
official split is judged on the validation part. Persons are not known. The boxes of the tables are
not used: each image is cut around one face, and the harness searches it there.

Source: Mollahosseini, Hasani and Mahoor 2017, doi:10.1109/TAFFC.2017.2740923.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from agfer_bench import FaceImage, FaceTable, Place, UserError
from agfer_bench_databases.parts import NO_EMOTION, Classes, classed_images, divided, part_folders
from agfer_bench_databases.tree import (
    TWICE,
    Notes,
    entries,
    folders_in,
    has_bytes,
    is_image,
    misfit,
    opened,
    some,
)

TABLES = {"training.csv": "train", "validation.csv": "validation"}
LISTS = "Manually_Annotated_file_lists"
IMAGES = ("Manually_Annotated_Images", "Manually_Annotated/Manually_Annotated_Images", "images")
COLUMNS = ("subdirectory_filepath", "expression")

EXPECTED = (
    "training.csv and validation.csv beside Manually_Annotated_Images, train_set and val_set with "
    "images and annotations, or train and val with a folder for each class"
)

CLASSES = Classes(
    numbers={
        "0": "neutral",
        "1": "happiness",
        "2": "sadness",
        "3": "surprise",
        "4": "fear",
        "5": "disgust",
        "6": "anger",
        "7": "contempt",
        "8": None,
        "9": None,
        "10": None,
    },
    others=frozenset({"none", "uncertain", "no face", "no-face", "noface"}),
)

_STEP = 5000
"""Rows or files between two reports of progress."""


def read_affectnet(
    place: Place,
    *,
    part: Literal["all", "train", "validation"] = "all",
    contempt: bool = True,
) -> FaceTable:
    """Read the images that were labelled by hand, in whichever of the layouts they lie.

    Args:
        place: The folder that holds the tables, or the parts.
        part: The training part, the validation part, or both.
        contempt: Whether contempt is a class: without it there are seven.

    Raises:
        UserError: The folder is laid out otherwise, no image is left, or something cannot be read.
    """
    notes = Notes()
    with opened(place, "affectnet") as folder:
        root, found = _images(folder, part, place, notes)
        kept = tuple(image for image in found if contempt or image.emotion != "contempt")
        if len(kept) < len(found):
            notes.say(f"contempt=false: {len(found) - len(kept)} images of contempt are left out")
        if not kept:
            raise UserError(misfit("AffectNet", folder, EXPECTED, "download it again", notes))
    return FaceTable(root=root, images=kept, notes=notes.lines())


def _images(
    folder: Path, part: str, place: Place, notes: Notes
) -> tuple[Path, tuple[FaceImage, ...]]:
    """Return the root and the images of the layout that is there."""

    def wanted(one: str) -> bool:
        return part in ("all", one)

    tables = {
        path: of
        for name, of in TABLES.items()
        for path in (folder / name, folder / LISTS / name)
        if path.is_file()
    }
    if tables:
        images = _of_tables(folder, {t: of for t, of in tables.items() if wanted(of)}, place, notes)
        return folder, tuple(images)
    root = divided(folder)
    if root is None:
        advice = "name the folder that holds the tables, or the parts"
        raise UserError(misfit("AffectNet", folder, EXPECTED, advice))
    parts = part_folders(root)
    if any((one / "annotations").is_dir() for one in parts):
        return root, tuple(
            image
            for one, of in parts.items()
            if wanted(of)
            for image in _of_annotations(root, one, of, place, notes)
        )
    for one in parts:
        numbers = {child.name.lstrip("0") or "0" for child in folders_in(one)}
        if numbers == {str(number) for number in range(1, 8)}:
            raise UserError(
                f"{one} has the classes 1 to 7, as RAF-DB has them: AffectNet begins with 0; use "
                "raf-db, or add an empty folder 0 if no image is neutral"
            )
    return root, tuple(classed_images(root, CLASSES, notes, parts=wanted))


def _of_tables(
    folder: Path, tables: dict[Path, str], place: Place, notes: Notes
) -> Iterator[FaceImage]:
    seen: set[str] = set()
    base: Path | None = None
    for table, part in tables.items():
        for line, name, label in _rows(table, place):
            if base is None:
                base = _base(folder, name)
            try:
                emotion = CLASSES.emotion(label)
            except KeyError:
                notes.count("rows with no known expression, left out", f"line {line}: {label!r}")
                continue
            path = base / name
            if name in seen:
                notes.count(TWICE, name)
            elif emotion is None:
                notes.count(NO_EMOTION, name)
            elif ".." in path.parts:
                notes.count("rows that name a file outside the folder, left out", name)
            elif not path.is_file():
                notes.count("images that a table names and that are missing", name)
            elif has_bytes(path, folder, notes):
                seen.add(name)
                yield FaceImage(path=path, emotion=emotion, part=part)


def _base(folder: Path, name: str) -> Path:
    """Return the folder that names of a table are relative to: where the first image is."""
    candidates = [folder, *(folder / one for one in IMAGES)]
    there = [one for one in candidates if (one / name).is_file()]
    existing = [one for one in candidates[1:] if one.is_dir()]
    return next(iter([*there, *existing, folder]))


def _rows(table: Path, place: Place) -> Iterator[tuple[int, str, str]]:
    """Yield line, name and label of each row; the table is never held as a whole."""
    with table.open("rb") as file:
        lines = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    with table.open(encoding="utf-8-sig", newline="") as file:
        try:
            rows = csv.reader(file)
            names = [name.strip().lower() for name in next(rows, [])]
            if not set(COLUMNS) <= set(names):
                raise UserError(
                    f"{table} is no table of AffectNet: expected the columns "
                    f"subDirectory_filePath and expression, found {some(names, 6) or 'nothing'}"
                )
            path, label = (names.index(name) for name in COLUMNS)
            for number, row in enumerate(rows, start=1):
                if number % _STEP == 0:
                    place.progress("reading affectnet", number, max(number, lines))
                if len(row) > max(path, label) and row[path].strip():
                    yield rows.line_num, row[path].strip().replace("\\", "/"), row[label]
            place.progress("reading affectnet", max(1, lines), max(1, lines))
        except (UnicodeDecodeError, csv.Error) as error:
            raise UserError(f"{table} is not a CSV file in UTF-8: {error}") from None


def _of_annotations(
    root: Path, folder: Path, part: str, place: Place, notes: Notes
) -> Iterator[FaceImage]:
    """Yield the images of one part whose expression lies beside them as an array of one number."""
    images = folder / "images"
    files = entries(images) if images.is_dir() else []
    for number, path in enumerate(files, start=1):
        if number % _STEP == 0 or number == len(files):
            place.progress("reading affectnet", number, len(files))
        if not is_image(path, root, notes):
            continue
        name = path.relative_to(root).as_posix()
        label = _label(folder / "annotations" / f"{path.stem}_exp.npy")
        try:
            emotion = CLASSES.emotion(label)
        except KeyError:
            notes.count("images without an annotation that can be read, left out", name)
            continue
        if emotion is None:
            notes.count(NO_EMOTION, name)
        elif has_bytes(path, root, notes):
            yield FaceImage(path=path, emotion=emotion, part=part)


def _label(file: Path) -> str:
    """Return the number that an array holds, as text; empty where there is none."""
    import numpy as np

    try:
        return str(int(np.load(file, allow_pickle=False).item()))
    except (OSError, ValueError, EOFError):
        return ""
