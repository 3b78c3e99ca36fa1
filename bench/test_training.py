"""Training: the engine against the plain alternative, its own cost, ways of execution.

Bars of a comparison are ratios of the same run, asserted where the machine is one they are about.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from agfer_bench.records.timing import Execution
from agfer_bench.training.arithmetic import autocast
from agfer_bench.training.loop import make_optimiser
from agfer_bench.training.loss import weighted_cross_entropy
from bench.plain_training import PlainTraining, write_folder
from bench.ratios import Report
from bench.workload import CLASSES, Workload, later_epochs

IMAGES, EPOCHS, ROUNDS = 368, 3, 5
BARS = {"fp32": 1.5, "bf16": 2.2}


@pytest.mark.parametrize("keep_workers", [False, True], ids=["new-workers", "kept-workers"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_engine_against_the_plain_alternative(
    benchmark: BenchmarkFixture,
    report: Report,
    device: torch.device,
    tmp_path: Path,
    precision: str,
    keep_workers: bool,
) -> None:
    """Images a second at the quick network; the plain loop computes in fp32, as it would."""
    plain_work = Workload.of("quick", IMAGES, device, epochs=EPOCHS)
    work = Workload.of("quick", IMAGES, device, epochs=EPOCHS + 1, precision=precision)
    write_folder(tmp_path, work.pixels_NHWC, work.labels)
    plain = PlainTraining(
        tmp_path,
        plain_work.network("contiguous"),
        plain_work.protocol,
        plain_work.order(),
        plain_work.normalise,
        device,
        keep_workers=keep_workers,
    )
    plain.epoch()
    plain_s: list[float] = []

    def plain_epochs() -> None:
        started = time.perf_counter()
        for _ in range(EPOCHS):
            plain.epoch()
        plain_s.append((time.perf_counter() - started) / EPOCHS)

    own_s: list[float] = []
    benchmark.group = f"training, quick, {precision}"
    benchmark.pedantic(
        lambda: own_s.append(statistics.mean(later_epochs(work.fit(work.network())))),
        setup=plain_epochs,  # before each round: the two are interleaved
        rounds=ROUNDS,
    )
    bar = None if keep_workers or device.type == "cuda" else BARS[precision]
    ratio = report.ratio("plain / engine", plain_s, own_s, at_least=bar)
    benchmark.extra_info["images"] = IMAGES
    assert bar is None or ratio >= bar


def test_loop_against_bare_steps(
    benchmark: BenchmarkFixture, report: Report, device: torch.device
) -> None:
    """An epoch takes at most 1.05 times its forward, backward and optimiser calls."""
    work = Workload.of("quick", IMAGES, device, epochs=EPOCHS + 1)
    protocol, size = work.protocol, work.protocol.batch_size
    steps = len(work.order().spans(0))
    network = work.network().train()
    optimiser = make_optimiser(network, protocol)
    x = torch.randn(size, 3, protocol.image_size, protocol.image_size, device=device)
    x = x.contiguous(memory_format=torch.channels_last)
    y = torch.arange(size, device=device) % CLASSES
    weights = torch.ones(CLASSES, device=device)
    bare_s: list[float] = []

    def bare() -> None:
        started = time.perf_counter()
        for _ in range(steps * EPOCHS):
            optimiser.zero_grad(set_to_none=True)
            with autocast(protocol.precision, device):
                logits = network(x)
            weighted_cross_entropy(logits, y, weights).backward()
            optimiser.step()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        bare_s.append((time.perf_counter() - started) / EPOCHS)

    own_s: list[float] = []
    benchmark.group = "training, quick, loop"
    benchmark.pedantic(
        lambda: own_s.append(statistics.mean(later_epochs(work.fit(work.network())))),
        setup=bare,
        rounds=3 * ROUNDS,
    )
    assert report.ratio("epoch / bare steps", own_s, bare_s, at_most=1.05) <= 1.05


@pytest.mark.parametrize("execution", ["compile", "graph"])
def test_execution_against_eager(
    benchmark: BenchmarkFixture, report: Report, device: torch.device, execution: Execution
) -> None:
    """What pays is measured on each device; nothing is asserted."""
    work = Workload.of("quick", IMAGES, device, epochs=EPOCHS + 1, precision="bf16")
    eager_s: list[float] = []
    own_s: list[float] = []
    first = work.fit(work.network(), execution)
    if first.prepared.execution != execution:
        pytest.skip(f"not on this machine: {first.prepared.fallback}")
    benchmark.group = "training, quick, execution"
    benchmark.pedantic(
        lambda: own_s.append(statistics.mean(later_epochs(work.fit(work.network(), execution)))),
        setup=lambda: eager_s.append(statistics.mean(later_epochs(work.fit(work.network())))),
        rounds=3,
    )
    report.ratio(f"eager / {execution}", eager_s, own_s)
