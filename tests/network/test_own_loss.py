"""Losses that blocks have of their own: asked, added, refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from agfer_bench_blocks.abn import ABN, build
from torch import Tensor, nn
from torch.nn import functional

from agfer_bench import Slot
from agfer_bench.contract.checks import REQUIRED, outcomes
from agfer_bench.contract.find import find_blocks
from agfer_bench.errors import PluginError
from agfer_bench.network.own_loss import LossError, own_losses, total_of
from agfer_bench.network.residual import Residual
from agfer_bench.network.trial import OWN_LOSS, try_block
from tests.contract.broken import SLOT, Good, spec

LABELS = torch.tensor([0, 2])


def _with(answer: Callable[[Good, Tensor], Any]) -> Callable[[Slot], nn.Module]:
    class Taught(Good):
        def aux_loss(self, labels_B: Tensor) -> Any:
            return answer(self, labels_B)

    return Taught


def test_a_loss_is_found_inside_what_wraps_a_block() -> None:
    block = Residual(_with(lambda self, labels: self.scale.square().sum())(SLOT))
    total = total_of(own_losses([block, nn.ReLU()]), LABELS)
    assert total is not None
    assert total.item() == pytest.approx(block.block.scale.square().sum().item())  # type: ignore[operator]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda self, labels: 3.0, "returned float, not a tensor"),
        (lambda self, labels: self.scale, "returned shape (1, 16, 1, 1), not a single number"),
        (lambda self, labels: torch.ones(()), "no gradient comes from"),
        (lambda self, labels: self.scale.sum() / 0, "aux_loss returned"),
        (lambda self, labels: self.nothing, "its loss failed: AttributeError"),
    ],
)
def test_a_loss_that_is_none_is_refused(answer: Callable[..., Any], says: str) -> None:
    (block,) = find_blocks(spec(_with(answer)))
    with pytest.raises(PluginError) as caught:
        try_block(block.chosen, [SLOT])
    assert says in str(caught.value)


def test_a_loss_that_is_switched_off_is_no_mark() -> None:
    (block,) = find_blocks(spec(_with(lambda self, labels: None)))
    assert try_block(block.chosen, [SLOT]).marks == ()
    with pytest.raises(LossError):
        total_of([lambda labels: "high"], LABELS)


def test_abn_adds_the_cross_entropy_of_its_branch() -> None:
    """arXiv:1812.10025, section 3.2: convolution to classes, mean over positions, softmax."""
    torch.manual_seed(0)
    block = ABN(16, 3, loss=0.5).train()
    x_BCHW = torch.randn(2, 16, 6, 6)
    block(x_BCHW)
    (loss,) = own_losses([block])
    found = loss(LABELS)
    assert block.score is not None
    maps = torch.einsum("km,bmhw->bkhw", block.score.weight[:, :, 0, 0], block.classes(x_BCHW))
    by_hand = functional.nll_loss(maps.mean(dim=(2, 3)).log_softmax(dim=1), LABELS)
    torch.testing.assert_close(found, 0.5 * by_hand)
    assert loss(LABELS) is None, "a pass is asked about once"
    block.eval()(x_BCHW)
    assert loss(LABELS) is None


def test_abn_with_its_loss_keeps_the_contract() -> None:
    def taught(slot: Slot) -> nn.Module:
        return build(slot, loss=1.0)

    (block,) = find_blocks(spec(taught, "18 * C * C + 4 * C + C * M + 2 * M + M + 2 + M * M"))
    block = type(block)(chosen=block.chosen, slots=(SLOT,))
    assert {
        one.check.name: one.detail for one in outcomes(block, REQUIRED) if one.verdict != "passed"
    } == {}
    assert try_block(block.chosen, [SLOT]).marks == (OWN_LOSS,)
