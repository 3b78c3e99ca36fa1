"""Frames to files, in this process or in several."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2

from agfer_bench_synthetic.casting import Cast, rising
from agfer_bench_synthetic.expression import FACE_EMOTIONS

JPEG_QUALITY = 95
"""A JPEG is written and read several times faster than a PNG of a noisy frame."""

DRAWN = "drawn"
"""What a worker prints for each sequence."""

FAILED = "failed with errno "
"""What a worker prints, with the number, when it cannot write."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be drawn."""

    subjects: int
    """Persons."""
    frames: int
    """Frames of each sequence."""
    seed: int
    """0 or more."""

    @property
    def sequences(self) -> int:
        """Sequences in all: one for each subject and emotion."""
        return self.subjects * len(FACE_EMOTIONS)


def file_of(root: Path, emotion: str, subject: int, frame: int) -> Path:
    """Where a frame is kept; subject and frame are counted from 0."""
    return root / emotion / f"s{subject + 1:03d}_{frame:03d}.jpg"


def draw_share(order: Order, root: Path, *, share: int = 0, shares: int = 1) -> Iterator[None]:
    """Draw every `shares`-th sequence, yielding after each."""
    cast, intensities = Cast(seed=order.seed), rising(order.frames)
    for number in range(share, order.sequences, shares):
        subject, place = divmod(number, len(FACE_EMOTIONS))
        emotion = FACE_EMOTIONS[place]
        for frame, rgb in enumerate(cast.sequence(subject, emotion, intensities)):
            bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
            # Not imwrite: it answers a full disk with False and no reason.
            _, coded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
            file_of(root, emotion, subject, frame).write_bytes(coded.tobytes())
        yield


def draw_all(order: Order, root: Path, workers: int, drawn: Callable[[int], None]) -> None:
    """Draw all sequences into `root`; `drawn` hears how many are done.

    Raises:
        OSError: a file cannot be written.
    """
    for emotion in FACE_EMOTIONS:
        (root / emotion).mkdir()
    drawn(0)
    steps = draw_share(order, root) if workers < 2 else _draw_apart(order, root, workers)
    for done, _ in enumerate(steps, start=1):
        drawn(done)


def _draw_apart(order: Order, root: Path, workers: int) -> Iterator[None]:
    """Draw in processes of their own, for painting holds Python's lock most of the time.

    They are plain subprocesses: multiprocessing would run the caller's script again in each.
    """
    read_end, write_end = os.pipe()
    shares = min(workers, order.sequences)
    children = []
    try:
        with os.fdopen(read_end, encoding="utf-8", errors="replace") as said:
            try:
                for share in range(shares):
                    children.append(_start(order, root, share, shares, write_end))
            finally:
                os.close(write_end)
            yield from _heard(said)
        if any(child.wait() for child in children):
            raise RuntimeError("a process that draws faces stopped without a word")
    finally:
        for child in children:
            child.kill()
            child.wait()


def _start(
    order: Order, root: Path, share: int, shares: int, stdout: int
) -> subprocess.Popen[bytes]:
    numbers = (order.subjects, order.frames, order.seed, share, shares)
    return subprocess.Popen(
        [sys.executable, "-m", "agfer_bench_synthetic.worker", str(root), *map(str, numbers)],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


def _heard(lines: Iterator[str]) -> Iterator[None]:
    """Yield for each sequence that a worker reports; raise what it could not do."""
    other: list[str] = []
    for line in lines:
        if line.strip() == DRAWN:
            yield
        elif line.startswith(FAILED):
            number = int(line.removeprefix(FAILED))
            raise OSError(number, os.strerror(number))
        else:
            other.append(line)
    if other:
        raise RuntimeError("a process that draws faces said:\n" + "".join(other[-30:]))
