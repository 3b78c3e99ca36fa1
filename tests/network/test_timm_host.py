"""Backbones of timm as hosts: where blocks stand, what is shared, what is refused."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import timm
import torch
from torch import Tensor, nn

from agfer_bench.errors import UserError
from agfer_bench.measure.size import measure_size, parameters
from agfer_bench.network.build import Network, build_network, slots_of
from agfer_bench.network.timm_host import TimmHost
from agfer_bench.plugin.finder import load_catalogue
from agfer_bench.plugin.specs import Slot
from agfer_bench.protocol import Protocol, load_preset

CATALOGUE = load_catalogue()
SIDE = 48
PRETRAINED = "mine@sha256:" + 64 * "0"


def _protocol(host: str, **changes: Any) -> Protocol:
    return load_preset("quick").with_settings({"host": host, **changes})


def _network(protocol: Protocol, module: str = "base", fold: int = 0) -> Network:
    (chosen,) = CATALOGUE.choose_modules(module)
    mask = np.ones((SIDE, SIDE), dtype=bool)
    return build_network(chosen, protocol, classes=7, mask=mask, fold=fold).eval()


def test_slots_are_the_shapes_behind_the_stages() -> None:
    """ResNet-18 (He et al. 2016, table 1): 64, 128, 256 channels at 1/4, 1/8, 1/16."""
    protocol = _protocol("timm:resnet18", image_size=224)
    shapes = [(slot.stage, slot.channels, slot.height) for slot in slots_of(protocol, 7)]
    assert shapes == [(2, 64, 56), (3, 128, 28), (4, 256, 14)]
    (only,) = slots_of(_protocol("timm:resnet18", slots="5"), 7)
    assert only == Slot(
        channels=512,
        height=2,
        width=2,
        classes=7,
        stage=5,
        slots=1,
        host="timm:resnet18",
        image_size=40,
        previous=(3, 40, 40),
        entering=(256, 3, 3),
    )


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv3_small_100", "densenet121"])
def test_without_blocks_it_is_timms_own_network(name: str) -> None:
    network = _network(_protocol(f"timm:{name}", guidance=False))
    reference = timm.create_model(name, num_classes=7, drop_rate=0.5).eval()
    assert parameters(network) == parameters(reference)
    own = network.host.own_layers()[0].state_dict()
    renamed = {key.replace(".stage.", "."): value for key, value in own.items()}
    reference.load_state_dict(renamed)
    x = torch.randn(2, 3, SIDE, SIDE)
    torch.testing.assert_close(network(x), reference(x))


def test_a_block_stands_behind_its_stage() -> None:
    class Twice(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 2 * x

    network = _network(_protocol("timm:resnet18", guidance=False, slots="3"))
    network.host.blocks["3"] = Twice()
    reference = timm.create_model("resnet18", num_classes=7).eval()
    own = network.host.own_layers()[0].state_dict()
    reference.load_state_dict({key.replace(".stage.", "."): v for key, v in own.items()})
    reference.layer2.register_forward_hook(lambda module, inputs, output: 2 * output)  # type: ignore[union-attr]
    x = torch.randn(2, 3, SIDE, SIDE)
    torch.testing.assert_close(network(x), reference(x))


def test_all_modules_of_a_fold_start_from_the_same_weights() -> None:
    protocol = _protocol("timm:resnet18")
    hashes = {_network(protocol, name).host.own_sha256() for name in ("base", "se", "cbam")}
    assert len(hashes) == 1
    assert _network(protocol, "base", fold=1).host.own_sha256() not in hashes


def test_copies_have_blocks_of_their_own() -> None:
    network = _network(_protocol("timm:resnet18"), "se")
    x = torch.randn(2, 3, SIDE, SIDE)
    before = network(x)
    for clone in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert torch.equal(clone(x), before)
        with torch.no_grad():
            for parameter in clone.host.blocks.parameters():
                parameter.add_(1.0)
        assert not torch.equal(clone(x), before)
        assert torch.equal(network(x), before)


def test_size_counts_the_blocks_and_no_papers_layers() -> None:
    protocol = _protocol("timm:resnet18")
    base, se = (measure_size(_network(protocol, name), protocol) for name in ("base", "se"))
    assert se.parameters - base.parameters == se.block_parameters
    per_slot = [2 * c * (c // 16) + c // 16 + c for c in (64, 128, 256)]
    assert se.block_parameters == sum(per_slot)
    assert base.layers is None, "nobody has published a count for it"


@pytest.mark.parametrize(
    ("host", "changes", "message"),
    [
        ("timm:resnet81", {}, "did you mean 'resnet"),
        ("timm:zzzzqqqq", {}, "timm.list_models"),
        ("timm:vit_tiny_patch16_224", {"image_size": 224}, "not a map"),
        ("timm:vit_tiny_patch16_224", {"image_size": 48}, "does not take images of 48 px"),
        ("timm:swin_tiny_patch4_window7_224", {"image_size": 224}, "not a map"),
        ("timm:resnet18", {"slots": "6"}, "no stage 6.*1 act1, 2 layer1"),
        ("vgg16", {"slots": "6"}, "no stage 6"),
    ],
)
def test_what_cannot_be_a_host_is_one_line(
    host: str, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        slots_of(_protocol(host, **changes), 7)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"host": "resnet18"}, "host"),
        ({"host": "timm:resnet18", "width": 0.5}, "settings of vgg16"),
        ({"host": "timm:resnet18", "stride": 32}, "settings of vgg16"),
        ({"initialisation": "own"}, "VGG16 has none"),
        ({"slots": "3,2"}, "rising order"),
        ({"slots": "2,2"}, "rising order"),
        ({"slots": "0"}, "slots"),
        ({"slots": "a"}, "slots"),
        ({"slots": ""}, "slots"),
        ({"normalisation": "pretrained"}, "needs pretrained weights"),
        ({"host": "timm:resnet18", "unit_variance": True}, "needs initialisation=glorot or he"),
        ({"pretrained": PRETRAINED, "width": 1.0, "unit_variance": True}, "no pretrained weights"),
    ],
)
def test_settings_that_contradict_each_other(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_preset("quick").with_settings(changes)


def test_a_change_of_host_drops_what_a_preset_says_of_vgg16() -> None:
    protocol = _protocol("timm:resnet18")
    assert (protocol.width, protocol.initialisation) == (1.0, "own")
    assert load_preset("quick").unit_variance
    assert not protocol.unit_variance
    assert (
        not load_preset("quick").with_settings({"pretrained": PRETRAINED, "width": 1}).unit_variance
    )
    assert protocol.fingerprint != _protocol("timm:resnet34").fingerprint
    assert protocol.fingerprint != _protocol("timm:resnet18", slots="2,3").fingerprint
    he = _protocol("timm:resnet18", initialisation="he")
    assert _network(he).host.own_sha256() != _network(protocol).host.own_sha256()


def test_a_host_can_be_compiled() -> None:
    """Graph breaks aside: what torch.compile traces computes the same."""
    host = TimmHost("resnet18", classes=7, dropout=0.0, block_stages=(2, 3)).eval()
    host.blocks["2"] = nn.Identity()
    x = torch.randn(1, 3, SIDE, SIDE)
    with torch.no_grad():
        compiled = torch.compile(host, backend="eager")
        torch.testing.assert_close(compiled(x), host(x))


def test_a_stage_that_timm_lists_and_the_network_lacks_is_refused() -> None:
    with pytest.raises(UserError) as caught:
        _every_stage("hrnet_w18_small_v2")
    assert "timm:hrnet_w18_small_v2 has no stage" in str(caught.value)
    assert "though timm lists one" in str(caught.value)


def _every_stage(name: str) -> None:
    for stage in range(1, 6):
        TimmHost(name, classes=7, dropout=0.0, block_stages=(stage,))
