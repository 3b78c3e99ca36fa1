"""The crop pipeline against a plain one, on drawn faces at the sizes of the paper's databases.

The plain one has one core: where other work leaves the pipeline less than two, the bars mean
nothing, and the line that is printed shows it.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
from agfer_bench_synthetic.drawing import draw_all
from agfer_bench_synthetic.layouts import Faces, Order, OuluCasia
from pytest_benchmark.fixture import BenchmarkFixture

from agfer_bench.faces.crop_cache import CropSet, CropSettings
from agfer_bench.faces.prepare import prepare
from agfer_bench.plugin.specs import FaceImage, FaceTable
from bench.plain_crops import PlainCrops
from bench.ratios import Report, interleaved

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
SIZE = 224
"""Pixels of the paper's crops."""

ORDERS: dict[str, tuple[Order, float]] = {
    "320x240": (
        OuluCasia(subjects=10, frames=3, neutral_frames=1, width=320, height=240, seed=0),
        1.7,
    ),
    "2835x3543": (Faces(persons=1, width=2835, height=3543, seed=0), 6.0),
}
"""What is drawn, and how many times faster than the plain one the pipeline is on two cores."""


@pytest.mark.parametrize("name", ORDERS)
def test_crops(benchmark: BenchmarkFixture, report: Report, tmp_path: Path, name: str) -> None:
    order, wanted = ORDERS[name]
    benchmark.group = f"crops {name}"
    table = _drawn(order, tmp_path / "drawn")
    paths = [image.path for image in table.images]
    plain, narrow = PlainCrops(), PlainCrops(narrow=True)
    ours = _ours(table, tmp_path / "cache")

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        kept = {str(path.relative_to(table.root)) for path in plain.crop_all(paths, SIZE)[1]}
        functions = {
            "plain": lambda: plain.crop_all(paths, SIZE),
            "narrow": lambda: narrow.crop_all(paths, SIZE),
            "ours": ours,
        }
        times = interleaved(functions, rounds=3, warmup=1)
    finally:
        cv2.setNumThreads(threads)
    cpu, wall = time.process_time(), time.perf_counter()
    crops: CropSet = benchmark.pedantic(ours, rounds=1)
    used = (time.process_time() - cpu) / (time.perf_counter() - wall)
    mine = set(crops.table["name"])
    benchmark.extra_info |= {"cores": CORES, "cores used": used, "images": len(paths)}
    bar = wanted if CORES >= 2 else None
    faster = report.ratio("plain / pipeline", times["plain"], times["ours"], at_least=bar)
    # A plain loop that is as thrifty with the search for eye and mouth.
    report.ratio("plain, eye and mouth in parts / pipeline", times["narrow"], times["ours"])
    assert len(mine ^ kept) <= 0.01 * len(paths)
    assert bar is None or faster >= bar


def _drawn(order: Order, folder: Path) -> FaceTable:
    folder.mkdir()
    draw_all(order, folder, CORES, lambda done: None)
    images = tuple(FaceImage(path=folder / name, emotion="neutral") for name in order.names)
    return FaceTable(root=folder, images=images)


def _ours(table: FaceTable, cache: Path) -> Callable[[], CropSet]:
    """The whole way, cache included, each time anew."""

    def crop() -> CropSet:
        shutil.rmtree(cache, ignore_errors=True)
        return prepare(
            table,
            CropSettings(image_size=SIZE),
            cascades_folder=None,
            cache=cache,
            workers=CORES,
            progress=lambda what, done, total: None,
        )

    return crop
