"""Prepares many tiny pictures and prints the process's peak memory; run by `test_memory.py`.

`python prepare_many.py 2000 no` for 2,000 pictures; with `yes` every crop is held on to.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from agfer_bench.faces import prepare as module
from agfer_bench.faces.crop_cache import CropSettings
from agfer_bench.faces.photograph import crop_photograph
from agfer_bench.plugin.specs import FaceImage, FaceTable

SIZE = 224
"""Side of the crops in pixels."""


def main(number: int, *, hold: bool) -> None:
    held: list[Any] = []

    def holding(*arguments: Any) -> Any:
        held.append(crop_photograph(*arguments))
        return held[-1]

    if hold:
        vars(module)["crop_photograph"] = holding
    with tempfile.TemporaryDirectory() as root:
        crops = module.prepare(
            _table(Path(root), number),
            CropSettings(image_size=SIZE, method="none"),
            cascades_folder=None,
            cache=Path(root) / "cache",
            workers=2,
            progress=lambda what, done, total: None,
        )
        assert crops.pixels.shape == (number, SIZE, SIZE, 3)
        sys.stdout.write(f"{_peak()}\n")


def _table(root: Path, number: int) -> FaceTable:
    picture = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    coded = cv2.imencode(".jpg", picture)[1].tobytes()
    images = []
    for place in range(number):
        path = root / f"{place:05d}.jpg"
        path.write_bytes(coded)
        images.append(FaceImage(path=path, emotion="anger", subject=f"P{place % 80}", frame=place))
    return FaceTable(root=root, images=tuple(images))


def _peak() -> int:
    """Most bytes that were ever resident.

    Not `resource.getrusage`: it counts in the process that started this one, before `exec`.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    main(int(sys.argv[1]), hold=sys.argv[2] == "yes")
