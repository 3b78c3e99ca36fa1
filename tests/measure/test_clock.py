"""Clocks: the host's times what it waits for; CUDA's waits for events, shown with a fake device."""

from __future__ import annotations

import time

import pytest
import torch

from agfer_bench.measure.clock import CudaClock, HostClock, TimingDeviceLost, clock_for


def test_the_host_clock_times_each_call() -> None:
    pauses = iter([0.002, 0.012])
    short, long = HostClock().single(lambda: time.sleep(next(pauses)), 2)
    assert 2 <= short < long
    assert long >= 12
    assert isinstance(clock_for(torch.device("cpu")), HostClock)


class _Device:
    """Runs what is queued only when somebody waits; a call takes 3 ms of its own time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ms = 0.0
        self.waits = 0
        self.lost = False
        self.queue: list[object] = []
        device = self

        class Event:
            def __init__(self, enable_timing: bool = False) -> None:
                self.enable_timing = enable_timing
                self.at: float | None = None

            def record(self) -> None:
                device.queue.append(self)

            def synchronize(self) -> None:
                device.run()
                device.waits += 1

            def elapsed_time(self, end: Event) -> float:
                assert self.enable_timing
                assert end.enable_timing
                assert self.at is not None
                assert end.at is not None, "it was read before it had happened"
                return end.at - self.at

        self.event = Event
        monkeypatch.setattr(torch.cuda, "Event", Event)
        monkeypatch.setattr(torch.cuda, "synchronize", self.synchronize)

    def synchronize(self, _: object = None) -> None:
        if self.lost:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        self.run()

    def call(self) -> None:
        self.queue.append(3.0)

    def run(self) -> None:
        for item in self.queue:
            if isinstance(item, float):
                self.now_ms += item
                time.sleep(item / 1000)
            else:
                item.at = self.now_ms  # type: ignore[attr-defined]
        self.queue.clear()


def test_cuda_waits_for_every_single_image(monkeypatch: pytest.MonkeyPatch) -> None:
    device = _Device(monkeypatch)
    times = CudaClock(torch.device("cuda")).single(device.call, 4)
    assert device.waits == 4
    assert all(time >= 3 for time in times), "the wait is in it"


def test_cuda_waits_once_for_a_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    device = _Device(monkeypatch)
    assert CudaClock(torch.device("cuda")).queued(device.call, 4) == (3.0, 3.0, 3.0, 3.0)
    assert device.waits == 1


def test_a_lost_device_is_no_ordinary_error(monkeypatch: pytest.MonkeyPatch) -> None:
    device = _Device(monkeypatch)
    clock = CudaClock(torch.device("cuda"))
    clock.survive(ValueError("a network's own"))
    device.lost = True
    with pytest.raises(TimingDeviceLost, match="illegal memory access"):
        clock.survive(ValueError("the first to hear of it"))
    assert not issubclass(TimingDeviceLost, Exception)
    HostClock().survive(ValueError("nothing is lost on a CPU"))
