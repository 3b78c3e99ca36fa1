"""The loop: split batches, memory that runs out, execution that falls back, no waiting."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, SequentialLR
from torch.utils._python_dispatch import TorchDispatchMode

from agfer_bench.errors import UserError
from agfer_bench.measure.device_memory import is_lost
from agfer_bench.protocol import Protocol, load_preset
from agfer_bench.seeds import generator, seeded
from agfer_bench.training import execution
from agfer_bench.training.arithmetic import arithmetic, check_precision
from agfer_bench.training.batches import BatchOrder, Normaliser
from agfer_bench.training.execution import choose, prepare
from agfer_bench.training.images import Images
from agfer_bench.training.loop import (
    Fit,
    TrainingError,
    fit,
    make_optimiser,
    predict,
    rate_factor,
    schedule,
)
from agfer_bench.training.loss import weighted_cross_entropy

CPU = torch.device("cpu")
SIDE, CLASSES, N = 8, 3, 22


class _Small(nn.Module):
    """A network with dropout switched off and running statistics, as a block may have them."""

    def __init__(self, norm: bool = False) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3) if norm else nn.Identity()
        self.conv = nn.Conv2d(3, 4, 3)
        self.head = nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(torch.relu(self.conv(self.norm(x))).mean(dim=(2, 3)))
        return logits


def _network(norm: bool = False) -> _Small:
    with seeded(CPU, 0):
        return _Small(norm)


def _images() -> Images:
    random = np.random.default_rng(0)
    labels = np.arange(N) % CLASSES
    pixels = random.integers(0, 120, (N, SIDE, SIDE, 3), dtype=np.uint8)
    pixels[np.arange(N), :, :, labels] += 100
    return Images.on(
        CPU,
        pixels_NHWC=pixels,
        labels_N=labels,
        normalise=Normaliser(mean=(90.0,) * 3, std=(60.0,) * 3, scheme="standardise"),
    )


def _protocol(**changes: Any) -> Protocol:
    return load_preset("quick").with_settings(
        {"epochs": 3, "batch_size": 8, "learning_rate": 1e-2, "curve_every": 0} | changes
    )


def _order(protocol: Protocol) -> BatchOrder:
    return BatchOrder.draw(
        np.arange(N),
        epochs=protocol.epochs,
        batch_size=protocol.batch_size,
        shuffle="every-epoch",
        drop_last=False,
        generator=generator(0, "order", 0),
    )


def _fit(network: nn.Module, protocol: Protocol, **rest: Any) -> Fit:
    weights = torch.tensor([0.5, 1.0, 2.0])
    return fit(
        network, _images(), _order(protocol), protocol, weights, lambda epoch, loss: None, **rest
    )


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
@pytest.mark.parametrize("micro_batch", [1, 3, 4, 100])
def test_split_batches_end_in_the_same_weights(optimiser: str, micro_batch: int) -> None:
    protocol = _protocol(optimiser=optimiser)
    whole, split = _network().double(), _network().double()
    pair = [_double_fit(n, protocol, m) for n, m in ((whole, None), (split, micro_batch))]
    for one, other in zip(whole.parameters(), split.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-8)
    losses = [[epoch.loss for epoch in done.history] for done in pair]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert losses[0][-1] < losses[0][0], "it learns, so that weights had something to differ by"


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
@pytest.mark.parametrize("warmup", [0.0, 0.25, 0.9])
def test_rates_are_those_of_torchs_schedulers(optimiser: str, warmup: float) -> None:
    protocol = _protocol(optimiser=optimiser, schedule="cosine", warmup=warmup, epochs=5)
    order = _order(protocol)
    steps = sum(len(order.spans(epoch)) for epoch in range(5))
    rising = round(warmup * steps)
    mine, torchs = make_optimiser(_network(), protocol), make_optimiser(_network(), protocol)
    found = schedule(mine, order, protocol, done=0)
    parts: list[LRScheduler] = [CosineAnnealingLR(torchs, steps - rising)]
    if rising:
        parts.insert(0, LinearLR(torchs, 1 / rising, total_iters=rising - 1))
    expected = SequentialLR(torchs, parts, [rising] * (len(parts) - 1))
    rates = []
    for _ in range(steps):
        rates.append(mine.param_groups[0]["lr"])
        assert rates[-1] == pytest.approx(torchs.param_groups[0]["lr"], rel=1e-9)
        for one, scheduler in ((mine, found), (torchs, expected)):
            one.step()
            scheduler.step()
    assert max(rates) == pytest.approx(protocol.learning_rate)


def test_the_rate_is_constant_unless_it_is_asked_for() -> None:
    protocol = _protocol(schedule="constant", warmup=0)
    assert {rate_factor(step, steps=10, protocol=protocol) for step in range(10)} == {1.0}
    risen = _protocol(schedule="constant", warmup=0.2)
    found = [rate_factor(step, steps=10, protocol=risen) for step in range(4)]
    assert found == [0.5, 1.0, 1.0, 1.0]


def test_a_long_gradient_is_scaled_down_to_the_limit() -> None:
    """SGD of one batch, without momentum in the first step, moves by rate times gradient."""
    moved = {}
    for limit in (0.0, 1e-3, 1e3):
        protocol = _protocol(
            optimiser="sgd", schedule="constant", warmup=0, weight_decay=0, clip_norm=limit,
            epochs=1, batch_size=N, label_smoothing=0,
        )  # fmt: skip
        network = _network()
        before = nn.utils.parameters_to_vector(network.parameters()).detach().clone()
        _fit(network, protocol)
        after = nn.utils.parameters_to_vector(network.parameters()).detach()
        moved[limit] = (before - after) / protocol.learning_rate
    assert float(moved[1e-3].norm()) == pytest.approx(1e-3, rel=1e-2)
    torch.testing.assert_close(moved[1e3], moved[0.0])
    assert float(nn.functional.cosine_similarity(moved[1e-3], moved[0.0], dim=0)) > 0.999


class _Double(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.network(x.double())
        return logits


def _double_fit(
    network: nn.Module, protocol: Protocol, micro_batch: int | None, **rest: Any
) -> Fit:
    return _fit(_Double(network), protocol, micro_batch=micro_batch, **rest)


def test_without_the_whole_batchs_size_parts_would_end_elsewhere() -> None:
    """The twin: a loss of each part divided by the part's own size is another gradient."""
    network, x = _network(), torch.randn(8, 3, SIDE, SIDE)
    y = torch.arange(8) % CLASSES
    parts = list(zip(x.split([5, 3]), y.split([5, 3]), strict=True))

    def gradient(losses: list[Tensor]) -> Tensor:
        network.zero_grad()
        sum(losses).backward()  # type: ignore[union-attr]
        assert network.conv.weight.grad is not None
        return network.conv.weight.grad.clone()

    whole = gradient([weighted_cross_entropy(network(x), y, None)])
    right = gradient([weighted_cross_entropy(network(a), b, None, 8) for a, b in parts])
    wrong = gradient([weighted_cross_entropy(network(a), b, None) / 2 for a, b in parts])
    torch.testing.assert_close(whole, right)
    assert not torch.allclose(whole, wrong, rtol=1e-3)


class _Reads(TorchDispatchMode):
    """Counts reads of single numbers: on a GPU each would wait for all that is under way."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_an_epoch_reads_one_number(precision: str) -> None:
    reads, after = _Reads(), []
    protocol = _protocol(
        precision=precision, schedule="cosine", warmup=0.2, clip_norm=1, label_smoothing=0.1
    )
    with reads:
        fit(
            _network(),
            _images(),
            _order(protocol),
            protocol,
            None,
            lambda epoch, loss: after.append(reads.count),
        )
    assert after == [1, 2, 3], "the epoch's mean loss, once an epoch"


def test_compiling_that_fails_leaves_everything_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(network: nn.Module, **_: Any) -> Callable[[Tensor], Tensor]:
        def forward(x: Tensor) -> Tensor:
            network(x)
            torch.rand(5)
            raise RuntimeError("no such\ninstruction")

        return forward

    monkeypatch.setattr(torch, "compile", broken)
    protocol = _protocol()
    eager, fallen = _network(norm=True), _network(norm=True)
    with seeded(CPU, 1):
        plain = _fit(eager, protocol)
    with seeded(CPU, 1):
        done = _fit(fallen, protocol, execution="compile")
    assert plain.prepared.execution == done.prepared.execution == "eager"
    assert plain.prepared.fallback is None
    assert done.prepared.fallback == "compile failed: RuntimeError: no such instruction"
    assert [e.loss for e in plain.history] == [e.loss for e in done.history]
    for one, other in zip(eager.state_dict().values(), fallen.state_dict().values(), strict=True):
        assert torch.equal(one, other), "weights and running statistics"


def test_what_is_prepared_takes_the_batches_of_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """A captured graph has one size; the incomplete last batch goes past it."""
    sizes: list[int] = []

    def captured(network: nn.Module, x: Tensor, precision: str) -> Callable[[Tensor], Tensor]:
        def forward(x: Tensor) -> Tensor:
            sizes.append(len(x))
            logits: Tensor = network(x)
            return logits

        return forward

    monkeypatch.setitem(execution._MAKE, "graph", captured)
    done = _fit(_network(), _protocol(), execution="graph")
    assert done.prepared.execution == "graph"
    assert sizes == [8] + [8, 8] * 3, "a trial, and two full batches of 22 images in each epoch"
    expected = _fit(_network(), _protocol())
    assert [e.loss for e in done.history] == [e.loss for e in expected.history]


def test_parts_go_past_a_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    """A graph's gradients lie in one place: a second part's would be added to themselves."""

    def never(network: nn.Module, x: Tensor, precision: str) -> Callable[[Tensor], Tensor]:
        raise AssertionError("captured")

    monkeypatch.setitem(execution._MAKE, "graph", never)
    done = _fit(_network(), _protocol(), execution="graph", micro_batch=3)
    assert done.prepared.execution == "eager"
    assert done.prepared.fallback == "a CUDA graph cannot add up the gradients of parts"


def test_a_graph_without_a_gpu_falls_back() -> None:
    prepared = prepare(_network().train(), torch.randn(2, 3, SIDE, SIDE), "graph", "fp32")
    assert prepared.execution == "eager"
    assert prepared.fallback == "graph failed: RuntimeError: CUDA graphs need a CUDA GPU"


def test_small_steps_are_captured_on_a_gpu_and_nothing_on_a_cpu() -> None:
    gpu = torch.device("cuda")
    quick, paper = (12_000_000, 16), (15_800_000_000, 128)
    assert choose("auto", gpu, *quick) == "graph"
    assert choose("auto", gpu, *paper) == "eager"
    assert choose("auto", CPU, *quick) == "eager"
    assert choose("compile", CPU, *quick) == "compile"


def test_tf32_is_refused_where_there_is_none() -> None:
    with pytest.raises(UserError, match="use --precision fp32 or bf16"):
        check_precision("tf32", CPU)
    check_precision("bf16", CPU)


def test_a_gpu_without_bf16_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    from agfer_bench.training import arithmetic as module

    monkeypatch.setattr(module, "native_bf16", lambda device: False)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla P100")
    with pytest.raises(UserError, match="Tesla P100 has no bf16 arithmetic; use --precision fp32"):
        check_precision("bf16", torch.device("cuda"))


def test_arithmetic_leaves_the_cpu_alone() -> None:
    with arithmetic("fp32", CPU):
        assert not torch.are_deterministic_algorithms_enabled()


def test_predictions_do_not_depend_on_the_parts() -> None:
    network, images, protocol = _network(), _images(), _protocol()
    indices = np.arange(N)[::-1].copy()
    whole = predict(network, images, indices, protocol)
    np.testing.assert_allclose(predict(network, images, indices, protocol, 3), whole, rtol=1e-5)
    assert whole.shape == (N, CLASSES)


def test_a_cpu_is_never_lost() -> None:
    assert not is_lost(CPU)


def test_a_blocks_own_loss_is_added_to_the_networks() -> None:
    """A loss that pulls the first layer's weights to 0, whole and in parts of a batch."""
    protocol = _protocol(epochs=2, optimiser="sgd", weight_decay=0.0, clip_norm=0.0)
    ends = []
    for strength, parts in ((0.0, None), (30.0, None), (30.0, 3)):
        network = _network().double()
        first = next(network.parameters())

        def pull(labels_B: Tensor, first: Tensor = first, strength: float = strength) -> Tensor:
            return strength * first.square().sum()

        done = _double_fit(network, protocol, parts, losses=[pull])
        assert done.prepared.execution == "eager"
        ends.append(first.detach())
    assert ends[1].square().sum() < 0.7 * ends[0].square().sum()
    torch.testing.assert_close(ends[1], ends[2])


def test_a_loss_that_is_no_number_ends_the_training() -> None:
    with pytest.raises(TrainingError, match="not a single number"):
        _fit(_network(), _protocol(), losses=[lambda labels: torch.ones(2)])


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_complex_weights_are_trained(optimiser: str) -> None:
    class Filtered(_Small):
        """Scales channels in the frequency domain."""

        def __init__(self) -> None:
            super().__init__()
            self.spectrum = nn.Parameter(torch.ones(3, 1, 1, dtype=torch.complex64))

        def forward(self, x: Tensor) -> Tensor:
            filtered = torch.fft.irfft2(torch.fft.rfft2(x) * self.spectrum, s=x.shape[-2:])
            return super().forward(filtered)

    network = Filtered()
    done = _fit(network, _protocol(optimiser=optimiser, clip_norm=1.0))
    assert done.history[-1].loss < done.history[0].loss
    assert not torch.equal(network.spectrum, torch.ones_like(network.spectrum))
