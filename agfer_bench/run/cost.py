"""What the networks of a run cost: size of each, speed of all side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from agfer_bench.measure.size import measure_size
from agfer_bench.measure.speed import measure_speed
from agfer_bench.network.build import Network, build_network
from agfer_bench.protocol import Protocol
from agfer_bench.run.reporter import Reporter
from agfer_bench.run.row import Row


def measure_costs(
    rows: Sequence[Row],
    protocol: Protocol,
    *,
    classes: int,
    mask: NDArray[np.bool_],
    device: torch.device,
    base: str,
    timed: bool,
    reporter: Reporter,
) -> None:
    """Measure size and speed of the networks that trained, all timed side by side.

    Args:
        rows: Filled in; those that failed before are passed over.
        protocol: Every setting.
        classes: Number of classes.
        mask: (H, W) guidance mask.
        device: Where to time.
        base: Label of the row that ratios are taken to.
        timed: Whether speed is measured as well.
        reporter: Hears of each round.
    """
    networks: dict[str, Network] = {}
    by_label = {row.chosen.label: row for row in rows if row.error is None}
    for label, row in by_label.items():
        try:
            network = build_network(
                row.chosen,
                protocol,
                classes=classes,
                mask=mask,
                fold=0,
                memory_format=row.memory_format,
            )
            row.size = measure_size(network, protocol)
            _share_host(network, networks)
            networks[label] = network.to(device)
        except (Exception, SystemExit) as error:
            row.fail("measuring its size", error)
    if not timed:
        return
    speeds, failures = measure_speed(
        networks,
        protocol.image_size,
        protocol.speed,
        device,
        base=base,
        on_round=lambda done: reporter.progress("timing", done + 1, protocol.speed.rounds),
    )
    for label, speed in speeds.items():
        by_label[label].speed = speed
    for label, failure in failures.items():
        by_label[label].fail("timing", failure)


def _share_host(network: Network, networks: dict[str, Network]) -> None:
    """Let a network use the host layers of one that is there, with the same memory format.

    Times do not depend on the weights' values, and ten hosts of 1.8 GB need not be in memory.
    """
    for other in networks.values():
        if other.memory_format == network.memory_format:
            network.host.stages, network.host.head = other.host.stages, other.host.head
            return
