"""The host: exact parameter counts, layer counts, places of the blocks, guidance."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from agfer_bench.measure.size import layers, measure_size
from agfer_bench.network.build import Network, build_network
from agfer_bench.network.guidance import Guidance
from agfer_bench.network.initialise import initialise
from agfer_bench.network.vgg16 import Vgg16, Vgg16Shape
from agfer_bench.plugin.finder import load_catalogue
from agfer_bench.plugin.specs import Slot
from agfer_bench.protocol import load_preset

CATALOGUE = load_catalogue()


def _shape(stride: int = 16, *, width: float = 1.0, image_size: int = 224) -> Vgg16Shape:
    return Vgg16Shape(image_size=image_size, stride=stride, width=width, classes=7, dropout=0.5)


def _on_meta(stride: int, name: str = "base") -> Network:
    """Return the paper's full network without memory behind its weights."""
    with torch.device("meta"):
        host = Vgg16(_shape(stride), {})
        build = CATALOGUE.modules[name].spec.build
        for slot in _shape(stride).slots():
            host.blocks[str(slot.stage)] = build(slot)
    return Network(Guidance(np.ones((224, 224), dtype=bool)), host)


@pytest.mark.parametrize(("stride", "expected"), [(16, 442_570_567), (32, 134_289_223)])
def test_parameters_of_the_host_are_exact(stride: int, expected: int) -> None:
    assert sum(p.numel() for p in _on_meta(stride).parameters()) == expected


def test_convolutions_have_vgg16s_parameters() -> None:
    assert sum(p.numel() for p in _on_meta(16).host.own_layers()[0].parameters()) == 14_714_688


@pytest.mark.parametrize(
    ("name", "stride", "expected"),
    [("agfer", 16, 80), ("cbam", 16, 92), ("base", 16, 41), ("base", 32, 42), ("se", 16, 59)],
)
def test_layers_in_the_papers_count(name: str, stride: int, expected: int) -> None:
    assert layers(_on_meta(stride, name)) == expected


def test_slots_are_the_papers() -> None:
    where = {"slots": 3, "host": "vgg16", "image_size": 224, "place": "stage", "position": 1}
    sizes = [(128, 112, 2), (256, 56, 3), (512, 28, 4)]
    assert [vars(slot) for slot in _shape().slots()] == [
        vars(Slot(channels=channels, height=side, width=side, classes=7, stage=stage))
        | where
        | {"entering": (channels // 2, side, side)}
        for channels, side, stage in sizes
    ]


def test_a_block_stands_after_the_last_relu_and_before_the_pool() -> None:
    class Recorder(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.seen = x
            return torch.full_like(x, 2.0)

    shape = _shape(width=0.125, image_size=32)
    blocks = {str(slot.stage): Recorder() for slot in shape.slots()}
    host = Vgg16(shape, blocks)
    initialise(host, "he", torch.Generator().manual_seed(0))
    pooled: dict[int, torch.Tensor] = {}
    for index, pool in enumerate(host.pools):
        pool.register_forward_hook(lambda _m, x, _y, index=index: pooled.update({index: x[0]}))
    host(torch.randn(2, 3, 32, 32))
    for slot in shape.slots():
        seen = blocks[str(slot.stage)].seen
        assert seen.shape[1:] == (slot.channels, slot.height, slot.width)
        assert (seen >= 0).all(), "not after a ReLU"
        assert (pooled[slot.stage - 1] == 2.0).all(), "the pool must read the block's output"


def test_the_head_reads_every_position_of_the_map() -> None:
    """timm's own head averages over positions: swapping two would not matter to it."""
    shape = _shape(width=0.125, image_size=64)
    host = Vgg16(shape, {}).eval()
    initialise(host, "he", torch.Generator().manual_seed(0))
    x = torch.randn(1, shape.channels()[-1], 4, 4)
    assert not torch.allclose(host.head(x), host.head(x.flip(3)), atol=1e-4)
    assert [layer.p for layer in host.head if isinstance(layer, nn.Dropout)] == [0.5, 0.5]


@pytest.mark.parametrize("stride", [16, 32])
def test_forward_at_an_odd_size(stride: int) -> None:
    host = Vgg16(_shape(stride, width=0.125, image_size=48), {})
    initialise(host, "glorot", torch.Generator().manual_seed(0))
    assert host(torch.randn(2, 3, 48, 48)).shape == (2, 7)


def test_glorot_and_he_have_their_variances() -> None:
    for scheme in ("glorot", "he"):
        layer = nn.Linear(400, 600)
        initialise(nn.Sequential(layer), scheme, torch.Generator().manual_seed(0))
        variance = 2 / 1000 if scheme == "glorot" else 2 / 400
        assert layer.weight.var().item() == pytest.approx(variance, rel=0.02)
        assert (layer.bias == 0).all()


def test_modules_of_a_fold_start_from_identical_host_weights() -> None:
    protocol = load_preset("quick")
    mask = np.ones((48, 48), dtype=bool)
    states = []
    for name in ("base", "cbam"):
        (chosen,) = CATALOGUE.choose_modules(name)
        network = build_network(chosen, protocol, classes=7, mask=mask, fold=1)
        states.append([p for part in network.host.own_layers() for p in part.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*states, strict=True))
    (chosen,) = CATALOGUE.choose_modules("base")
    other = build_network(chosen, protocol, classes=7, mask=mask, fold=2)
    assert not torch.equal(states[0][0], next(iter(other.host.own_layers()[0].parameters())))


def test_the_harness_does_not_reinitialise_a_block() -> None:
    from agfer_bench import AttentionSpec
    from agfer_bench.plugin.catalogue import Chosen, Entry

    def build(slot: Slot) -> nn.Module:
        layer = nn.Conv2d(slot.channels, slot.channels, 1)
        nn.init.constant_(layer.weight, 0.125)
        return layer

    spec = AttentionSpec(name="own", build=build, source="", summary="")
    entry = Entry(spec=spec, distribution="d", version="1", module=__name__, options=())
    network = build_network(
        Chosen(entry=entry, values={}),
        load_preset("quick"),
        classes=7,
        mask=np.ones((48, 48), dtype=bool),
        fold=0,
    )
    assert all((block.weight == 0.125).all() for block in network.host.blocks.values())  # type: ignore[union-attr]


def test_equation_1_by_hand() -> None:
    mask = np.array([[True, False], [False, False]])
    guidance = Guidance(mask, alpha=0.125)
    x = torch.tensor([[[[8.0, 8.0], [-8.0, 4.0]]]])
    expected = torch.tensor([[[[9.0, 1.0], [-1.0, 0.5]]]])
    guidance.train()
    torch.testing.assert_close(guidance(x), expected)
    guidance.eval()
    assert torch.equal(guidance(x), x)
    guidance.always = True
    torch.testing.assert_close(guidance(x), expected)
    apart = Guidance(mask, alpha=0.125, while_training=False).train()
    assert torch.equal(apart(x), x), "laid over some images before the network"
    apart.always = True
    torch.testing.assert_close(apart(x), expected)


def test_multiply_accumulates_by_hand() -> None:
    protocol = load_preset("quick").with_settings({"image_size": 48})
    (chosen,) = CATALOGUE.choose_modules("base")
    network = build_network(chosen, protocol, classes=7, mask=np.ones((48, 48), dtype=bool), fold=0)
    size = measure_size(network, protocol)
    side, channels, expected = 48, 3, 0
    for stage, (width, convolutions) in enumerate(
        zip((8, 16, 32, 64, 64), (2, 2, 3, 3, 3), strict=True)
    ):
        for _ in range(convolutions):
            expected += side * side * channels * width * 9
            channels = width
        if stage < 4:
            side //= 2
    expected += 64 * 9 * 512 + 512 * 512 + 512 * 7
    assert size.macs == expected
    assert size.block_parameters == 0
