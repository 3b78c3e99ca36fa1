"""The tensor tracker, against bytes counted by hand."""

from __future__ import annotations

import torch
from torch import nn

from agfer_bench.measure.memory import TensorTracker


def test_counts_what_lives_and_what_died() -> None:
    with TensorTracker() as tracker:
        first = torch.zeros(1000)
        second = first + 1
        assert tracker.current_bytes == 8000
        view = first.view(10, 100)
        del first, second
        assert tracker.current_bytes == 4000, "a view keeps its storage alive"
        del view
    assert tracker.current_bytes == 0
    assert tracker.peak_bytes == 8000


def test_gradients_and_optimiser_state_are_seen() -> None:
    layer = nn.Linear(100, 100, bias=False)
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.1, momentum=0.9)
    weights = 100 * 100 * 4
    with TensorTracker(layer.parameters()) as tracker:
        assert tracker.current_bytes == weights
        layer(torch.ones(1, 100)).sum().backward()
        optimiser.step()
        assert tracker.current_bytes >= 3 * weights, "weights, gradients, momentum"
        assert tracker.current_bytes < 4 * weights


def test_is_the_same_on_every_run() -> None:
    peaks = set()
    for _ in range(3):
        network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 5))
        with TensorTracker(network.parameters()) as tracker:
            network(torch.randn(4, 3, 8, 8)).sum().backward()
        peaks.add(tracker.peak_bytes)
    assert len(peaks) == 1
