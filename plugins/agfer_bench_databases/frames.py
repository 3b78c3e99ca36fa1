"""Frames of a recorded expression: their order, and the emotion that each shows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from agfer_bench import UserError
from agfer_bench_databases.tree import MISNAMED, Notes, has_bytes, is_image

_NUMBER = re.compile(r"(?:.*[^0-9])?([0-9]+)", re.DOTALL)

SAME_NUMBER = "frames whose number stands twice in their sequence, the first kept"
SHORT = "sequences too short to show more than neutral"


@dataclass(frozen=True, kw_only=True)
class Labelling:
    """Which frames of a sequence are kept, and which of these are neutral."""

    neutral_frames: int
    """So many first frames of each sequence are neutral."""
    last_frames: int
    """So many last frames carry the emotion; 0: all that are not neutral."""

    def __post_init__(self) -> None:
        """Refuse negative numbers.

        Raises:
            UserError: A number is negative.
        """
        for name in ("neutral_frames", "last_frames"):
            value = getattr(self, name)
            if value < 0:
                raise UserError(f"{name}={value} must be 0 or more")

    def label(self, length: int, emotion: str) -> Iterator[tuple[int, str]]:
        """Yield (place, emotion) of each kept frame of a sequence of so many frames.

        >>> list(Labelling(neutral_frames=1, last_frames=2).label(5, "fear"))
        [(0, 'neutral'), (3, 'fear'), (4, 'fear')]
        """
        neutral = min(self.neutral_frames, length)
        first = max(neutral, length - self.last_frames) if self.last_frames else neutral
        yield from ((place, "neutral") for place in range(neutral))
        yield from ((place, emotion) for place in range(first, length))


def frame_number(path: Path) -> int | None:
    """Return the number that a frame's name ends in, or None where it ends in none.

    >>> [frame_number(Path(name)) for name in ("000.jpeg", "P001_Anger_012.jpeg", "3 (copy).jpeg")]
    [0, 12, None]
    """
    match = _NUMBER.fullmatch(path.stem)
    return int(match[1]) if match else None


def in_order(files: Iterable[Path], root: Path, notes: Notes) -> list[Path]:
    """Sort a sequence's frames by number; count in `notes` what is no frame.

    Only the order of the numbers counts: releases of one data set differ in where they start.
    """
    frames: dict[int, Path] = {}
    for path in sorted(files):
        if not is_image(path, root, notes):
            continue
        number = frame_number(path)
        if number is None:
            notes.count(MISNAMED, path.relative_to(root).as_posix())
        elif number in frames:
            notes.count(SAME_NUMBER, path.relative_to(root).as_posix())
        else:
            frames[number] = path
    return [frames[number] for number in sorted(frames)]


def labelled(
    frames: list[Path], emotion: str, labelling: Labelling, root: Path, notes: Notes
) -> Iterator[tuple[int, Path, str]]:
    """Yield (place, file, emotion) of the frames to keep, from those in order.

    Empty files are left out, yet they keep their place: one broken file must not change which
    other frames are neutral.
    """
    if frames and len(frames) <= labelling.neutral_frames:
        notes.count(SHORT, frames[0].parent.relative_to(root).as_posix())
    for place, shown in labelling.label(len(frames), emotion):
        if has_bytes(frames[place], root, notes):
            yield place, frames[place], shown
