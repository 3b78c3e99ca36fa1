"""The tuned mode: the fastest that works is taken, what fails is marked, outputs stay the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from agfer_bench.measure import tune as module
from agfer_bench.measure.clock import Call, Clock, HostClock
from agfer_bench.measure.execution import bind, executions, forward_of
from agfer_bench.measure.footprint import measure_footprint
from agfer_bench.measure.modes import Recast, Way, eager_fp32
from agfer_bench.measure.peak import measure_peak
from agfer_bench.measure.tune import Tuner, ladder
from agfer_bench.network.build import Network
from agfer_bench.plugin.catalogue import Chosen, Entry
from agfer_bench.plugin.specs import AttentionSpec
from agfer_bench.protocol import load_preset
from agfer_bench.records.base import MemoryFormat
from agfer_bench.run.timing.networks import SharedHost

CPU = torch.device("cpu")
PROTOCOL = load_preset("quick").with_settings({"image_size": 32})


class _Scale(nn.Module):
    """A block whose faults depend on type, layout or being copied."""

    def __init__(self, fault: Callable[[Tensor], bool] = lambda _: False) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.5))
        self.fault = fault

    def forward(self, x: Tensor) -> Tensor:
        if self.fault(x):
            raise RuntimeError("no such kernel")
        return x * self.scale


def _network(
    block: Callable[[], nn.Module] = _Scale, memory_format: MemoryFormat = "channels_last"
) -> Network:
    spec = AttentionSpec(name="mine", build=lambda _: block(), source="", summary="")
    entry = Entry(spec=spec, distribution="my-block", version="1", module="m", options=())
    return SharedHost(PROTOCOL, 7, CPU).build(Chosen(entry=entry, values={}), memory_format)


def _tuner(*, compiled: bool = False, clock: Clock | None = None) -> Tuner:
    return Tuner(device=CPU, clock=clock or HostClock(), image_size=32, compiled=compiled)


class _ByType(HostClock):
    """Runs each pass, and gives it a time by the type of its result."""

    def __init__(self, *, bf16: float, fp32: float) -> None:
        self.ms = {torch.bfloat16: bf16, torch.float32: fp32}
        self.turns: list[torch.dtype] = []

    def single(self, call: Call, passes: int) -> tuple[float, ...]:
        results = [call() for _ in range(passes)]
        assert isinstance(results[0], Tensor)
        self.turns.append(results[0].dtype)
        return (self.ms[results[0].dtype],) * passes


FAST_BF16 = {"bf16": 1.0, "fp32": 3.0}


@pytest.fixture
def with_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "native_bf16", lambda _: True)


@pytest.mark.usefixtures("with_bf16")
def test_bf16_is_taken_and_compared_with_fp32() -> None:
    network = _network()
    ready = _tuner(clock=_ByType(**FAST_BF16)).tune(network)
    assert (ready.way.precision, ready.way.memory_format) == ("bf16", "channels_last")
    assert [(t.precision, t.median_ms) for t in ready.trials] == [("bf16", 1.0), ("fp32", 3.0)]
    assert ready.fallback is None
    assert {p.dtype for p in ready.network.parameters()} == {torch.bfloat16}
    assert {p.dtype for p in network.parameters()} == {torch.float32}, "the original stays"
    assert ready.largest_difference is not None
    assert 0 < ready.largest_difference < 0.05
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        exact = network(images).softmax(dim=1)
        half = ready.network(images.bfloat16()).float().softmax(dim=1)
    # The same images in one batch: sums may be taken in another order.
    assert float((exact - half).abs().max()) == pytest.approx(ready.largest_difference, abs=5e-3)


@pytest.mark.usefixtures("with_bf16")
def test_bf16_is_not_taken_where_fp32_is_faster() -> None:
    """As for one small image on a CPU: 0.78 ms against 1.09 in the published record of 0.1.0."""
    clock = _ByType(bf16=1.09, fp32=0.78)
    tries: list[None] = []
    network = _network()
    ready = _tuner(clock=clock).tune(network, lambda: tries.append(None))
    assert (ready.way.precision, ready.way.execution) == ("fp32", "eager")
    assert ready.network is network
    assert ready.fallback is None
    assert [(t.precision, t.median_ms) for t in ready.trials] == [("bf16", 1.09), ("fp32", 0.78)]
    assert len(tries) == 2, "a sign of life before each way"
    half, full = torch.bfloat16, torch.float32
    # Warm-up and first turn of each, then turn about.
    assert clock.turns == [half, half, full, full, half, full, half, full]


@pytest.mark.usefixtures("with_bf16")
@pytest.mark.parametrize(("bf16", "taken"), [(1.02, "bf16"), (1.04, "fp32")])
def test_ways_that_cannot_be_told_apart_are_equally_fast(bf16: float, taken: str) -> None:
    ready = _tuner(clock=_ByType(bf16=bf16, fp32=1.0)).tune(_network())
    assert ready.way.precision == taken


class _FailsAfter(_ByType):
    """A way that breaks once it has been made ready and timed for the first time."""

    def single(self, call: Call, passes: int) -> tuple[float, ...]:
        times = super().single(call, passes)
        if self.turns[-1] == torch.bfloat16 and self.turns.count(torch.bfloat16) > 2:
            raise RuntimeError("out of luck")
        return times


@pytest.mark.usefixtures("with_bf16")
def test_a_way_that_fails_while_it_is_timed_is_left_out() -> None:
    ready = _tuner(clock=_FailsAfter(**FAST_BF16)).tune(_network())
    assert ready.way.precision == "fp32"
    assert ready.fallback == "bf16, channels last, as written: RuntimeError: out of luck"


@pytest.mark.usefixtures("with_bf16")
def test_a_block_that_fails_in_bf16_falls_back_and_is_marked() -> None:
    ready = _tuner().tune(_network(lambda: _Scale(lambda x: x.dtype == torch.bfloat16)))
    assert (ready.way.precision, ready.way.memory_format) == ("fp32", "channels_last")
    assert ready.fallback is not None
    assert "bf16, channels last, as written: RuntimeError: no such kernel" in ready.fallback
    assert [trial.error is None for trial in ready.trials] == [False, False, True]
    assert ready.largest_difference == 0


def _half_channels_last(x: Tensor) -> bool:
    return x.dtype == torch.bfloat16 and not x.is_contiguous()


@pytest.mark.usefixtures("with_bf16")
def test_a_block_that_fails_in_channels_last_keeps_bf16() -> None:
    ready = _tuner(clock=_ByType(**FAST_BF16)).tune(_network(lambda: _Scale(_half_channels_last)))
    assert (ready.way.precision, ready.way.memory_format) == ("bf16", "contiguous")
    assert "channels last" in (ready.fallback or "")
    assert [(t.precision, t.memory_format, t.error is None) for t in ready.trials] == [
        ("bf16", "channels_last", False),
        ("bf16", "contiguous", True),
        ("fp32", "channels_last", True),
    ]


@pytest.mark.usefixtures("with_bf16")
def test_a_block_that_is_known_to_fail_in_channels_last() -> None:
    ready = _tuner(clock=_ByType(**FAST_BF16)).tune(_network(memory_format="contiguous"))
    assert (ready.way.precision, ready.way.memory_format) == ("bf16", "contiguous")
    assert ready.fallback == "the block fails with channels last"


class _NoCopy(_Scale):
    def __deepcopy__(self, memo: Any) -> None:
        raise TypeError("cannot be copied")


@pytest.mark.usefixtures("with_bf16")
def test_a_block_that_cannot_be_copied_is_run_as_it_is() -> None:
    network = _network(_NoCopy)
    ready = _tuner().tune(network)
    assert ready.network is network
    assert "cannot be copied" in (ready.fallback or "")


class _Overflows(_Scale):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.nan if x.dtype == torch.bfloat16 else x


@pytest.mark.usefixtures("with_bf16")
def test_outputs_that_are_not_finite_are_no_result() -> None:
    ready = _tuner().tune(_network(_Overflows))
    assert ready.way.precision == "fp32"
    assert "not finite" in (ready.fallback or "")


def test_a_device_without_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "native_bf16", lambda _: False)
    ready = _tuner().tune(_network())
    assert ready.way.precision == "fp32"
    assert ready.fallback == "the device has no bf16 of its own"
    monkeypatch.setattr("agfer_bench.measure.peak.native_bf16", lambda _: False)
    assert measure_peak(CPU).bf16 is None


def test_all_ways_fail() -> None:
    network = _network(lambda: _Scale(lambda _: True))
    with pytest.raises(RuntimeError, match="no such kernel"):
        _tuner().tune(network)


def test_a_compiler_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(network: nn.Module) -> Any:
        def call(x: Tensor) -> Tensor:
            raise RuntimeError("no C++ compiler")

        return call

    monkeypatch.setattr(torch, "compile", broken)
    monkeypatch.setattr(module, "native_bf16", lambda _: False)
    ready = _tuner(compiled=True).tune(_network())
    assert ready.way.execution == "eager"
    assert "torch.compile: RuntimeError: no C++ compiler" in (ready.fallback or "")


def test_the_fastest_execution_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A compiler that quarters a block's time wins; one that makes it slower does not."""
    cost = {"eager": 4.0, "compile": 1.0}
    state, spent = {"way": "eager"}, [0.0]

    class Slow(_Scale):
        def forward(self, x: Tensor) -> Tensor:
            spent[0] += cost[state["way"]]
            return x * self.scale

    class Spent(HostClock):
        def single(self, call: Call, passes: int) -> tuple[float, ...]:
            times = []
            for _ in range(passes):
                before = spent[0]
                call()
                times.append(spent[0] - before)
            return tuple(times)

    def compiler(network: nn.Module) -> Callable[[Tensor], Tensor]:
        def call(x: Tensor) -> Tensor:
            state["way"] = "compile"
            try:
                y: Tensor = network(x)
            finally:
                state["way"] = "eager"
            return y

        return call

    monkeypatch.setattr(torch, "compile", compiler)
    monkeypatch.setattr(module, "native_bf16", lambda _: True)
    network = _network(Slow)
    ready = _tuner(compiled=True, clock=Spent()).tune(network)
    assert ready.way.execution == "compile"
    # Three slots; both types are tried in both executions.
    assert [(t.precision, t.execution, t.median_ms) for t in ready.trials] == [
        ("bf16", "eager", 12.0),
        ("bf16", "compile", 3.0),
        ("fp32", "eager", 12.0),
        ("fp32", "compile", 3.0),
    ]
    cost["compile"] = 20.0
    assert _tuner(compiled=True, clock=Spent()).tune(network).way.execution == "eager"


def test_what_a_gpu_is_given_to_try(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (9, 0))
    ways, reason = ladder(_network(), cuda)
    assert [(way.precision, way.memory_format) for way in ways] == [
        (precision, layout)
        for precision in ("bf16", "tf32", "fp32")
        for layout in ("channels_last", "contiguous")
    ]
    assert reason is None
    assert executions(cuda, compiled=True) == ("eager", "graph", "compile", "compile-graph")
    assert executions(cuda, compiled=False) == ("eager", "graph")
    assert executions(CPU, compiled=True) == ("eager", "compile")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 5))
    ways, reason = ladder(_network(), cuda)
    assert {way.precision for way in ways} == {"fp32"}
    assert reason == "the device has no bf16 of its own"


def test_a_graph_replays_what_lies_in_its_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a fake device: passes on a side stream, one recorded, replays of the same tensors."""
    events: list[str] = []

    class Stream:
        def wait_stream(self, _: object) -> None:
            events.append("wait")

    class Graph:
        def replay(self) -> None:
            y.copy_(2 * x)

    @contextmanager
    def recording(graph: Graph) -> Iterator[None]:
        events.append("record")
        yield

    @contextmanager
    def on(stream: Stream) -> Iterator[None]:
        yield

    for name, fake in {
        "Stream": lambda _: Stream(),
        "current_stream": lambda _: Stream(),
        "stream": on,
        "synchronize": lambda _: events.append("synchronise"),
        "CUDAGraph": Graph,
        "graph": recording,
    }.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    x, y = torch.ones(2), torch.zeros(2)

    def forward(x: Tensor) -> Tensor:
        events.append("forward")
        return y.copy_(2 * x)

    call = bind(forward, x, "graph")
    assert events == ["wait", *["forward"] * 3, "wait", "synchronise", "record", "forward"]
    x.fill_(5.0)
    assert call().tolist() == [10.0, 10.0]
    assert events[-1] == "forward"
    assert events.count("forward") == 4, "a replay calls no Python"


def test_networks_of_one_host_share_its_copy() -> None:
    hosts = SharedHost(PROTOCOL, 7, CPU)
    spec = AttentionSpec(name="mine", build=lambda _: _Scale(), source="", summary="")
    entry = Entry(spec=spec, distribution="my-block", version="1", module="m", options=())
    chosen = Chosen(entry=entry, values={})
    one, other = (hosts.build(chosen, "channels_last") for _ in range(2))
    assert one.host.head is other.host.head
    assert one.host.blocks["2"] is not other.host.blocks["2"]
    recast = Recast()
    way = Way(precision="bf16", memory_format="channels_last", execution="eager")
    first, second = recast(one, way), recast(other, way)
    assert first.host.head is second.host.head
    assert first.host.blocks["2"] is not second.host.blocks["2"]
    turned = hosts.build(chosen, "contiguous")
    weight = next(turned.host.own_layers()[0].parameters())
    assert torch.equal(weight, next(one.host.own_layers()[0].parameters()))
    assert one.host.stages is not turned.host.stages


def test_footprint_by_hand() -> None:
    """Two linear layers of 100 x 100 on a batch of 10: weights, input, and two maps alive."""
    network = nn.Sequential(nn.Linear(100, 100, bias=False), nn.Linear(100, 100, bias=False))
    found = measure_footprint(network.eval(), torch.zeros(10, 100))
    assert found.method == "tensor-tracker"
    assert found.maps == 4 * (2 * 10 * 100)
    assert found.total == 4 * (2 * 100 * 100 + 3 * 10 * 100)


def test_rates_of_the_device() -> None:
    peak = measure_peak(CPU)
    assert peak.tf32 is None
    assert peak.fp32 > 1e8
    assert peak.bytes_per_second > 1e7


def test_eager_is_the_network_itself() -> None:
    network = _network()
    ready = eager_fp32(network, CPU)
    assert ready.forward is network
    assert forward_of(network, "eager") is network
