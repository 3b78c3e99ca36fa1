"""Frames to files, in this process or in several."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path, PurePosixPath

import cv2

from agfer_bench_synthetic.layouts import Order

DRAWN = "drawn"
"""What a worker prints for each image."""

FAILED = "failed with errno "
"""What a worker prints, with the number, when it cannot write."""


def draw_share(order: Order, root: Path, *, share: int = 0, shares: int = 1) -> Iterator[None]:
    """Draw every `shares`-th piece, yielding after each image."""
    for piece in range(share, order.pieces, shares):
        for name, rgb in order.draw(piece):
            bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
            # Not imwrite: it answers a full disk with False and no reason.
            _, coded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, order.quality])
            (root / name).write_bytes(coded.tobytes())
            yield


def draw_all(order: Order, root: Path, workers: int, drawn: Callable[[int], None]) -> None:
    """Draw all images into `root`; `drawn` hears how many are done.

    Raises:
        OSError: a file cannot be written.
    """
    for folder in dict.fromkeys(PurePosixPath(name).parent for name in order.names):
        (root / folder).mkdir(parents=True, exist_ok=True)
    drawn(0)
    steps = draw_share(order, root) if workers < 2 else _draw_apart(order, root, workers)
    for done, _ in enumerate(steps, start=1):
        drawn(done)


def _draw_apart(order: Order, root: Path, workers: int) -> Iterator[None]:
    """Draw in processes of their own, for painting holds Python's lock most of the time.

    They are plain subprocesses: multiprocessing would run the caller's script again in each.
    """
    read_end, write_end = os.pipe()
    shares = min(workers, order.pieces)
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
    told = [str(root), order.name, json.dumps(asdict(order)), str(share), str(shares)]
    return subprocess.Popen(
        [sys.executable, "-m", "agfer_bench_synthetic.worker", *told],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


def _heard(lines: Iterator[str]) -> Iterator[None]:
    """Yield for each image that a worker reports; raise what it could not do."""
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
