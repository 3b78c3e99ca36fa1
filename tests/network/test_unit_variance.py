"""Layers rescaled to outputs of variance 1, whatever blocks stand between them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from agfer_bench.network.initialise import initialise
from agfer_bench.network.unit_variance import rescale_layers
from agfer_bench.network.vgg16 import Vgg16, Vgg16Shape
from agfer_bench.plugin.finder import load_catalogue

MAPS_BCHW = torch.randn(16, 3, 32, 32, generator=torch.Generator().manual_seed(0))
SHAPE = Vgg16Shape(image_size=32, stride=16, width=0.125, classes=7, dropout=0.0)


class Times(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return x_BCHW * self.factor


def host_with(block: object) -> Vgg16:
    host = Vgg16(SHAPE, {})
    initialise(host, "he", torch.Generator().manual_seed(1))
    torch.manual_seed(2)
    for slot in SHAPE.slots():
        host.blocks[str(slot.stage)] = block(slot)  # type: ignore[operator]
    return host


def variances(host: Vgg16) -> list[float]:
    found: list[float] = []
    handles = [
        layer.register_forward_hook(lambda _layer, _in, out: found.append(float(out.var())))
        for part in host.own_layers()
        for layer in part.modules()
        if isinstance(layer, nn.Conv2d | nn.Linear)
    ]
    host(MAPS_BCHW)
    for handle in handles:
        handle.remove()
    return found


@pytest.mark.parametrize("name", ["base", "agfer", "se", "cbam"])
@torch.no_grad()
def test_every_layer_has_outputs_of_variance_one(name: str) -> None:
    host = host_with(load_catalogue().modules[name].spec.build)
    blocks = [parameter.clone() for parameter in host.blocks.parameters()]
    before = variances(host)
    rescale_layers(host, lambda: host(MAPS_BCHW))
    found = variances(host)
    assert len(found) == 16
    assert found == pytest.approx([1] * 16, rel=1e-3)
    assert min(before) < 0.5 or max(before) > 1.5, "there was something to rescale"
    for own, was in zip(host.blocks.parameters(), blocks, strict=True):
        assert torch.equal(own, was), "blocks are left alone"


@torch.no_grad()
def test_damping_by_a_constant_is_made_up_for() -> None:
    plain, damped = host_with(lambda slot: nn.Identity()), host_with(lambda slot: Times(0.03))
    assert not torch.allclose(plain(MAPS_BCHW), damped(MAPS_BCHW), rtol=0.1)
    for host in (plain, damped):
        rescale_layers(host, lambda host=host: host(MAPS_BCHW))  # type: ignore[misc]
    assert torch.allclose(plain(MAPS_BCHW), damped(MAPS_BCHW), rtol=1e-3, atol=1e-4)


@torch.no_grad()
def test_layers_that_do_not_vary_are_left_as_they_are() -> None:
    for factor in (0.0, float("nan")):
        host = host_with(lambda slot, factor=factor: Times(factor))
        behind = next(host.stages[4].parameters()).clone()
        rescale_layers(host, lambda host=host: host(MAPS_BCHW))  # type: ignore[misc]
        assert torch.equal(next(host.stages[4].parameters()), behind)
        assert variances(host_with(lambda slot: nn.Identity()))[0] != pytest.approx(1)
        assert variances(host)[0] == pytest.approx(1, rel=1e-3), "those before are rescaled"


def test_nothing_is_left_behind_where_a_pass_fails() -> None:
    host = host_with(lambda slot: nn.Identity())

    def forward() -> None:
        host.stages[0](MAPS_BCHW)
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        rescale_layers(host, forward)
    assert all(not layer._forward_hooks for layer in host.modules())
    assert all(
        parameter.requires_grad and parameter.grad is None for parameter in host.parameters()
    )
