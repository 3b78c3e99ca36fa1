"""Two blocks that are one function, however they are written, and two that are not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from agfer_bench import Slot
from agfer_bench.contract.block import Block
from agfer_bench.contract.find import find_blocks
from agfer_bench.contract.operations import operations
from agfer_bench.contract.same import Sameness, same_function
from tests.contract.broken import SLOT, spec


class Squeeze(nn.Module):
    """SE with linear layers; what a subclass changes is one thing."""

    def __init__(self, slot: Slot) -> None:
        super().__init__()
        self.up = nn.Linear(4, slot.channels)  # registered in another order than it is used
        self.down = nn.Linear(slot.channels, 4)

    def middle(self, x: Tensor) -> Tensor:
        return torch.relu(x)

    def forward(self, x: Tensor) -> Tensor:
        gate = torch.sigmoid(self.up(self.middle(self.down(x.mean(dim=(2, 3))))))
        return x * gate[:, :, None, None]


class Convolved(nn.Module):
    """The same with convolutions, and other spellings."""

    def __init__(self, slot: Slot) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(slot.channels, 4, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(4, slot.channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        gate: Tensor = self.gate(x)
        return gate.mul(x)


class Leaky(Squeeze):
    def middle(self, x: Tensor) -> Tensor:
        return nn.functional.leaky_relu(x, 0.2)


class Wider(Squeeze):
    def __init__(self, slot: Slot) -> None:
        super().__init__(slot)
        self.down, self.up = nn.Linear(slot.channels, 5), nn.Linear(5, slot.channels)


class StopsAtGate(Squeeze):
    """The same output, and another gradient."""

    def forward(self, x: Tensor) -> Tensor:
        gate = super().forward(x) / x.clamp(min=1e-12)
        return torch.where(x > 0, x * gate.detach(), super().forward(x))


def _compare(one: Callable[..., Any], other: Callable[..., Any]) -> Sameness:
    blocks = []
    for build in (one, other):
        (block,) = find_blocks(spec(build))
        blocks.append(Block(chosen=block.chosen, slots=(SLOT,)))
    return same_function(blocks[0], blocks[1], [SLOT])


def test_another_spelling_is_the_same_function() -> None:
    for pair in ((Squeeze, Convolved), (Convolved, Squeeze), (Squeeze, Squeeze)):
        found = _compare(*pair)
        assert found.same, found
        assert found.detail.startswith("4 weight tensors were mapped")


def test_the_first_operation_that_differs_is_named() -> None:
    found = _compare(Leaky, Convolved)
    assert not found.same
    assert "the output in evaluation differs by" in found.detail
    assert found.first == "leaky_relu() of Leaky gives what no operation of Convolved gives"


def test_other_weights_are_another_function() -> None:
    found = _compare(Squeeze, Wider)
    assert not found.same
    assert "the one has" in found.detail
    assert "weights of shape" in found.detail


def test_another_gradient_is_another_function() -> None:
    found = _compare(Squeeze, StopsAtGate)
    assert not found.same
    assert "the gradient of the map differs" in found.detail


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda x: torch.relu(x), nn.ReLU()),
        (lambda x: x.reshape(x.size(0), -1), lambda x: x.view(x.shape[0], -1)),
        (lambda x: x.mul(x), lambda x: x * x),
    ],
)
def test_spelling_is_no_difference_of_operations(
    one: Callable[[Tensor], Tensor], other: Callable[[Tensor], Tensor]
) -> None:
    class Wrapped(nn.Module):
        def __init__(self, call: Callable[[Tensor], Tensor]) -> None:
            super().__init__()
            self.call = call

        def forward(self, x: Tensor) -> Tensor:
            return self.call(x)

    assert operations(Wrapped(one)) == operations(Wrapped(other)) != []
