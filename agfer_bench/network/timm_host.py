"""Any of timm's backbones as host: blocks after the stages that timm itself lists.

Wightman, PyTorch Image Models, doi:10.5281/zenodo.4414861. The stages are those of a model's
`feature_info`, counted from 1: of a ResNet the stem and layers 1 to 4, of a ConvNeXt its four
stages. A block stands behind the last layer of a stage, before whatever follows. The network's own
head pools and classifies.

Shapes in names: B batch, C channels, H height, W width, M classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import timm
import torch
from torch import Tensor, nn

from agfer_bench.errors import UserError, describe
from agfer_bench.network.host import Host
from agfer_bench.plugin.specs import Slot
from agfer_bench.seeds import seeded
from agfer_bench.text import nearest

PREFIX = "timm:"
"""How the names of these hosts begin."""


class _Closed(nn.Module):
    """A stage of a backbone, and what the host puts behind it.

    The host's blocks are not registered here: they are its own, and the backbone's weights have the
    same names whatever the blocks are.
    """

    def __init__(
        self, stage: nn.Module, number: int, close: Callable[[int, Tensor], Tensor]
    ) -> None:
        super().__init__()
        self.stage = stage
        self._number = number
        self._close = close

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return self._close(self._number, self.stage(x_BCHW))


class TimmHost(Host):
    """A backbone of timm with blocks, with the weights that timm starts from.

    Input (B, 3, H, W) float, output (B, M) logits.

    Args:
        name: Name of the architecture, without `timm:`.
        classes: Classes M.
        dropout: Dropout before the classifier, 0..1.
        block_stages: Stages, counted from 1, that are closed by a block.
    """

    def __init__(
        self, name: str, *, classes: int, dropout: float, block_stages: Sequence[int]
    ) -> None:
        super().__init__({})
        check_name(name)
        self.body = _create(name, num_classes=classes, drop_rate=dropout)
        places = stage_names(name, self.body)
        for stage in block_stages:
            if stage > len(places):
                known = ", ".join(f"{n} {place}" for n, place in enumerate(places, start=1))
                raise UserError(
                    f"timm:{name} has no stage {stage} to put a block after; its stages: {known}; "
                    "change --slots"
                )
            place = places[stage - 1]
            inner = self.body.get_submodule(place)
            self.body.set_submodule(place, _Closed(inner, stage, self.close_stage))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return logits of shape (B, M)."""
        logits_BM: Tensor = self.body(x_BCHW)
        return logits_BM

    def own_layers(self) -> tuple[nn.Module, ...]:
        """Return the backbone."""
        return (self.body,)

    def lay_out(self, memory_format: torch.memory_format) -> None:
        """Lay the backbone's weights out."""
        self.body.to(memory_format=memory_format)

    def weights(self) -> dict[str, Tensor]:
        """Return weights and buffers of all but the classifier, under timm's own names."""
        heads = self.body.pretrained_cfg.get("classifier") or ()  # type: ignore[union-attr, operator]
        classifiers = (heads,) if isinstance(heads, str) else tuple(heads)
        places = [name for name, part in self.body.named_modules() if isinstance(part, _Closed)]
        found: dict[str, Tensor] = {}
        for name, tensor in self.body.state_dict(keep_vars=True).items():
            for place in places:
                name = name.replace(f"{place}.stage.", f"{place}.", 1)
            if not name.startswith(tuple(f"{one}." for one in classifiers)):
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


@cache
def trace_slots(
    name: str, *, image_size: int, classes: int, block_stages: tuple[int, ...]
) -> tuple[Slot, ...]:
    """Find the shapes of the maps behind the chosen stages by passing an image through.

    Raises:
        UserError: The backbone cannot take an image of that size, or a stage gives no (B, C, H, W).
    """
    shapes: dict[int, tuple[int, ...]] = {}
    with seeded(torch.device("cpu"), 0), torch.no_grad():
        host = TimmHost(name, classes=classes, dropout=0.0, block_stages=block_stages)

        def note(number: int, x_BCHW: Tensor) -> Tensor:
            shapes[number] = tuple(x_BCHW.shape)
            return x_BCHW

        for part in host.body.modules():
            if isinstance(part, _Closed):
                part._close = note
        try:
            host.eval()(torch.zeros(1, 3, image_size, image_size))
        except Exception as error:
            raise UserError(
                f"timm:{name} does not take images of {image_size} px: {describe(error)}"
            ) from None
    return tuple(_slot(name, host, stage, shapes.get(stage), classes) for stage in block_stages)


def _slot(
    name: str, host: TimmHost, stage: int, shape: tuple[int, ...] | None, classes: int
) -> Slot:
    channels_last = getattr(host.body, "output_fmt", None) == "NHWC"
    if shape is None or len(shape) != 4 or channels_last:
        got = "nothing" if shape is None else str(shape)
        raise UserError(
            f"timm:{name}: stage {stage} gives {got} and not a map (B, C, H, W), which blocks "
            "take; choose a convolutional backbone"
        )
    _, channels, height, width = shape
    return Slot(channels=channels, height=height, width=width, classes=classes, stage=stage)


def _create(name: str, **options: Any) -> nn.Module:
    try:
        body: nn.Module = timm.create_model(name, **options)
    except Exception as error:
        raise UserError(f"timm:{name} cannot be built: {describe(error)}") from None
    return body
