"""Stand-ins and helpers that the tests of the drawn databases share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agfer_bench import FaceImage, FaceTable, Place

LETTERS = {
    "a": "anger",
    "d": "disgust",
    "f": "fear",
    "h": "happiness",
    "n": "neutral",
    "s": "sadness",
}
GROUPS = {"y": "young", "m": "middle", "o": "old"}


def _sequences(folder: Path, neutral_frames: int) -> list[FaceImage]:
    images = []
    for path in sorted(folder.glob("OriginalImg/VL/Strong/*/*/*.jpeg")):
        emotion, subject, frame = path.parts[-2].lower(), path.parts[-3], int(path.stem)
        images.append(
            FaceImage(
                path=path,
                emotion="neutral" if frame < neutral_frames else emotion,
                subject=subject,
                sequence=f"{subject}/{emotion}",
                frame=frame,
            )
        )
    return images


def _portraits(folder: Path) -> list[FaceImage]:
    images = []
    for path in sorted(folder.glob("*.jpg")):
        person, group, sex, letter, take = path.stem.split("_")
        images.append(
            FaceImage(
                path=path,
                emotion=LETTERS[letter],
                subject=person,
                age_group=GROUPS[group],
                sex={"f": "female", "m": "male"}[sex],
                take=take,
            )
        )
    return images


def _read(
    name: str, folder: Path, *, neutral_frames: int = 3, neutral_sequences: int = 0
) -> FaceTable:
    """Read the drawn layouts as plainly as can be, and of all sequences, whatever plugins do."""
    del neutral_sequences
    images = _portraits(folder) if name == "faces" else _sequences(folder, neutral_frames)
    return FaceTable(root=folder, images=tuple(images), notes=(f"read as {name}",))


@pytest.fixture(scope="session")
def place() -> Callable[..., Place]:
    """Return what makes a place without a folder, whose reads go to a plain reader."""

    def make(cache: Path, workers: int = 1, **fields: object) -> Place:
        return Place(folder=None, cache=cache, workers=workers, read=_read, **fields)  # type: ignore[arg-type]

    return make


def _tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="session")
def tree() -> Callable[[Path], dict[str, bytes]]:
    """Return what reads all files below a folder."""
    return _tree
