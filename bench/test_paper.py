"""One network, one fold of the paper's preset: the bars of a CUDA GPU.

On a CPU the same code runs at a small size, and no bar is asserted.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from timm.models.vgg import vgg16

from agfer_bench.measure.peak import measure_peak
from agfer_bench.measure.precision import exact_fp32
from agfer_bench.measure.size import multiply_accumulates
from agfer_bench.plugin.finder import load_catalogue
from agfer_bench.progress import Silent
from agfer_bench.run.speed import SpeedSettings, measure
from bench.plain_training import PlainTraining, write_folder
from bench.ratios import Report, interleaved, ratio
from bench.workload import CLASSES, Workload, later_epochs

PASSES = 3
"""A training step costs a forward pass and a backward one of twice its operations."""

SMALL: dict[str, Any] = {"image_size": 32, "width": 0.0625, "batch_size": 8}


def _work(device: torch.device, epochs: int, **changes: Any) -> Workload:
    """The paper's fold on a GPU, 7,440 crops; on a CPU a few small ones."""
    small = {} if device.type == "cuda" else SMALL
    images = 7440 if device.type == "cuda" else 24
    return Workload.of("paper", images, device, epochs=epochs, **small | changes)


def test_utilisation(benchmark: BenchmarkFixture, report: Report, device: torch.device) -> None:
    """Operations a second of the whole training, over those of a bf16 matrix product.

    Seconds are those of all epochs, the first with its allocations too.
    """
    work = _work(device, 100 if device.type == "cuda" else 2, precision="bf16")
    peak = measure_peak(device)
    macs = multiply_accumulates(work.network(), work.protocol.image_size).counted
    done = benchmark.pedantic(lambda: work.fit(work.network()), rounds=1)
    seconds = sum(epoch.seconds for epoch in done.history)
    operations = 2 * PASSES * macs * sum(map(len, work.order().epochs))
    best = peak.bf16 or peak.fp32
    benchmark.extra_info |= {"seconds": seconds, "operations": operations, "peak": best}
    bar = 0.4 if device.type == "cuda" else None
    share = report.ratio("utilisation", [operations / seconds], [best], at_least=bar)
    assert bar is None or share >= bar


@contextmanager
def _tf32(allowed: bool) -> Iterator[None]:
    """Let the plain loop's convolutions round to TF32, which is torch's default, or not."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


@pytest.mark.parametrize(("tf32", "bar"), [(True, 2.5), (False, 6.0)], ids=["tf32", "true-fp32"])
def test_engine_against_the_plain_alternative(
    benchmark: BenchmarkFixture,
    report: Report,
    device: torch.device,
    tmp_path: Path,
    tf32: bool,
    bar: float,
) -> None:
    own = _work(device, 3, precision="bf16")
    plain_work = _work(device, 1)
    write_folder(tmp_path, own.pixels_NHWC, own.labels)
    plain = PlainTraining(
        tmp_path,
        plain_work.network("contiguous"),
        plain_work.protocol,
        plain_work.order(),
        plain_work.normalise,
        device,
        keep_workers=True,
    )
    with _tf32(tf32):
        plain.epoch()  # workers start, kernels are chosen
    plain_s: list[float] = []

    def plain_epoch() -> None:
        started = time.perf_counter()
        with _tf32(tf32):
            plain.epoch()
        plain_s.append(time.perf_counter() - started)

    own_s: list[float] = []
    benchmark.group = "training, paper"
    benchmark.pedantic(
        lambda: own_s.append(statistics.mean(later_epochs(own.fit(own.network())))),
        setup=plain_epoch,
        rounds=3,
    )
    wanted = bar if device.type == "cuda" else None
    found = report.ratio("plain / engine", plain_s, own_s, at_least=wanted)
    assert wanted is None or found >= wanted


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_offline_against_timms_vgg16(
    benchmark: BenchmarkFixture, report: Report, device: torch.device, precision: str
) -> None:
    """Same batches, precision and layout; timm's as it comes, ours compiled on a GPU."""
    batch = 256 if device.type == "cuda" else 2
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    work = _work(device, 1)
    side = work.protocol.image_size if device.type == "cuda" else 224  # timm's head reads 7 x 7
    width = {} if device.type == "cuda" else {"width": 1.0, "image_size": side}
    network = _work(device, 1, **width).network().eval().to(dtype)
    with torch.device(device):
        other = vgg16(num_classes=7).eval().to(dtype)
    other = other.to(memory_format=torch.channels_last)
    x = torch.randn(batch, 3, side, side, device=device, dtype=dtype)
    x = x.contiguous(memory_format=torch.channels_last)

    def run(model: Callable[..., object]) -> None:
        with torch.inference_mode():
            model(x)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    tuned = torch.compile(network) if device.type == "cuda" else network
    ways = {"own": lambda: run(tuned), "timm": lambda: run(other)}
    if device.type == "cuda":
        compiled = torch.compile(other)
        ways["timm compiled"] = lambda: run(compiled)
    with exact_fp32(device):
        times = interleaved(ways, 20 if device.type == "cuda" else 2)
        benchmark.group = f"offline, {precision}"
        benchmark.pedantic(ways["own"], rounds=2)
    bar = 1.2 if device.type == "cuda" else None
    report.ratio("timm vgg16 / base", times["timm"], times["own"], at_least=bar)
    if "timm compiled" in times:
        report.ratio("timm vgg16 compiled / base", times["timm compiled"], times["own"])
    assert bar is None or ratio(times, "timm", "own") >= bar


def test_single_stream(
    benchmark: BenchmarkFixture, report: Report, device: torch.device, tmp_path: Path
) -> None:
    """Agfer at 1,000 Hz tuned and within 10 % of base; medians of fresh processes within 3 %."""
    gpu = device.type == "cuda"
    catalogue = load_catalogue()
    settings = SpeedSettings(
        modules=tuple(catalogue.choose_modules("base,agfer")),
        protocol=_work(device, 1, speed={} if gpu else {"repeats": 2, "seconds": 0.0}).protocol,
        classes=CLASSES,
        device=device,
        compiled=gpu,
        camera=None,
        out=tmp_path,
        largest_batch=1,
    )
    benchmark.group = "single stream, paper"
    record, _ = benchmark.pedantic(measure, args=(settings, catalogue, Silent()), rounds=1)
    base, agfer = (row.speed.modes["tuned"] for row in record.rows if row.speed)
    within = [mode.repeatability or 0.0 for mode in (base, agfer)]
    rate = report.ratio("agfer / 1,000 Hz", [agfer.hz], [1000], at_least=1 if gpu else None)
    cost = report.ratio(
        "agfer / base", [agfer.median_ms], [base.median_ms], at_most=1.1 if gpu else None
    )
    spread = report.ratio(
        "medians of processes differ by", [max(within)], [1.0], at_most=0.03 if gpu else None
    )
    assert not gpu or (rate >= 1 and cost <= 1.1 and spread <= 0.03)
