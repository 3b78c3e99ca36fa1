"""Folders that stand for parts of a data set: `train/`, `test/`, with a folder a class in each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from agfer_bench import EMOTIONS, FaceImage, UserError
from agfer_bench_databases.emotions import canonical_emotion
from agfer_bench_databases.tree import Notes, entries, files_below, folders_in, has_bytes, is_image

_PARTS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "publictest": "validation",
    "test": "test",
    "testing": "test",
    "privatetest": "test",
}
"""Names of parts, in small letters and without what `_BESIDE` takes off."""

_BESIDE = re.compile(r"^(fer2013|sfew|affectnet|rafdb|raf)|[ _.-]|(set|data|images|folder)$")
"""What names of parts bear besides, as in `train_set`, `Training_data` and `FER2013Train`."""

NO_CLASS = "images beside the folders of classes, left out"
NO_EMOTION = "images of classes that are no emotion, left out"


def part_of(name: str) -> str | None:
    """Return the part that a folder's or a split's name stands for, or None.

    >>> [part_of(name) for name in ("Train", "val_set", "FER2013Test", "anger")]
    ['train', 'validation', 'test', None]
    """
    lower = name.strip().lower()
    return _PARTS.get(lower) or _PARTS.get(_BESIDE.sub("", lower))


def part_folders(folder: Path) -> dict[Path, str]:
    """Return the folders in a folder that stand for parts, each with its part.

    Raises:
        UserError: Two of them stand for one part.
    """
    found = {child: part for child in folders_in(folder) if (part := part_of(child.name))}
    for part in set(found.values()):
        same = [child.name for child, one in found.items() if one == part]
        if len(same) > 1:
            raise UserError(
                f"{folder} has {' and '.join(same)}, which both stand for the {part} part: take "
                "one of them out"
            )
    return found


def divided(folder: Path) -> Path | None:
    """Find the folder with folders of parts: the user's folder, or the only one in it that has."""
    if any(part_of(child.name) for child in folders_in(folder)):
        return folder
    holding = [
        child
        for child in folders_in(folder)
        if any(part_of(grandchild.name) for grandchild in folders_in(child))
    ]
    return holding[0] if len(holding) == 1 else None


@dataclass(frozen=True, kw_only=True)
class Classes:
    """The classes of a data set, by the names of their folders."""

    numbers: dict[str, str | None]
    """Emotion of each number, as `{"1": "surprise"}`; None for a class that is no emotion."""
    others: frozenset[str] = frozenset()
    """Names, in small letters, of classes that are no emotion."""

    def emotion(self, name: str) -> str | None:
        """Return the emotion of a class; None for one that is no emotion.

        Raises:
            KeyError: There is no such class.
        """
        text = name.strip().lower()
        if text.isdigit() and (number := text.lstrip("0") or "0") in self.numbers:
            return self.numbers[number]
        if text in self.others:
            return None
        # `0_anger` and `3-happy`: a number before the name orders the folders.
        found = canonical_emotion(text) or canonical_emotion(re.sub(r"^[0-9]+[ _.-]+", "", text))
        if found is None:
            raise KeyError(name)
        return found

    @property
    def expected(self) -> str:
        """What the folders of classes are called, in words."""
        if not self.numbers:
            return f"one of {', '.join(EMOTIONS)}"
        first, *_, last = sorted(self.numbers, key=int)
        return f"one of {', '.join(EMOTIONS)}, or a number from {first} to {last}"


NAMES_ALONE = Classes(numbers={})
"""Classes by the names of emotions alone."""


def classed_images(
    root: Path,
    classes: Classes,
    notes: Notes,
    *,
    parts: Callable[[str], bool] = lambda part: True,
    hold: str = "",
) -> Iterator[FaceImage]:
    """Yield the images of `<root>/<part>/<class>/<image>`, in one order, empty files left out.

    Args:
        root: The folder with folders of parts; others in it are counted.
        classes: The classes.
        notes: Counts what is left out.
        parts: Whether a part is wanted.
        hold: A folder between part and class, taken where it is there.

    Raises:
        UserError: A folder of a class has a name that says nothing.
        OSError: A folder cannot be listed.
    """
    folders = part_folders(root)
    for child in folders_in(root):
        if child not in folders:
            notes.count("folders that are no part, left out", child.name)
    for folder, part in folders.items():
        if not parts(part):
            continue
        inside = folder / hold if hold and (folder / hold).is_dir() else folder
        yield from _of_part(root, inside, part, classes, notes)


def _of_part(
    root: Path, folder: Path, part: str, classes: Classes, notes: Notes
) -> Iterator[FaceImage]:
    for path in entries(folder):
        if not path.is_dir() and is_image(path, root, notes):
            notes.count(NO_CLASS, path.relative_to(root).as_posix())
    for child in folders_in(folder):
        try:
            emotion = classes.emotion(child.name)
        except KeyError:
            raise UserError(
                f"folder {folder}: {child.name!r} is no known class; rename it to "
                f"{classes.expected}, or take it out"
            ) from None
        for path in files_below(child):
            if not is_image(path, root, notes):
                continue
            if emotion is None:
                notes.count(NO_EMOTION, path.relative_to(root).as_posix())
            elif has_bytes(path, root, notes):
                yield FaceImage(path=path, emotion=emotion, part=part)
