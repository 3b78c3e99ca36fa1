"""Blocks that fail one check of the contract each, and keep all the others."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from agfer_bench import AttentionSpec, InputImage, Slot

SLOT = Slot(channels=16, height=12, width=12, classes=3, stage=2)


NOTHING = torch.zeros(())


class Good(nn.Module):
    """Scales the map by a number per channel."""

    def __init__(self, slot: Slot = SLOT) -> None:
        super().__init__()
        self.slot = slot
        self.scale = nn.Parameter(torch.randn(1, slot.channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


class ChangesShape(Good):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[..., :-1]


class ChangesInput(Good):
    def forward(self, x: Tensor) -> Tensor:
        return x.relu_() * self.scale


class InfiniteGradient(Good):
    """The root of a channel's mean square has an infinite slope at a channel of zeros."""

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale * x.square().mean(dim=(2, 3), keepdim=True).sqrt()


class LooksAway(Good):
    """Asks for the image, and does not look at it."""

    def forward(self, x: Tensor, image: Annotated[Tensor, InputImage] = NOTHING) -> Tensor:
        return super().forward(x)


class DeadParameter(Good):
    def __init__(self, slot: Slot = SLOT) -> None:
        super().__init__(slot)
        self.forgotten = nn.Parameter(torch.ones(1))


class LooksAtMates(Good):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x - x.mean(dim=0, keepdim=True))


class HiddenState(Good):
    """Keeps a random tensor that is neither a parameter nor a buffer."""

    def __init__(self, slot: Slot = SLOT) -> None:
        super().__init__(slot)
        self.hidden = torch.randn(1, slot.channels, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + self.hidden.to(x)


class AlwaysFp32(Good):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).float()


class OnlyFp32(Good):
    def forward(self, x: Tensor) -> Tensor:
        if x.dtype == torch.bfloat16:
            raise TypeError("no bf16")
        return super().forward(x)


class Noisy(Good):
    """In training adds what no seed decides."""

    _calls = itertools.count()

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + (next(self._calls) if self.training else 0)


class NoisyInEvaluation(Good):
    """Draws from a global generator, as dropout that is never switched off."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.dropout(super().forward(x), 0.5, training=True)


class ForgetsItsSeed(Good):
    _calls = itertools.count()

    def __init__(self, slot: Slot = SLOT) -> None:
        super().__init__(slot)
        self.scale.data += next(self._calls)


class SeedsTorch(Good):
    def __init__(self, slot: Slot = SLOT) -> None:
        torch.manual_seed(0)
        super().__init__(slot)


class SeedsNumpy(Good):
    def forward(self, x: Tensor) -> Tensor:
        np.random.seed(0)
        return super().forward(x)


class DrawsInEvaluation(Good):
    def forward(self, x: Tensor) -> Tensor:
        random.random()
        return super().forward(x)


class SetsDtype(Good):
    def forward(self, x: Tensor) -> Tensor:
        torch.set_default_dtype(torch.float64)
        return super().forward(x)


class SetsDevice(Good):
    def __init__(self, slot: Slot = SLOT) -> None:
        super().__init__(slot)
        torch.set_default_device("meta")


class StopsGradients(Good):
    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        torch.set_grad_enabled(False)
        return y


class SetsThreads(Good):
    def forward(self, x: Tensor) -> Tensor:
        torch.set_num_threads(torch.get_num_threads() + 1)
        return super().forward(x)


class HoldsALock(Good):
    def __init__(self, slot: Slot = SLOT) -> None:
        super().__init__(slot)
        self.lock = threading.Lock()


class OnlyLarge(Good):
    """Takes no map of which a side is 7 or 9."""

    refused: tuple[tuple[int, ...], ...] = ((7, 7), (9, 9))

    def forward(self, x: Tensor) -> Tensor:
        if tuple(x.shape[-2:]) in self.refused:
            raise ValueError("no odd maps")
        return super().forward(x)


class OnlySquare(OnlyLarge):
    refused = ((7, 13), (24, 16))


class NoSinglePosition(OnlyLarge):
    refused = ((1, 1),)


class FixedSize(Good):
    def forward(self, x: Tensor) -> Tensor:
        if tuple(x.shape[-2:]) != (self.slot.height, self.slot.width):
            raise ValueError("another size than it was built for")
        return super().forward(x)


class NormalisesPooled(Good):
    """Batch normalisation of pooled maps: of a single image it cannot be trained."""

    def __init__(self, slot: Slot = SLOT) -> None:
        super().__init__(slot)
        self.norm = nn.BatchNorm2d(slot.channels)

    def forward(self, x: Tensor) -> Tensor:
        pooled = x.mean(dim=(2, 3), keepdim=True) + self.scale
        return x * torch.sigmoid(self.norm(pooled))


class GoesByStrides(Good):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * (1 if x.is_contiguous() else 2)


class NoProduct(Good):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + x.mean(dim=(2, 3), keepdim=True)


class Branches(Good):
    """Neither export nor ONNX take a branch on a number; the compiler runs it as it is."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if x.sum().item() > -1e9 else x


class CompilesBadly(Good):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + (1 if torch.compiler.is_dynamo_compiling() else 0)


class NotInOnnx(Good):
    """An operator that ONNX has no counterpart of."""

    def forward(self, x: Tensor) -> Tensor:
        bessel: Tensor = torch.special.bessel_j0(x.detach().float())
        return super().forward(x) + bessel.to(x)


class Exits(Good):
    def forward(self, x: Tensor) -> Tensor:
        raise SystemExit("that is all")


def spec(build: Callable[..., Any], formula: str = "", name: str = "") -> AttentionSpec:
    """Return a spec of a class whose only argument is the slot, or of a function."""

    def made(slot: Slot) -> Any:
        return build(slot)

    return AttentionSpec(
        name=name or build.__name__, build=made, source="", summary="", formula=formula
    )
