"""Blocks that are given more than their map, and blocks that replace their stage."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any

import pytest
import torch
from torch import Tensor, nn

from agfer_bench import AttentionSpec, InputImage, PluginError, PreviousMap, Slot, UserError
from agfer_bench.contract.block import Block, Broken
from agfer_bench.contract.find import find_blocks
from agfer_bench.contract.same import same_function
from agfer_bench.contract.shapes import leaves_its_input
from agfer_bench.network.build import add_blocks, build_block, build_host, slots_of
from agfer_bench.network.gates import NoGate, find_gate
from agfer_bench.network.host import Host
from agfer_bench.network.second_inputs import WithInputs
from agfer_bench.network.trial import try_block
from agfer_bench.plugin.catalogue import Chosen
from agfer_bench.plugin.options import for_blocks
from agfer_bench.protocol import Protocol, load_preset

SIDE = 32


class Keeps(nn.Module):
    """Keeps what it is given, and returns its map."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[tuple[Tensor, ...]] = []

    def forward(
        self,
        x: Tensor,
        before: Annotated[Tensor, PreviousMap],
        image: Annotated[Tensor, InputImage()],
        *,
        scale: float = 2.0,
    ) -> Tensor:
        self.given.append((x, before, image))
        return x * scale


class Mixes(nn.Module):
    """Looks at the images of the whole batch."""

    def forward(self, x: Tensor, image: Annotated[Tensor, InputImage]) -> Tensor:
        return x * image.mean()


class Flattens(nn.Module):
    """Takes the image to lie in memory channel by channel."""

    def forward(self, x: Tensor, image: Annotated[Tensor, InputImage]) -> Tensor:
        return x * image.view(len(image), -1).mean(dim=1).view(-1, 1, 1, 1)


class Spoils(nn.Module):
    """Changes what other blocks are given, too."""

    def forward(self, x: Tensor, before: Annotated[Tensor, PreviousMap]) -> Tensor:
        return x * before.relu_().mean(dim=(1, 2, 3), keepdim=True)


class Decorated(nn.Module):
    @torch.autocast("cpu", enabled=False)  # type: ignore[untyped-decorator]
    def forward(self, x: Tensor, image: Annotated[Tensor, InputImage]) -> Tensor:
        return x * image.mean(dim=(1, 2, 3), keepdim=True)


class Unmarked(nn.Module):
    def forward(self, x: Tensor, other: Tensor) -> Tensor:
        return x + other


class Elsewhere(nn.Module):
    """Annotated with what only a type checker knows."""

    def forward(self, x: Tensor, scale: Unheard = 1.0) -> Tensor:  # type: ignore[name-defined]  # noqa: F821
        y: Tensor = x * scale
        return y


class Stage(nn.Module):
    """Stands for a stage: one convolution of its stride."""

    def __init__(self, slot: Slot) -> None:
        super().__init__()
        channels, height, _ = slot.given
        stride = height // slot.height
        self.layer = nn.Conv2d(channels, slot.channels, 3, stride, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = torch.relu(self.layer(x))
        return y


def _chosen(build: Callable[[Slot], Any], *, replaces: bool = False) -> Chosen[AttentionSpec]:
    spec = AttentionSpec(
        name="mine", build=lambda slot: build(slot), source="", summary="", replaces=replaces
    )
    (block,) = find_blocks(spec)
    return block.chosen


def _protocol(**settings: Any) -> Protocol:
    return load_preset("quick").with_settings({"image_size": SIDE, **settings})


def _host(chosen: Chosen[AttentionSpec], protocol: Protocol) -> Host:
    host = build_host(protocol, classes=3, fold=0)
    add_blocks(host, chosen, protocol, classes=3, fold=0)
    return host.eval()


@pytest.mark.parametrize(
    "settings",
    [{}, {"place": "conv"}, {"host": "timm:resnet10t"}, {"host": "timm:resnet10t", "place": "pre"}],
)
def test_a_block_is_given_the_image_and_the_previous_map(settings: dict[str, Any]) -> None:
    protocol = _protocol(**settings)
    host = _host(_chosen(lambda slot: Keeps()), protocol)
    image = torch.randn(2, 3, SIDE, SIDE)
    host(image)
    before = image
    blocks = [part for part in host.blocks.modules() if isinstance(part, Keeps)]
    slots = slots_of(protocol, 3)
    assert len(blocks) == len(slots) > 1
    for block, slot in zip(blocks, slots, strict=True):
        ((x, previous, seen),) = block.given
        assert seen is image
        assert torch.equal(previous, before)
        assert previous.shape[1:] == slot.previous
        before = 2 * x


def test_nothing_is_kept_once_the_image_has_passed() -> None:
    host = _host(_chosen(lambda slot: Keeps()), _protocol())
    copied = copy.deepcopy(host)
    for one in (host, copied):
        one(torch.randn(2, 3, SIDE, SIDE))
        wrappers = [part for part in one.blocks.modules() if isinstance(part, WithInputs)]
        assert len({id(part._passing) for part in wrappers}) == 1
        assert wrappers[0]._passing is one._passing is not None
        assert one._passing.image is one._passing.previous is None
    assert host._passing is not copied._passing
    assert not list(host.blocks.buffers()), "no noise is counted as the block's memory"
    # With another block nothing is kept at all.
    assert _host(_chosen(lambda slot: nn.Identity()), _protocol())._passing is None


def test_outside_a_host_noise_stands_for_them() -> None:
    slot = slots_of(_protocol(), 3)[1]
    block = build_block(_chosen(lambda slot: Keeps()), slot)
    x = torch.randn(6, *slot.given)
    block(x)
    ((_, previous, image),) = block.get_submodule("block").given  # type: ignore[misc]
    assert previous.shape == (6, *slot.previous)
    assert image.shape == (6, 3, SIDE, SIDE)
    assert not torch.equal(image[0], image[1])
    block(x.contiguous(memory_format=torch.channels_last))
    (_, (_, *others)) = block.get_submodule("block").given  # type: ignore[misc]
    assert all(one.is_contiguous(memory_format=torch.channels_last) for one in others), "as a host"
    assert not list(block.state_dict()), "noise is no part of the weights"
    with pytest.raises(NoGate, match="given more than its map"):
        find_gate(block)


def test_a_block_that_mixes_images_is_refused() -> None:
    slots = slots_of(_protocol(), 3)
    with pytest.raises(PluginError, match="its answer for an image changes alone"):
        try_block(_chosen(lambda slot: Mixes()), slots)


def test_a_layout_that_fails_on_a_second_input_is_found_before_training() -> None:
    slots = slots_of(_protocol(), 3)
    found = try_block(_chosen(lambda slot: Flattens()), slots)
    assert found.memory_format == "contiguous"
    assert "write reshape(...) in place of view(...)" in str(found.reason)


def test_a_second_input_must_be_left_alone() -> None:
    chosen = _chosen(lambda slot: Spoils())
    with pytest.raises(PluginError, match="forward changed its input before"):
        try_block(chosen, slots_of(_protocol(), 3))
    slot = slots_of(_protocol(), 3)[1]
    with pytest.raises(Broken, match="changed its input before in evaluation"):
        leaves_its_input(Block(chosen=chosen), slot)


def test_marks_are_read_behind_a_decorator_and_in_a_function() -> None:
    import agfer_bench as here

    class Inner(nn.Module):
        def forward(self, x: Tensor, before: Annotated[Tensor, here.PreviousMap]) -> Tensor:
            return x * before.mean(dim=(1, 2, 3), keepdim=True)

    slots = slots_of(_protocol(), 3)
    for kind in (Decorated, Inner):

        def build(slot: Slot, kind: type[nn.Module] = kind) -> nn.Module:
            return kind()

        assert isinstance(build_block(_chosen(build), slots[0]), WithInputs)
        try_block(_chosen(build), slots)


def test_an_argument_without_a_mark_is_named() -> None:
    slots = slots_of(_protocol(), 3)
    with pytest.raises(PluginError, match="forward needs other beside the map; mark it as Annot"):
        try_block(_chosen(lambda slot: Unmarked()), slots)
    try_block(_chosen(lambda slot: Elsewhere()), slots)


@pytest.mark.parametrize("settings", [{}, {"host": "timm:resnet10t"}])
def test_a_block_stands_in_place_of_its_stage(settings: dict[str, Any]) -> None:
    protocol = _protocol(**settings)
    chosen = _chosen(Stage, replaces=True)
    try_block(chosen, slots_of(protocol, 3))
    plain = build_host(protocol, classes=3, fold=0)
    host = _host(chosen, protocol)
    assert host(torch.randn(2, 3, SIDE, SIDE)).shape == (2, 3)
    assert host.own_sha256() == plain.own_sha256(), "it started from the same host"
    # What is left of the host is the host's without these stages.
    own = dict(plain.named_parameters())
    left = {name: p for name, p in host.named_parameters() if not name.startswith("blocks.")}
    gone = [name for name in own if name not in left and name.replace(".stage.", ".") not in left]
    assert gone
    assert all(torch.equal(p, own[name]) for name, p in left.items())
    stages = {slot.stage for slot in slots_of(protocol, 3)}
    where = {3: "layer2", 4: "layer3"} if settings else {2: "stages.1", 3: "stages.2"}
    assert all(any(where.get(stage, "") in name for name in gone) for stage in stages)
    host(torch.randn(2, 3, SIDE, SIDE)).sum().backward()
    assert all(p.grad is not None for p in host.parameters())


def test_what_cannot_be_replaced_is_refused() -> None:
    chosen = _chosen(Stage, replaces=True)
    with pytest.raises(UserError, match=r"replaces its stage, which place=conv leaves where it is"):
        _host(chosen, _protocol(place="conv"))
    # Found when it is tried, before data are read or anything is trained.
    for host, stage in (("resnet10t", "1"), ("mobilenetv3_small_100", "4")):
        protocol = _protocol(host=f"timm:{host}", slots=stage)
        with pytest.raises(UserError, match=f"timm:{host} has layers of stage {stage} outside"):
            try_block(chosen, slots_of(protocol, 3))
    whole = slots_of(_protocol(host="timm:mobilenetv3_small_100", slots="3"), 3)
    assert whole[0].entering[0]
    slot = slots_of(_protocol(), 3)[0]
    for option in ("residual", "neutral"):
        twisted = Chosen(entry=chosen.entry, values=chosen.values | {option: True})
        with pytest.raises(UserError, match="the block replaces its stage; residual, neutral"):
            build_block(twisted, slot)
    with pytest.raises(PluginError, match=r"returned the shape .* and not .* the stage it replac"):
        try_block(_chosen(lambda slot: nn.Identity(), replaces=True), slots_of(_protocol(), 3))


def test_values_by_stage_where_a_stage_has_several_slots() -> None:
    spec = AttentionSpec(name="mine", build=_with_power, source="", summary="")
    (block,) = find_blocks(spec)
    entry = replace(block.chosen.entry, options=for_blocks(block.chosen.entry.options))
    slots = slots_of(_protocol(place="conv", slots="2,3,4"), 3)
    chosen = Chosen(entry=entry, values={"power": "4/8/16"})
    found = [chosen.arguments(slot)["power"] for slot in slots]
    assert found == [{2: 4, 3: 8, 4: 16}[slot.stage] for slot in slots]
    wrong = Chosen(entry=entry, values={"power": "4/8"})
    with pytest.raises(UserError, match=f"2 values for {len(slots)} slots in 3 stages of the host"):
        wrong.arguments(slots[0])


def _with_power(slot: Slot, *, power: int = 2) -> nn.Module:
    return nn.Identity()


def test_blocks_that_replace_their_stage_are_held_against_each_other() -> None:
    slots = slots_of(_protocol(), 3)
    stage, gate = _chosen(Stage, replaces=True), _chosen(lambda slot: Keeps())
    found = same_function(Block(chosen=stage), Block(chosen=stage), slots)
    assert found.same, found
    found = same_function(Block(chosen=gate), Block(chosen=stage), slots)
    assert found.detail == "mine replaces its stage, and the other does not"
