"""The renderer of drawn faces: frames per second, on one core and on two."""

from __future__ import annotations

from pathlib import Path

import pytest
from agfer_bench_synthetic.drawing import draw_all
from agfer_bench_synthetic.layouts import OuluCasia
from pytest_benchmark.fixture import BenchmarkFixture

FRAMES = OuluCasia(subjects=8, frames=2, neutral_frames=1, width=320, height=240, seed=0)
"""As `synthetic` draws them, fewer subjects."""


@pytest.mark.parametrize("cores", [1, 2])
def test_drawing(benchmark: BenchmarkFixture, tmp_path: Path, cores: int) -> None:
    benchmark.group = "drawing 320x240"
    folders = iter(range(1000))

    def fresh() -> tuple[tuple[Path], dict[str, object]]:
        folder = tmp_path / str(next(folders))
        folder.mkdir()
        return (folder,), {}

    def draw(folder: Path) -> Path:
        draw_all(FRAMES, folder, cores, lambda done: None)
        return folder

    folder = benchmark.pedantic(draw, setup=fresh, rounds=3, warmup_rounds=1)
    assert len(list(folder.rglob("*.jpeg"))) == len(FRAMES.names)
    if benchmark.stats is not None:
        rate = len(FRAMES.names) / benchmark.stats.stats.median
        benchmark.extra_info["frames_per_second"] = rate
