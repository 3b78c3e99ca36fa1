"""SFEW: single frames of films, seven emotions, with a training and a validation part.

Layout: `Train/Angry/*.png` and `Val/Angry/*.png`, as unpacked, or with the authors' folder of
aligned faces between part and class. The test part was handed out without labels. Which film a
frame is from stands in its name, who is shown does not.

Source: Dhall, Goecke, Lucey and Gedeon 2011, doi:10.1109/ICCVW.2011.6130508.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from agfer_bench import FaceTable, Place, UserError
from agfer_bench_databases.emotions import canonical_emotion
from agfer_bench_databases.parts import NAMES_ALONE, classed_images, divided, part_folders
from agfer_bench_databases.tree import Notes, folders_in, misfit, opened

EXPECTED = "Train/Angry/*.png and Val/Angry/*.png, a folder for each of seven emotions"


def read_sfew(place: Place, *, part: Literal["all", "train", "validation"] = "all") -> FaceTable:
    """Read the frames of the parts that have labels.

    Args:
        place: The folder that holds `Train` and `Val`, or the one above it.
        part: The training part, the validation part, or both.

    Raises:
        UserError: The folder is laid out otherwise, no image is left, or something cannot be read.
    """
    notes = Notes()
    with opened(place, "sfew") as folder:
        root = divided(folder)
        if root is None:
            advice = "name the folder that holds Train and Val"
            raise UserError(misfit("SFEW", folder, EXPECTED, advice))
        labelled = {one for one in part_folders(root) if _has_classes(_inside(one))}
        for one in part_folders(root).keys() - labelled:
            notes.count("parts without a folder for each emotion, left out", one.name)
        names = {part_folders(root)[one] for one in labelled}
        between = {_inside(one).name for one in labelled if _inside(one) != one}
        if len(between) > 1:
            raise UserError(f"{root} has {' and '.join(sorted(between))}: take one of them out")
        images = tuple(
            classed_images(
                root,
                NAMES_ALONE,
                notes,
                parts=lambda one: one in names and part in ("all", one),
                hold=next(iter(between), ""),
            )
        )
        if not images:
            raise UserError(misfit("SFEW", folder, EXPECTED, "unpack its archives first", notes))
    return FaceTable(root=root, images=images, notes=notes.lines())


def _has_classes(folder: Path) -> bool:
    return any(canonical_emotion(child.name) for child in folders_in(folder))


def _inside(part: Path) -> Path:
    """Return the folder that holds the classes: the part's, or the only one in it that does."""
    if _has_classes(part):
        return part
    holding = [child for child in folders_in(part) if _has_classes(child)]
    return holding[0] if len(holding) == 1 else part
