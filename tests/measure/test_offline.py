"""Throughput: the best batch size is found, memory that runs out ends the search and says so."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from agfer_bench.measure import device_memory
from agfer_bench.measure.clock import Call
from agfer_bench.measure.device_memory import free_memory, is_out_of_memory
from agfer_bench.measure.offline import Batched, Search


class _FakeClock:
    """Takes what the call returns for its time in milliseconds."""

    def single(self, call: Call, passes: int) -> tuple[float, ...]:
        return tuple(float(call()) for _ in range(passes))  # type: ignore[arg-type]

    queued = single

    def survive(self, error: BaseException) -> None:
        pass


def _search(
    contenders: dict[str, Batched], sizes: tuple[int, ...] = (1, 2, 4, 8), free: int | None = None
) -> Search[str]:
    search = Search(contenders, _FakeClock(), seconds=0.03, free_bytes=lambda: free)
    search.over(sizes)
    return search


def _batched(ms: Callable[[int], float], **rest: object) -> Batched:
    return Batched(bind=lambda size: lambda: ms(size), **rest)  # type: ignore[arg-type]


def test_images_a_second_by_hand() -> None:
    # A batch takes 1 ms and half a millisecond an image more.
    found = _search({"one": _batched(lambda size: 1 + 0.5 * size)}).found["one"]
    assert found.points == {
        size: pytest.approx(1000 * size / (1 + 0.5 * size)) for size in (1, 2, 4, 8)
    }
    assert found.end == "batch 8 is the largest tried"


@pytest.mark.slow
def test_the_search_ends_when_throughput_has_fallen_twice() -> None:
    ms = {1: 1.0, 2: 1.0, 4: 4.0, 8: 2.0, 16: 8.0, 32: 32.0, 64: 0.1}
    found = _search({"one": _batched(ms.__getitem__)}, tuple(ms)).found["one"]
    # 1000, 2000, 1000, 4000, 2000, 1000 images/s: one fall is forgiven, two in a row are not.
    assert list(found.points) == [1, 2, 4, 8, 16, 32]
    assert found.end == "throughput fell at batch 32"
    known = _search({"one": _batched(ms.__getitem__, sizes=(1, 64))}, tuple(ms)).found["one"]
    assert list(known.points) == [1, 64], "a later repeat takes the sizes of the first"


def _runs_out(at: int) -> Callable[[int], float]:
    def ms(size: int) -> float:
        if size >= at:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return 1.0

    return ms


@pytest.mark.parametrize("at", [1, 4])
def test_memory_that_runs_out_ends_one_search_alone(at: int) -> None:
    search = _search({"big": _batched(_runs_out(at)), "small": _batched(lambda _: 1.0)})
    assert search.found["big"].end == f"out of memory at batch {at}"
    assert list(search.found["big"].points) == [size for size in (1, 2, 4, 8) if size < at]
    assert list(search.found["small"].points) == [1, 2, 4, 8]
    assert not search.failures


def test_what_would_not_fit_is_not_tried() -> None:
    big = _batched(lambda _: 1.0, bytes_per_image=100)
    found = _search({"big": big}, free=450).found["big"]
    assert list(found.points) == [1, 2]  # 400 bytes are more than 80 % of 450
    assert found.end == "batch 4 would not fit into memory"


def test_another_error_is_a_failure() -> None:
    def ms(size: int) -> float:
        if size == 2:
            raise RuntimeError("no kernel")
        return 1.0

    search = _search({"bad": _batched(ms), "good": _batched(lambda _: 1.0)})
    assert "no kernel" in str(search.failures["bad"])
    assert list(search.found) == ["good"]
    assert list(search.found["good"].points) == [1, 2, 4, 8]


def test_what_running_out_looks_like() -> None:
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert is_out_of_memory(MemoryError())
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(raised.value), "the CPU's own words"
    assert not is_out_of_memory(RuntimeError("shape mismatch"))


def test_free_memory_where_the_system_tells(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path))
    told = folder / "meminfo"
    told.write_text("MemTotal:  100 kB\nMemAvailable:   7 kB\n")
    monkeypatch.setattr(device_memory, "_MEMINFO", told)
    assert free_memory(torch.device("cpu"))() == 7 * 1024
    monkeypatch.setattr(device_memory, "_MEMINFO", folder / "absent")
    assert free_memory(torch.device("cpu"))() is None
    assert free_memory(torch.device("cuda"))() is None
