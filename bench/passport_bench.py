"""How many planted copies `data passport` finds among drawn faces, how many alarms are false.

Draw the faces first (about seven minutes on two cores), then:

    agfer-bench data synthesise drawn oulu-casia:subjects=834:frames=2:neutral_frames=1
    python bench/passport_bench.py drawn/oulu-casia work

One in ten pictures gets one copy (`--share`), of five kinds in turn; copies lie under names that
tell nothing.
Each drawn recording has two frames, at rest and at the apex: they are declared as one sequence, as
the reader of OULU-CASIA does, the copies are not. A pair of pictures of two recordings is a false
alarm; a copy of one frame that is paired with the other frame of its recording is counted apart.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from agfer_bench.faces.copies import pictures_of
from agfer_bench.faces.crop_cache import CropSettings
from agfer_bench.faces.prepare import prepare
from agfer_bench.passport.copies import Pairs, find_copies, groups_of
from agfer_bench.plugin.specs import FaceImage, FaceTable

KINDS = ("recompressed", "rescaled", "mirrored", "brightness", "cropped")


def copy_of(image: NDArray[np.uint8], kind: str, random: np.random.Generator) -> NDArray[np.uint8]:
    """Return a copy of a picture (H, W, 3) before it is written as a JPEG of quality 90."""
    height, width = image.shape[:2]
    if kind == "recompressed":
        quality = int(random.integers(40, 80))
        data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)
    if kind == "rescaled":
        factor = 2.0 ** random.uniform(-1, 1)
        how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        return cv2.resize(image, None, fx=factor, fy=factor, interpolation=how).astype(np.uint8)
    if kind == "mirrored":
        return np.ascontiguousarray(image[:, ::-1])
    if kind == "brightness":
        return np.asarray(np.clip(image * random.choice([0.8, 1.2]), 0, 255), dtype=np.uint8)
    y, x = (int(random.integers(0, round(0.05 * side) + 1)) for side in (height, width))
    return image[y : y + round(0.95 * height), x : x + round(0.95 * width)].copy()


def plant(
    originals: list[Path], folder: Path, share: float, seed: int
) -> Iterator[tuple[Path, Path, str]]:
    """Write copies; yield each with its original and its kind."""
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    chosen = random.choice(len(originals), round(share * len(originals)), replace=False)
    for number, place in enumerate(chosen):
        original, kind = originals[place], KINDS[number % len(KINDS)]
        image = cv2.imread(str(original))
        assert image is not None
        path = folder / f"{number:06}.jpg"
        planted = copy_of(image.astype(np.uint8), kind, random)
        cv2.imwrite(str(path), planted, [cv2.IMWRITE_JPEG_QUALITY, 90])
        yield path, original, kind


def measure(
    originals: list[Path], work: Path, *, share: float = 0.1, seed: int = 0, workers: int = 2
) -> dict[str, Any]:
    """Plant copies, look for them, and count.

    Args:
        originals: Files of drawn faces; those of one folder are frames of one recording.
        work: Where copies and crops are written.
        share: Copies to plant, as a share of the originals.
        seed: What is drawn.
        workers: Threads that read.
    """
    planted = list(plant(originals, work / "copies", share, seed))
    images = [FaceImage(path=p, emotion="neutral", sequence=str(p.parent)) for p in originals]
    images += [FaceImage(path=path, emotion="neutral") for path, _, _ in planted]
    table = FaceTable(root=Path(work.anchor), images=tuple(images))
    start = time.perf_counter()
    crops = prepare(
        table,
        CropSettings(image_size=32, method="none"),
        cascades_folder=None,
        cache=work / f"cache-{hashlib.sha256(str(time.time_ns()).encode()).hexdigest()[:8]}",
        workers=workers,
        progress=lambda *_: None,
    )
    read = time.perf_counter()
    pairs = find_copies(pictures_of(crops))
    end = time.perf_counter()
    return {
        "originals": len(originals),
        **count(pairs, originals, planted),
        "seconds_reading": round(read - start, 1),
        "seconds_searching": round(end - read, 1),
        "not_compared_with_all": pairs.crowded,
    }


def count(
    pairs: Pairs, originals: list[Path], planted: list[tuple[Path, Path, str]]
) -> dict[str, Any]:
    """Count what was found and what was not there."""
    place = {path: number for number, path in enumerate(originals)}
    origin = [*range(len(originals)), *(place[original] for _, original, _ in planted)]
    groups = groups_of(pairs, len(origin))
    found, there = Counter[str](), Counter[str]()
    for number, (_, original, kind) in enumerate(planted, start=len(originals)):
        there[kind] += 1
        found[kind] += int(groups[number] == groups[place[original]])
    recordings, frames = set[int](), set[int]()
    for a, b in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True):
        if origin[a] != origin[b]:
            one_recording = originals[origin[a]].parent == originals[origin[b]].parent
            (frames if one_recording else recordings).update((a, b))
    return {
        "planted": sum(there.values()),
        "found": sum(found.values()),
        "found_by_kind": {kind: f"{found[kind]} of {there[kind]}" for kind in there},
        "false_alarms": len(recordings),
        "other_frame_of_the_recording": len(frames),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Planted copies among drawn faces.")
    parser.add_argument("faces", type=Path, help="A folder of drawn faces.")
    parser.add_argument("work", type=Path, help="Where copies and crops are written.")
    parser.add_argument("--images", type=int, default=10_000, help="Most originals.")
    parser.add_argument("--share", type=float, default=0.1, help="Copies per original.")
    parser.add_argument("--workers", type=int, default=2, help="Threads that read.")
    asked = parser.parse_args()
    originals = sorted(asked.faces.resolve().rglob("*.jp*g"))[: asked.images]
    found = measure(originals, asked.work.resolve(), share=asked.share, workers=asked.workers)
    print(json.dumps(found, indent=1))  # noqa: T201


if __name__ == "__main__":
    main()
