"""RAF-DB, basic emotions: faces from the web, one label each.

Layout: `EmoLabel/list_patition_label.txt` with lines such as `train_00001.jpg 5`, beside
`Image/aligned/train_00001_aligned.jpg` and `Image/original/train_00001.jpg`; 1 surprise, 2 fear,
3 disgust, 4 happiness, 5 sadness, 6 anger, 7 neutral. As Kaggle also hands it out:
`DATASET/train/1/train_00001_aligned.jpg` and `DATASET/test/...`, a folder for each number, beside
`train_labels.csv` and `test_labels.csv` with `image,label`. Persons are not known.

Source: Li, Deng and Du 2017, doi:10.1109/CVPR.2017.277.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agfer_bench import FaceImage, FaceTable, Place, UserError
from agfer_bench_databases.parts import Classes, classed_images, divided
from agfer_bench_databases.tree import CROPPED_ALREADY, Notes, has_bytes, misfit, opened, within

LIST = "EmoLabel/list_patition_label.txt"
"""Spelt so in the data set."""

EXPECTED = (
    f"{LIST} beside Image/aligned/train_00001_aligned.jpg, or train/1/train_00001_aligned.jpg "
    "and so on to train/7, beside test"
)

_LINE = re.compile(r"((train|test)_[0-9]+)\.jpg\s+([1-7])")

_EMOTIONS = {
    "1": "surprise",
    "2": "fear",
    "3": "disgust",
    "4": "happiness",
    "5": "sadness",
    "6": "anger",
    "7": "neutral",
}


CLASSES = Classes(numbers=dict(_EMOTIONS))


@dataclass(frozen=True, kw_only=True)
class Label:
    """One line of the list."""

    stem: str
    """Name of the image without suffix, say `train_00001`."""
    part: str
    """`train` or `test`."""
    emotion: str
    """The emotion's name."""


def read_raf_db(
    place: Place,
    *,
    part: Literal["all", "train", "test"] = "all",
    images: Literal["aligned", "original"] = "aligned",
) -> FaceTable:
    """Read the images that the list of labels names.

    Args:
        place: The folder that holds `EmoLabel` and `Image`, or the one above it.
        part: The authors' training part, their test part, or both.
        images: The faces as the authors aligned and cut them, or whole photographs.

    Raises:
        UserError: The folder is laid out otherwise, no image is left, or something cannot be
            read.
    """
    notes = Notes()
    with opened(place, "raf-db") as folder:
        root = within(folder, LIST)
        if root is None and (parted := divided(folder)) is not None:
            if images == "original":
                raise UserError(
                    f"images=original needs Image/original, and {folder} has folders of classes "
                    "with aligned images: leave it out"
                )
            return _read_folders(parted, part, notes)
        if root is None:
            advice = "name the folder that holds EmoLabel and Image"
            raise UserError(misfit("RAF-DB", folder, EXPECTED, advice))
        found = tuple(
            FaceImage(path=path, emotion=label.emotion, part=label.part)
            for label in _labels(root / LIST, notes)
            if part in ("all", label.part)
            and (path := _file(root, label, images, notes)) is not None
        )
        if not found:
            advice = f"put the images into Image/{images}"
            raise UserError(misfit("RAF-DB", root, EXPECTED, advice, notes))
    if images == "aligned":
        notes.say(CROPPED_ALREADY)
    return FaceTable(root=root, images=found, notes=notes.lines())


def _read_folders(root: Path, part: str, notes: Notes) -> FaceTable:
    """Read `train/<number>/` and `test/<number>/`; the tables beside them must not contradict."""
    found = tuple(classed_images(root, CLASSES, notes, parts=lambda one: part in ("all", one)))
    listed = {
        name: emotion
        for folder in (root, root.parent)
        for table in (f"{one}_labels.csv" for one in ("train", "test"))
        for name, emotion in _listed(folder / table, notes)
    }
    agreeing = []
    for image in found:
        if listed.get(image.path.name, image.emotion) == image.emotion:
            agreeing.append(image)
        else:
            example = image.path.relative_to(root).as_posix()
            notes.count("images of which folder and table tell two emotions, left out", example)
    if not agreeing:
        advice = "name the folder that holds EmoLabel and Image, or train and test"
        raise UserError(misfit("RAF-DB", root, EXPECTED, advice, notes))
    notes.say(CROPPED_ALREADY)
    return FaceTable(root=root, images=tuple(agreeing), notes=notes.lines())


def _listed(table: Path, notes: Notes) -> Iterator[tuple[str, str]]:
    """Yield name and emotion of each row of `image,label`; none where there is no such table."""
    if not table.is_file():
        return
    text = table.read_text(encoding="utf-8-sig", errors="replace")
    for number, line in enumerate(text.splitlines()[1:], start=2):
        name, _, label = line.strip().partition(",")
        if label.strip() in _EMOTIONS:
            yield name.strip(), _EMOTIONS[label.strip()]
        elif line.strip():
            notes.count(f"lines of {table.name} that do not fit", number)


def _labels(file: Path, notes: Notes) -> Iterator[Label]:
    """Yield the list's labels, sorted by name; count lines that say nothing or say it again."""
    labels: dict[str, Label] = {}
    text = file.read_text(encoding="utf-8-sig", errors="replace")
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None or match[1] in labels:
            notes.count("lines of the list that do not fit or name an image again", number)
            continue
        labels[match[1]] = Label(stem=match[1], part=match[2], emotion=_EMOTIONS[match[3]])
    return iter(labels[stem] for stem in sorted(labels))


def _file(root: Path, label: Label, images: str, notes: Notes) -> Path | None:
    name = f"{label.stem}_aligned.jpg" if images == "aligned" else f"{label.stem}.jpg"
    path = root / "Image" / images / name
    if not path.is_file():
        notes.count("images that the list names and that are missing", path.name)
        return None
    return path if has_bytes(path, root, notes) else None
