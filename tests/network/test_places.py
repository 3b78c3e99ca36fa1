"""Blocks in and around residual branches, and at VGG16's convolutions."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import timm
import torch
from agfer_bench_blocks.cbam_original import CBAMOriginal
from torch import Tensor, nn

from agfer_bench.errors import UserError
from agfer_bench.network.build import add_blocks, build_host, slots_of
from agfer_bench.network.host import Host
from agfer_bench.network.timm_host import TimmHost
from agfer_bench.network.vgg16 import Vgg16, Vgg16Shape
from agfer_bench.plugin.catalogue import Chosen
from agfer_bench.plugin.finder import load_catalogue
from agfer_bench.plugin.specs import AttentionSpec
from agfer_bench.protocol import Protocol, load_preset

RESIDUAL_PLACES = ("branch", "pre", "post", "identity")
SIDE = 64


class Scale(nn.Module):
    """Tells its input apart from all others."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return x_BCHW * self.factor


def _host(name: str, place: str, stages: tuple[int, ...] = (), classes: int = 7) -> TimmHost:
    torch.manual_seed(0)
    host = TimmHost(name, classes=classes, dropout=0.0, block_stages=stages, place=place)
    _open_branches(host)
    return host


def _plain(name: str, classes: int = 7) -> nn.Module:
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=classes)
    _open_branches(model)
    return model


def _open_branches(model: nn.Module) -> None:
    """timm starts a branch's last normalisation at 0, and the whole branch with it."""
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.weight, 0.5, 1.5)


def _fill(host: Host, factor: float) -> None:
    assert isinstance(host, TimmHost)
    for stage, position in host.places:
        host.blocks[f"{stage}_{position}"] = Scale(factor)


def _protocol(**settings: object) -> Protocol:
    return load_preset("quick").with_settings(settings)


def _chosen(name: str) -> Chosen[AttentionSpec]:
    (chosen,) = load_catalogue().choose_modules(name)
    return chosen


def _images(number: int = 2) -> Tensor:
    return torch.randn(number, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    "name", ["resnet18", "resnetv2_50", "regnetx_002", "mobilenetv3_small_050"]
)
@pytest.mark.parametrize("place", RESIDUAL_PLACES)
def test_without_blocks_the_traced_host_is_timms(name: str, place: str) -> None:
    host = _host(name, place)
    plain = _plain(name)
    assert host.places
    for training in (True, False):
        torch.testing.assert_close(
            host.train(training)(_images()), plain.train(training)(_images()), rtol=0, atol=0
        )
    assert host.weights().keys() < plain.state_dict().keys()


def _branch(block: Any, x: Tensor) -> Tensor:
    """Pass a map through the branch of timm's basic block, up to the addition."""
    y: Tensor = block.bn2(block.conv2(block.act1(block.bn1(block.conv1(x)))))
    return y


def _past(block: Any, x: Tensor) -> Tensor:
    y: Tensor = x if block.downsample is None else block.downsample(x)
    return y


BY_HAND: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "branch": lambda block, x: torch.relu(_past(block, x) + 0.5 * _branch(block, x)),
    "pre": lambda block, x: torch.relu(_past(block, x) + _branch(block, 0.5 * x)),
    "post": lambda block, x: 0.5 * torch.relu(_past(block, x) + _branch(block, x)),
    "identity": lambda block, x: torch.relu(0.5 * _past(block, x) + _branch(block, x)),
}


@pytest.mark.parametrize("place", RESIDUAL_PLACES)
def test_a_block_stands_where_its_place_says(place: str) -> None:
    host = _host("resnet18", place).eval()
    _fill(host, 0.5)
    plain: Any = _plain("resnet18").eval()
    x = plain.maxpool(plain.act1(plain.bn1(plain.conv1(_images()))))
    for layer in (plain.layer1, plain.layer2, plain.layer3, plain.layer4):
        for block in layer:
            x = BY_HAND[place](block, x)
    torch.testing.assert_close(host(_images()), plain.forward_head(x))


def test_only_named_stages_have_blocks() -> None:
    host = _host("resnet18", "branch", stages=(3, 5))
    assert host.places == ((3, 1), (3, 2), (5, 1), (5, 2))


@pytest.mark.parametrize("travel", [copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_a_copy_has_blocks_of_its_own(travel: Callable[[TimmHost], TimmHost]) -> None:
    host = _host("resnet18", "branch").eval()
    _fill(host, 0.5)
    copied = travel(host)
    expected = host(_images())
    _fill(host, 2.0)
    torch.testing.assert_close(copied(_images()), expected)
    assert not torch.allclose(host(_images()), expected)


def test_functional_dropout_follows_the_mode() -> None:
    """timm's ResNet calls the function, whose mode a trace would fix."""
    torch.manual_seed(0)
    host = TimmHost("resnet18", classes=7, dropout=0.5, block_stages=(), place="branch")
    host.eval()
    assert torch.equal(host(_images()), host(_images()))
    features = host.train().body.eval()
    for part in features.modules():
        if isinstance(part, nn.Dropout):
            part.train()
    assert not torch.equal(host(_images()), host(_images()))


@pytest.mark.parametrize(
    ("name", "place", "stages", "says"),
    [
        ("densenet121", "branch", (), "no residual branch in any stage"),
        ("resnet18", "post", (1,), "no residual branch in stage 1"),
        ("resnet18", "post", (9,), "no stage 9"),
        ("vgg11", "pre", (), "no residual branch in any stage"),
    ],
)
def test_a_place_that_a_host_lacks(
    name: str, place: str, stages: tuple[int, ...], says: str
) -> None:
    with pytest.raises(UserError, match=says):
        _host(name, place, stages)


@pytest.mark.parametrize(
    "settings",
    [{"place": "branch"}, {"host": "timm:resnet18", "place": "conv"}, {"place": "middle"}],
)
def test_a_place_of_another_kind_of_host_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(UserError, match="place"):
        _protocol(**settings)


def test_slots_tell_where_they_are() -> None:
    protocol = _protocol(host="timm:resnet18", place="branch", image_size=SIDE)
    assert protocol.slots == ()
    slots = slots_of(protocol, 7)
    assert [(slot.stage, slot.position) for slot in slots] == [
        (stage, position) for stage in (2, 3, 4, 5) for position in (1, 2)
    ]
    told = {(slot.place, slot.slots, slot.host, slot.image_size) for slot in slots}
    assert told == {("branch", 8, "timm:resnet18", SIDE)}
    assert [slot.channels for slot in slots[::2]] == [64, 128, 256, 512]


def test_every_slot_starts_from_weights_of_its_own() -> None:
    protocol = _protocol(host="timm:resnet18", place="branch", image_size=SIDE)
    host = build_host(protocol, 7, fold=0)
    add_blocks(host, _chosen("se"), protocol, classes=7, fold=0)
    assert len(host.blocks) == 8
    one, other = (next(host.blocks[key].parameters()) for key in ("2_1", "2_2"))
    assert one.shape == other.shape
    assert not torch.equal(one, other)


# Published networks.


def test_se_resnet50_is_timms() -> None:
    """Hu et al. 2018, arXiv:1709.01507: SE at the end of every branch of ResNet-50."""
    protocol = _protocol(host="timm:resnet50", place="branch", image_size=SIDE)
    host = build_host(protocol, 1000, fold=0)
    add_blocks(host, _chosen("se"), protocol, classes=1000, fold=0)
    published = timm.create_model("seresnet50", num_classes=1000).eval()
    count = sum(tensor.numel() for tensor in published.parameters())
    assert sum(tensor.numel() for tensor in host.parameters()) == count == 28_088_024

    theirs = published.state_dict()
    gates = [name.removesuffix(".fc1.weight") for name in theirs if name.endswith("se.fc1.weight")]
    body: Any = host.body
    body.load_state_dict({name: tensor for name, tensor in theirs.items() if ".se." not in name})
    for block, name in zip(host.blocks.values(), gates, strict=True):
        own = [(key, tensor.shape) for key, tensor in block.state_dict().items()]
        other = [
            theirs[f"{name}.{key}"] for key in ("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias")
        ]
        block.load_state_dict(
            {key: tensor.reshape(shape) for (key, shape), tensor in zip(own, other, strict=True)}
        )
    with torch.no_grad():
        torch.testing.assert_close(
            host.eval()(_images()), published(_images()), rtol=1e-5, atol=1e-5
        )


def test_se_resnet18_has_the_published_parameters() -> None:
    """2 / R times the sum of squares of the branches' channels, as section 4 of the paper counts,
    and the biases of both layers."""
    protocol = _protocol(host="timm:resnet18", place="branch", image_size=SIDE)
    host = build_host(protocol, 1000, fold=0)
    add_blocks(host, _chosen("se"), protocol, classes=1000, fold=0)
    channels = (64, 64, 128, 128, 256, 256, 512, 512)
    blocks = sum(2 * C * C // 16 + C // 16 + C for C in channels)
    plain = sum(tensor.numel() for tensor in timm.create_model("resnet18").parameters())
    assert sum(tensor.numel() for tensor in host.parameters()) == plain + blocks


def test_cbam_resnet18_has_the_published_parameters() -> None:
    """Woo et al. 2018, arXiv:1807.06521, table 4: ResNet18 + CBAM has 11.78 M."""
    protocol = _protocol(host="timm:resnet18", place="branch", image_size=SIDE)
    host = build_host(protocol, 1000, fold=0)
    add_blocks(host, _chosen("cbam-original"), protocol, classes=1000, fold=0)
    assert all(isinstance(block, CBAMOriginal) for block in host.blocks.values())
    count = sum(tensor.numel() for tensor in host.parameters())
    assert round(count / 1e6, 2) == 11.78


# VGG16.


@pytest.mark.parametrize("place", ["conv", "relu"])
def test_vgg16_takes_a_block_after_every_convolution(place: str) -> None:
    shape = Vgg16Shape(
        image_size=32, stride=16, width=0.125, classes=7, dropout=0.0, block_stages=(), place=place
    )
    slots = shape.slots()
    assert [slot.stage for slot in slots] == [1, 1, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5]
    assert {slot.slots for slot in slots} == {13}
    torch.manual_seed(0)
    blocks = {f"{slot.stage}_{slot.position}": Scale(-2.0) for slot in slots}
    host = Vgg16(shape, blocks)
    for tensor in host.parameters():
        nn.init.normal_(tensor, std=0.2)
    x = images = _images(1)[..., :32, :32]
    for number, stage in enumerate(host.stages):
        assert isinstance(stage, nn.Sequential)
        for layer in stage:
            if isinstance(layer, nn.Conv2d):
                x = layer(x)
            elif place == "conv":
                x = torch.relu(-2.0 * x)
            else:
                x = -2.0 * torch.relu(x)
        x = host.pools[number](x) if number < 4 else x
    torch.testing.assert_close(host(images), host.head(x))


def test_a_block_before_a_relu_may_need_its_output_for_the_gradient() -> None:
    shape = Vgg16Shape(
        image_size=32,
        stride=16,
        width=0.125,
        classes=7,
        dropout=0.0,
        block_stages=(1,),
        place="conv",
    )
    host = Vgg16(shape, {"1_1": nn.Tanh(), "1_2": nn.Tanh()})
    for tensor in host.parameters():
        nn.init.normal_(tensor, std=0.05)
    host(_images(1)[..., :32, :32]).sum().backward()
    assert all(tensor.grad is not None for tensor in host.parameters())
