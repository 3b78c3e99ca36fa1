"""Pretrained weights: taken whole or refused, with the input they want, named in the protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from agfer_bench.errors import UserError
from agfer_bench.network.build import build_host, find_pretrained
from agfer_bench.network.vgg16 import Vgg16
from agfer_bench.protocol import Protocol, load_preset


def _protocol(**changes: Any) -> Protocol:
    return load_preset("quick").with_settings({"image_size": 32, **changes})


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    """timm's VGG16 with random weights, as a checkpoint would hold it."""
    torch.manual_seed(0)
    model = timm.create_model("vgg16", num_classes=3)
    return {k: v.contiguous() for k, v in model.state_dict().items() if "features" in k}


def _find(file: Path, cache: Path, *, own_input: bool = True, **changes: Any) -> Any:
    protocol = _protocol(**changes)
    return find_pretrained(protocol, str(file), cache, own_input=own_input)


@pytest.mark.parametrize("form", ["pth", "safetensors", "nested"])
def test_vgg16_takes_the_convolutions_and_nothing_else(
    form: str, state: dict[str, Tensor], tmp_path: Path
) -> None:
    file = tmp_path / f"weights.{'safetensors' if form == 'safetensors' else 'pth'}"
    if form == "safetensors":
        save_file(state, file)
    else:
        torch.save({"state_dict": state} if form == "nested" else state, file)
    protocol, weights = _find(file, tmp_path / "cache", width=1.0)
    host = build_host(protocol, 7, 0, weights)
    assert isinstance(host, Vgg16)
    x = torch.randn(1, 3, 32, 32)
    reference = timm.create_model("vgg16", features_only=False, num_classes=3)
    reference.load_state_dict(state, strict=False)
    y = x
    for index, stage in enumerate(host.stages):
        y = stage(y)
        if index < len(host.pools):
            y = host.pools[index](y)
    without_pool5 = nn.Sequential(*list(reference.features)[:-1])  # type: ignore[arg-type]
    torch.testing.assert_close(y, without_pool5(x))
    scratch = build_host(_protocol(width=1.0), 7, 0)
    assert isinstance(scratch, Vgg16)
    assert torch.equal(
        host.head.get_parameter("1.weight"), scratch.head.get_parameter("1.weight")
    ), "the head is as without them"


def test_the_protocol_names_them_and_their_input(state: dict[str, Tensor], tmp_path: Path) -> None:
    file = tmp_path / "mine.pth"
    torch.save(state, file)
    protocol, weights = _find(file, tmp_path / "cache", width=1.0)
    assert protocol.pretrained == weights.name
    assert weights.name.startswith("mine.pth@sha256:")
    assert protocol.normalisation == "pretrained"
    assert weights.mean == pytest.approx((123.675, 116.28, 103.53)), "ImageNet's, times 255"
    assert weights.std == pytest.approx((58.395, 57.12, 57.375))
    kept, _ = _find(file, tmp_path / "cache", own_input=False, width=1.0)
    assert kept.normalisation == "standardise"
    other = {name: tensor + 1e-3 for name, tensor in state.items()}
    torch.save(other, file)
    changed, _ = _find(file, tmp_path / "cache", width=1.0)
    assert changed.fingerprint != protocol.fingerprint
    with pytest.raises(UserError, match="not those that the protocol names"):
        find_pretrained(protocol, str(file), tmp_path / "cache", own_input=True)
    with pytest.raises(UserError, match="give it with --pretrained"):
        find_pretrained(protocol, None, tmp_path / "cache", own_input=True)


def test_a_timm_host_takes_all_but_its_classifier(tmp_path: Path) -> None:
    torch.manual_seed(1)
    model = timm.create_model("resnet18", num_classes=5)
    for buffer in model.buffers():
        if buffer.is_floating_point():
            buffer.add_(0.5)
    file = tmp_path / "resnet.pth"
    torch.save(model.state_dict(), file)
    protocol, weights = _find(file, tmp_path / "cache", host="timm:resnet18")
    host = build_host(protocol, 7, 0, weights).eval()
    reference = timm.create_model("resnet18", num_classes=0)
    reference.load_state_dict(model.state_dict(), strict=False)
    x = torch.randn(2, 3, 32, 32)
    body: Any = host.own_layers()[0]
    body.fc = nn.Identity()
    torch.testing.assert_close(host(x), reference.eval()(x))


def test_timms_own_weights_come_from_timm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(2)
    model = timm.create_model("resnet18")
    file = tmp_path / "hub.pth"
    torch.save(model.state_dict(), file)
    create = timm.create_model

    def from_file(name: str, **options: Any) -> nn.Module:
        if options.get("pretrained"):
            options["pretrained_cfg_overlay"] = {"file": str(file)}
        made: nn.Module = create(name, **options)
        return made

    monkeypatch.setattr(timm, "create_model", from_file)
    protocol, weights = find_pretrained(
        _protocol(host="timm:resnet18"), "timm", tmp_path / "cache", own_input=True
    )
    assert weights is not None
    assert weights.name.startswith("timm-resnet18@sha256:")
    found = build_host(protocol, 7, 0, weights).weights()["conv1.weight"]
    assert torch.equal(found, model.state_dict()["conv1.weight"])


def test_a_hub_that_does_not_answer_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(name: str, **options: Any) -> nn.Module:
        if options.get("pretrained"):
            raise ConnectionError("no\nroute")
        made: nn.Module = create(name, **options)
        return made

    create = timm.create_model
    monkeypatch.setattr(timm, "create_model", broken)
    with pytest.raises(UserError, match=r"cannot load .* no route.*--pretrained FILE"):
        find_pretrained(_protocol(host="timm:resnet18"), "timm", tmp_path, own_input=True)


class _Code:
    """Stands for what a pickle may hold beside weights."""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        ({"a": torch.zeros(1)}, "lacks features.0.weight.* and 23 more"),
        (_Code(), "no file of weights alone"),
        ("wide", "has other shapes of features.0.weight"),
        ("nan", "not finite"),
    ],
)
def test_what_are_no_weights_for_the_host(
    content: Any, message: str, state: dict[str, Tensor], tmp_path: Path
) -> None:
    file = tmp_path / "weights.pth"
    if content == "wide":
        content = state | {"features.0.weight": torch.zeros(8, 3, 3, 3)}
    if content == "nan":
        content = state | {"features.2.bias": torch.full((64,), float("nan"))}
    if content is not None:
        torch.save(content, file)
    with pytest.raises(UserError, match=message):
        _find(file, tmp_path / "cache", width=1.0)


def test_a_narrow_vgg16_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="add --width 1"):
        _find(tmp_path / "none.pth", tmp_path)
