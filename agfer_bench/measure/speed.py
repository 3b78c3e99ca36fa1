"""Inference time of single images, all networks side by side.

Networks take turns within each round, in an order that rotates, so that a clock that drifts or a
neighbour that disturbs hits all alike. Comparisons are ratios within a round.

Shapes in names: B batch, C channels, H height, W width.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from agfer_bench.protocol import SpeedProtocol
from agfer_bench.records import SpeedRecord
from agfer_bench.seeds import true_fp32


def measure_speed(
    networks: Mapping[str, nn.Module],
    image_size: int,
    protocol: SpeedProtocol,
    device: torch.device,
    *,
    base: str,
    on_round: Callable[[int], None],
) -> tuple[dict[str, SpeedRecord], dict[str, BaseException]]:
    """Time one image at a time through each network, in fp32 and evaluation mode.

    Args:
        networks: Networks on `device`, by label.
        image_size: Side of the input, in pixels.
        protocol: Warm-up, rounds, passes.
        device: Where the networks are.
        base: Label of the network that ratios are taken to.
        on_round: Called after each round with its number, from 0.

    Returns:
        A record per network, and the exception of each that raised, which is left out.
    """
    image_BCHW = torch.randn(1, 3, image_size, image_size, device=device)
    running = {label: network.eval() for label, network in networks.items()}
    failed: dict[str, BaseException] = {}
    times: dict[str, list[tuple[float, ...]]] = {label: [] for label in running}

    def time_all(passes: int) -> None:
        labels = list(running)
        shift = len(times[base]) % len(labels) if labels and base in times else 0
        for label in labels[shift:] + labels[:shift]:
            try:
                measured = _time(running[label], image_BCHW, passes, device)
            except (Exception, SystemExit) as error:
                failed[label] = error
                del running[label], times[label]
                continue
            times[label].append(measured)

    with torch.inference_mode(), true_fp32(device):
        if protocol.warmup:
            time_all(protocol.warmup)
            times = {label: [] for label in running}
        for number in range(protocol.rounds):
            time_all(protocol.passes)
            on_round(number)
    return {
        label: SpeedRecord(
            rounds_ms=tuple(rounds),
            ratio_to_base=_ratio(rounds, times[base]) if base in times else None,
        )
        for label, rounds in times.items()
    }, failed


def _time(
    network: nn.Module, image_BCHW: Tensor, passes: int, device: torch.device
) -> tuple[float, ...]:
    """Time passes one by one, in milliseconds, waiting for the device before each reading."""
    measured = []
    for _ in range(passes):
        _wait(device)
        started = time.perf_counter_ns()
        network(image_BCHW)
        _wait(device)
        measured.append((time.perf_counter_ns() - started) / 1e6)
    return tuple(measured)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _ratio(rounds: list[tuple[float, ...]], base: list[tuple[float, ...]]) -> float:
    """Median over rounds of the ratio of the round's medians."""
    return statistics.median(
        statistics.median(own) / statistics.median(other)
        for own, other in zip(rounds, base, strict=True)
    )
