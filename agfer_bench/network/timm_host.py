"""Any of timm's backbones as host: blocks after the stages that timm itself lists, or in them.

Wightman, PyTorch Image Models, doi:10.5281/zenodo.4414861. The stages are those of a model's
`feature_info`, counted from 1: of a ResNet the stem and layers 1 to 4, of a ConvNeXt its four
stages. A block stands behind the last layer of a stage, before whatever follows; or, in a residual
network, at each residual branch (`residual_places`). The network's own head pools and classifies.

Shapes in names: B batch, C channels, H height, W width, M classes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import timm
import torch
from torch import Tensor, nn

from agfer_bench.errors import UserError, describe
from agfer_bench.network.host import Host, slot_key
from agfer_bench.network.residual_places import (
    Close,
    PlacedBlock,
    branches_of,
    put,
    stages_of,
    trace,
)
from agfer_bench.plugin.specs import Slot
from agfer_bench.protocol import STAGE
from agfer_bench.seeds import seeded
from agfer_bench.text import nearest

PREFIX = "timm:"
"""How the names of these hosts begin."""


class _Closed(nn.Module):
    """A stage of a backbone, and what the host puts behind it.

    The host's blocks are not registered here: they are its own, and the backbone's weights have the
    same names whatever the blocks are.
    """

    def __init__(self, stage: nn.Module, key: str, close: Close) -> None:
        super().__init__()
        self.stage = stage
        self.key = key
        self.close = close

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return self.close(self.key, self.stage(x_BCHW))

    def replace(self) -> None:
        """Take out the stage's own layers: the block is given what enters it."""
        self.stage = nn.Identity()


class TimmHost(Host):
    """A backbone of timm with blocks, with the weights that timm starts from.

    Input (B, 3, H, W) float, output (B, M) logits.

    Args:
        name: Name of the architecture, without `timm:`.
        classes: Classes M.
        dropout: Dropout before the classifier, 0..1.
        block_stages: Stages, counted from 1, that have blocks; none for all that can have some.
        place: Whether a block closes each of these stages (`stage`), or where one stands at each of
            their residual branches, as `Protocol.place` has it.

    Raises:
        UserError: timm has no such architecture, or it has no such stage or place.
    """

    def __init__(
        self,
        name: str,
        *,
        classes: int,
        dropout: float,
        block_stages: Sequence[int],
        place: str = STAGE,
    ) -> None:
        super().__init__({})
        check_name(name)
        self.name = name
        self.body: nn.Module = _create(name, num_classes=classes, drop_rate=dropout)
        heads = self.body.pretrained_cfg.get("classifier") or ()  # type: ignore[union-attr, operator]
        self.classifiers = (heads,) if isinstance(heads, str) else tuple(heads)
        self.channels_last = getattr(self.body, "output_fmt", None) == "NHWC"
        names = stage_names(name, self.body)
        for stage in block_stages:
            if stage > len(names):
                known = ", ".join(f"{n} {one}" for n, one in enumerate(names, start=1))
                raise UserError(
                    f"timm:{name} has no stage {stage} to put a block after; its stages: {known}; "
                    "change --slots"
                )
        self.whole_stages = _whole_stages(self.body, names)
        """Stages, counted from 1, that a block can stand in place of."""
        self.places: tuple[tuple[int, int], ...]
        """Stage and position of each slot, both counted from 1."""
        if place == STAGE:
            self.places = tuple((n, 1) for n in block_stages or range(1, len(names) + 1))
            self._close_stages(name, names)
        else:
            self.places = self._place_at_branches(f"timm:{name}", names, block_stages, place)

    def _close_stages(self, name: str, names: Sequence[str]) -> None:
        for stage, position in self.places:
            place = names[stage - 1]
            try:
                inner = self.body.get_submodule(place)
            except AttributeError:
                raise UserError(
                    f"timm:{name} has no stage {stage} to put a block after, though timm lists one "
                    f"({place}): choose other stages with --slots, or another host"
                ) from None
            key = slot_key(stage, position, STAGE)
            self.body.set_submodule(place, _Closed(inner, key, self.close))

    def _place_at_branches(
        self, name: str, names: Sequence[str], block_stages: Sequence[int], place: str
    ) -> tuple[tuple[int, int], ...]:
        traced = trace(self.body, name)
        branches = branches_of(traced)
        stages = stages_of(traced, branches, names)
        missing = set(block_stages) - set(stages)
        if missing or not branches:
            known = ", ".join(map(str, sorted(set(stages)))) or "none"
            where = f"stage {min(missing)}" if missing else "any stage"
            raise UserError(
                f"{name} has no residual branch in {where}, which place={place} needs; stages "
                f"with branches: {known}"
            )
        seen: Counter[int] = Counter()
        places = []
        for stage, branch in zip(stages, branches, strict=True):
            if block_stages and stage not in block_stages:
                continue
            seen[stage] += 1
            key = slot_key(stage, seen[stage], place)
            put(traced, place, branch, PlacedBlock(key, self.close))
            places.append((stage, seen[stage]))
        traced.recompile()
        self.body = traced
        return tuple(places)

    def classify(self, x_BCHW: Tensor) -> Tensor:
        """Return logits of shape (B, M)."""
        logits_BM: Tensor = self.body(x_BCHW)
        return logits_BM

    def take_out(self, stage: int) -> None:
        """Take out the module that timm lists for a stage."""
        key = slot_key(stage, 1, STAGE)
        for part in self.body.modules():
            if isinstance(part, _Closed) and part.key == key:
                part.replace()

    def own_layers(self) -> tuple[nn.Module, ...]:
        """Return the backbone."""
        return (self.body,)

    def lay_out(self, memory_format: torch.memory_format) -> None:
        """Lay the backbone's weights out."""
        self.body.to(memory_format=memory_format)

    def weights(self) -> dict[str, Tensor]:
        """Return weights and buffers of all but the classifier, under timm's own names."""
        places = [name for name, part in self.body.named_modules() if isinstance(part, _Closed)]
        found: dict[str, Tensor] = {}
        for name, tensor in self.body.state_dict(keep_vars=True).items():
            for place in places:
                name = name.replace(f"{place}.stage.", f"{place}.", 1)
            if not name.startswith(tuple(f"{one}." for one in self.classifiers)):
                found[name] = tensor
        return found


def check_name(name: str) -> None:
    """Find out whether timm has an architecture.

    Raises:
        UserError: It has not.
    """
    if not timm.is_model(name):
        close = nearest(name, timm.list_models())
        hint = close if "did you mean" in close else "; `timm.list_models()` lists them"
        raise UserError(f"timm has no model {name!r}{hint}")


def stage_names(name: str, body: nn.Module) -> list[str]:
    """Return the dotted names of a backbone's stages, in order.

    Raises:
        UserError: timm lists none.
    """
    info: Any = getattr(body, "feature_info", None)
    stages = info if isinstance(info, list) else getattr(info, "info", [])
    places = [str(one["module"]) for one in stages if one.get("module")]
    if not places:
        raise UserError(f"timm:{name} lists no stages to put blocks after; choose another backbone")
    return places


def _whole_stages(body: nn.Module, names: Sequence[str]) -> frozenset[int]:
    """Return the stages whose layers all lie in the module that timm lists, counted from 1.

    Of some networks timm lists the last module of a stage alone, say its last block or activation.
    Before that module, in the order in which modules are made, then come layers with weights that
    belong to no earlier stage: since the end of that stage, or for the first one since the
    beginning of what the module is a part of.
    """
    order = [name for name, _ in body.named_modules()]
    weighted = {name for name, part in body.named_modules() if part._parameters}
    found: list[int] = []
    last = ""
    for stage, name in enumerate(names, start=1):
        if name not in order:
            last = name
            continue
        at = order.index(name)
        parent = name.rpartition(".")[0]
        inside = [n for n, one in enumerate(order) if last and _is_within(one, last)]
        begin = max(inside, default=order.index(parent)) + 1
        own = any(one in weighted for one in order if _is_within(one, name))
        if own and not weighted & set(order[begin:at]):
            found.append(stage)
        last = name
    return frozenset(found)


def _is_within(name: str, place: str) -> bool:
    return name == place or name.startswith(f"{place}.")


@cache
def trace_slots(
    name: str, *, image_size: int, classes: int, block_stages: tuple[int, ...], place: str = STAGE
) -> tuple[Slot, ...]:
    """Find the shapes of the maps in the slots by passing an image through.

    Raises:
        UserError: The backbone cannot take an image of that size, or a slot's map is no
            (B, C, H, W).
    """
    shapes: dict[str, tuple[int, ...]] = {}
    entering: dict[str, tuple[int, ...]] = {}
    with seeded(torch.device("cpu"), 0), torch.no_grad():
        host = TimmHost(name, classes=classes, dropout=0.0, block_stages=block_stages, place=place)

        def note(key: str, x_BCHW: Tensor) -> Tensor:
            shapes[key] = tuple(x_BCHW.shape)
            return x_BCHW

        for part in host.body.modules():
            if isinstance(part, _Closed | PlacedBlock):
                part.close = note
            if isinstance(part, _Closed):
                part.register_forward_pre_hook(partial(_note_shape, entering))
        try:
            host.eval()(torch.zeros(1, 3, image_size, image_size))
        except Exception as error:
            raise UserError(
                f"timm:{name} does not take images of {image_size} px: {describe(error)}"
            ) from None
    slots = []
    for stage, position in host.places:
        shape = shapes.get(slot_key(stage, position, place))
        if shape is None or len(shape) != 4 or host.channels_last:
            got = "nothing" if shape is None else str(shape)
            raise UserError(
                f"timm:{name}: stage {stage} gives {got} and not a map (B, C, H, W), which blocks "
                "take; choose a convolutional backbone"
            )
        _, channels, height, width = shape
        enters = entering.get(slot_key(stage, position, place), ())
        slot = Slot(
            channels=channels,
            height=height,
            width=width,
            classes=classes,
            stage=stage,
            position=position,
            place=place,
            slots=len(host.places),
            host=f"{PREFIX}{name}",
            image_size=image_size,
            entering=_of_map(enters if stage in host.whole_stages else ()),
        )
        slots.append(slot)
    return tuple(slots)


def _note_shape(shapes: dict[str, tuple[int, ...]], part: nn.Module, given: Any) -> None:
    """Keep the shape of what enters a stage, under its slot's key."""
    if isinstance(part, _Closed) and given and isinstance(given[0], Tensor):
        shapes[part.key] = tuple(given[0].shape)


def _of_map(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return channels, height and width of a map's shape; zeros where it is no map's."""
    if len(shape) != 4:
        return (0, 0, 0)
    _, channels, height, width = shape
    return (channels, height, width)


def _create(name: str, **options: Any) -> nn.Module:
    try:
        body: nn.Module = timm.create_model(name, **options)
    except Exception as error:
        raise UserError(f"timm:{name} cannot be built: {describe(error)}") from None
    return body
