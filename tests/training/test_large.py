"""A set larger than the memory that a process may use trains from its memory map."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SCRIPT = """
import resource, sys
from pathlib import Path
import numpy as np, torch
from torch import nn
from agfer_bench.protocol import load_preset
from agfer_bench.seeds import generator
from agfer_bench.training.batches import BatchOrder, Normaliser, channel_statistics
from agfer_bench.training.images import Images
from agfer_bench.training.loop import fit, predict

path, hold = Path(sys.argv[1]), sys.argv[2] == "hold"
N, SIDE = 2000, 224
with path.open("wb") as file:
    file.truncate(N * SIDE * SIDE * 3)          # 301 MB, on disk next to nothing
pixels = np.memmap(path, np.uint8, "r", shape=(N, SIDE, SIDE, 3))
labels = np.arange(N) % 2
network = nn.Sequential(nn.Conv2d(3, 2, 8, stride=32), nn.AdaptiveAvgPool2d(1), nn.Flatten())
protocol = load_preset("quick").with_settings({"epochs": 1, "batch_size": 10, "curve_every": 0})
torch.set_num_threads(1)
network(torch.zeros(10, 3, SIDE, SIDE)).sum().backward()   # what torch itself sets up once

used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
limit = used + 200 * 2**20
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
if hold:
    pixels = np.array(pixels)
everything = np.arange(N)
mean, std = channel_statistics(pixels, everything)
images = Images.on(
    torch.device("cpu"),
    pixels_NHWC=pixels,
    labels_N=labels,
    normalise=Normaliser(mean=mean, std=std, scheme="standardise"),
)
order = BatchOrder.draw(
    everything, epochs=1, batch_size=10, shuffle="once", drop_last=False,
    generator=generator(0, "order", 0),
)
done = fit(network, images, order, protocol, None, lambda epoch, loss: None)
predict(network, images, everything, protocol)
print("trained on", N, "images", mean, images.residence)
"""


def _train(path: Path, what: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path), what], capture_output=True, text=True, timeout=300
    )


def test_a_set_larger_than_memory_trains(tmp_path: Path) -> None:
    done = _train(tmp_path / "crops.u8", "map")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "trained on 2000 images (0.0, 0.0, 0.0) mapped\n"


def test_the_limit_is_one(tmp_path: Path) -> None:
    done = _train(tmp_path / "crops.u8", "hold")
    assert done.returncode != 0, "the twin: the same limit stops who holds all pixels"
    assert "Unable to allocate" in done.stderr
