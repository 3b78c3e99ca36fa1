"""What a block is given beside its map: the image that the host is given, or the previous map.

A block asks by annotating an argument of its `forward`: with `InputImage`, or with `PreviousMap`.
It is wrapped, so that for everything else it is a block of one map. Outside a host, where a block
is tried, checked and counted, noise stands for what a host would give.

Shapes in names: B batch, C channels, H height, W width.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from agfer_bench.plugin.specs import InputImage, PreviousMap, Slot
from agfer_bench.seeds import generator

Kind = type[InputImage] | type[PreviousMap]

_STAND_INS = 4
"""Images of noise: more than one, so that a block that mixes images is found out."""


class UnknownArgument(Exception):
    """`forward` needs an argument that nobody gives; the text names it."""


class Passing:
    """What the host keeps while images pass, for the blocks that ask for it."""

    def __init__(self) -> None:
        self.image: Tensor | None = None
        self.previous: Tensor | None = None

    def begin(self, image_BCHW: Tensor) -> None:
        """Keep the image, which stands for the previous map as well at the first slot."""
        self.image = self.previous = image_BCHW

    def end(self) -> None:
        """Forget all that was kept."""
        self.image = self.previous = None


class WithInputs(nn.Module):
    """A block with what it asks for beside its map.

    Args:
        block: The block.
        slot: Where it is.
        asked: What it asks for, by the name of the argument.
    """

    def __init__(self, block: nn.Module, slot: Slot, asked: Mapping[str, Kind]) -> None:
        super().__init__()
        self.block = block
        self.asked = dict(asked)
        self._passing: Passing | None = None
        side = slot.image_size
        shapes = {InputImage: (3, side, side), PreviousMap: slot.previous}
        for name, kind in self.asked.items():
            noise = torch.randn((_STAND_INS, *shapes[kind]), generator=generator(0, "stand-in"))
            self.register_buffer(_stand_in(name), noise, persistent=False)

    def connect(self, passing: Passing) -> None:
        """Take from now on what a host keeps.

        The noise is dropped: it would count as memory that the block takes.
        """
        self._passing = passing
        for name in self.asked:
            setattr(self, _stand_in(name), None)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return what the block makes of a map, of the shape that the block gives it."""
        given = {name: self._given(name, kind, x_BCHW) for name, kind in self.asked.items()}
        y: Tensor = self.block(x_BCHW, **given)
        return y

    def stand_in(self, name: str) -> Tensor:
        """Return the noise that stands for an argument outside a host."""
        noise: Tensor = getattr(self, _stand_in(name))
        return noise

    def _given(self, name: str, kind: Kind, x_BCHW: Tensor) -> Tensor:
        if self._passing is not None:
            found = self._passing.image if kind is InputImage else self._passing.previous
            assert found is not None, "in a host, a block is asked while an image passes"
            return found
        noise = self.stand_in(name)
        copies = -(-len(x_BCHW) // _STAND_INS)
        noise = noise.repeat(copies, 1, 1, 1)[: len(x_BCHW)].to(x_BCHW.dtype)
        # In a host all maps lie in memory alike.
        last = x_BCHW.is_contiguous(memory_format=torch.channels_last)
        if last and not x_BCHW.is_contiguous():
            return noise.contiguous(memory_format=torch.channels_last)
        return noise


def with_inputs(block: nn.Module, slot: Slot) -> nn.Module:
    """Return a block that takes one map: itself, or wrapped where it asks for more.

    Raises:
        UnknownArgument: It needs an argument that is not marked.
    """
    asked = _asked(block)
    return WithInputs(block, slot, asked) if asked else block


@contextmanager
def changes_noted(block: nn.Module) -> Iterator[list[str]]:
    """Note, at the end, the names of the second inputs that a block changed in place."""
    seen: list[tuple[str, Tensor, Tensor]] = []

    def keep(part: nn.Module, args: Any, given: dict[str, Any]) -> None:
        seen.extend((name, one, one.clone()) for name, one in given.items())

    handles = [
        part.block.register_forward_pre_hook(keep, with_kwargs=True)
        for part in block.modules()
        if isinstance(part, WithInputs)
    ]
    changed: list[str] = []
    try:
        yield changed
    finally:
        for handle in handles:
            handle.remove()
    changed.extend(name for name, one, before in seen if not torch.equal(one, before))


def _stand_in(name: str) -> str:
    return f"noise_for_{name}"


def _asked(block: nn.Module) -> dict[str, Kind]:
    """Read what `forward` asks for; what cannot be read asks for nothing."""
    forward: Any = type(block).forward
    try:
        _, first, *others = inspect.signature(forward).parameters.values()
    except (TypeError, ValueError):
        return {}
    asked: dict[str, Kind] = {}
    for one in others if first.kind is not inspect.Parameter.VAR_POSITIONAL else ():
        if one.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            continue
        kind = _kind(one.annotation, forward)
        if kind is not None:
            asked[one.name] = kind
        elif one.default is inspect.Parameter.empty:
            raise UnknownArgument(
                f"forward needs {one.name} beside the map; mark it as Annotated[Tensor, "
                "InputImage] or Annotated[Tensor, PreviousMap], or give it a default"
            )
    return asked


def _kind(annotation: Any, forward: Any) -> Kind | None:
    if isinstance(annotation, str):
        names = getattr(inspect.unwrap(forward), "__globals__", {})  # not those of a decorator
        try:
            annotation = eval(annotation, dict(names))
        except Exception:  # it names what only a function, or a type checker, imports
            words = re.findall(r"\w+", annotation)
            return next(
                (kind for kind in (InputImage, PreviousMap) if kind.__name__ in words), None
            )
    if typing.get_origin(annotation) is not typing.Annotated:
        return None
    for mark in annotation.__metadata__:
        for kind in (InputImage, PreviousMap):
            if mark is kind or isinstance(mark, kind):
                return kind
    return None
