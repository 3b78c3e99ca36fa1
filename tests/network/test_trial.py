"""What a run's own trial of a block refuses, and what it marks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from agfer_bench import Slot
from agfer_bench.contract.find import find_blocks
from agfer_bench.errors import PluginError
from agfer_bench.network.trial import Trial, try_block
from tests.contract import broken
from tests.contract.broken import SLOT, Good, spec


def _try(build: Callable[..., Any]) -> Trial:
    (block,) = find_blocks(spec(build))
    return try_block(block.chosen, [SLOT])


class SoftmaxOverBatch(Good):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * x.mean(dim=(1, 2, 3), keepdim=True).softmax(dim=0)


class NoiseInEvaluation(Good):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + torch.randn_like(x)


class MatesBehindAZeroGate(Good):
    """Starts as the identity: what it looks at shows once it has learnt."""

    def __init__(self, slot: Slot = SLOT) -> None:
        super().__init__(slot)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + self.gamma * x.mean(dim=0, keepdim=True)


class ParametersInAList(Good):
    def __init__(self, slot: Slot = SLOT) -> None:
        super().__init__(slot)
        self.gains = [nn.Parameter(torch.ones(())), nn.Parameter(torch.ones(()))]

    def forward(self, x: Tensor) -> Tensor:
        for gain in self.gains:
            x = x * gain
        return super().forward(x)


class LayersInADict(Good):
    def __init__(self, slot: Slot = SLOT) -> None:
        super().__init__(slot)
        self.layers = {"mix": [nn.Conv2d(slot.channels, slot.channels, 1)]}

    def forward(self, x: Tensor) -> Tensor:
        mixed: Tensor = self.layers["mix"][0](x)
        return super().forward(x) + mixed


class LateWeights(Good):
    def forward(self, x: Tensor) -> Tensor:
        if not hasattr(self, "late"):
            self.late = nn.Parameter(torch.ones(()))
        return super().forward(x) * self.late


class Lazy(nn.Module):
    def __init__(self, slot: Slot) -> None:
        super().__init__()
        self.mix = nn.LazyConv2d(slot.channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.mix(x)
        return y


class KeepsItsGate(Good):
    """Keeps a map to show it later, which changes nothing."""

    shown: Tensor

    def __init__(self, slot: Slot = SLOT) -> None:
        super().__init__(slot)
        self.shown = torch.zeros(1)

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        self.shown = y.detach()
        return y


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (SoftmaxOverBatch, "changes with the other images of the batch"),
        (broken.LooksAtMates, "changes with the other images of the batch"),
        (MatesBehindAZeroGate, "changes with the other images of the batch"),
        (NoiseInEvaluation, "it draws random numbers"),
        (broken.NoisyInEvaluation, "it draws random numbers"),
        (ParametersInAList, r"the weights gains\[0\] are not registered"),
        (LayersInADict, r"the weights layers\['mix'\]\[0\].weight are not registered"),
        (LateWeights, "forward added the weights late"),
        (Lazy, "lazy layers"),
    ],
)
def test_what_falsifies_a_row_is_refused(build: Callable[..., Any], says: str) -> None:
    with pytest.raises(PluginError, match=says) as caught:
        _try(build)
    assert "at stage 2" in str(caught.value)


def test_a_tensor_that_torch_does_not_know_is_marked() -> None:
    (mark,) = _try(broken.HiddenState).marks
    assert mark.startswith("uses a tensor, hidden, that is neither a parameter nor a buffer")


@pytest.mark.parametrize("build", [Good, KeepsItsGate, broken.NormalisesPooled])
def test_a_sound_block_has_no_mark(build: Callable[..., Any]) -> None:
    assert _try(build) == Trial(memory_format="channels_last", marks=())
