"""The block that does nothing: its output, by hand."""

from __future__ import annotations

import pytest
import torch
from agfer_bench_null import build

from agfer_bench import Slot, UserError
from agfer_bench.testing import Block, Check, parametrize_with_checks
from tests.run.support import own

SLOT = Slot(channels=4, height=5, width=3, classes=7, stage=2)


@parametrize_with_checks("null:k=12")
def test_contract(block: Block, check: Check) -> None:
    check(block)


def test_the_identity_hands_on_its_very_input() -> None:
    x = torch.randn(2, 4, 5, 3)
    assert build(SLOT, k=0)(x) is x


@pytest.mark.parametrize("k", [1, 12, -7, 1000])
def test_a_nudge_is_a_factor_next_to_one(k: int) -> None:
    x = torch.randn(2, 4, 5, 3)
    y = build(SLOT, k=k)(x)
    assert torch.equal(y, x * (1 + k * 1e-6))
    assert (y != x).all(), "32-bit numbers tell it from the input"
    torch.testing.assert_close(y / x, torch.full_like(x, 1 + k * 1e-6), rtol=2e-7, atol=0)


def test_all_nudges_of_a_calibration_differ() -> None:
    x = torch.full((1, 4, 5, 3), 1.7)
    assert len({float(build(SLOT, k=k)(x)[0, 0, 0, 0]) for k in range(1001)}) == 1001


def test_it_has_no_parameters_and_no_buffers() -> None:
    assert not build(SLOT, k=3).state_dict()


@pytest.mark.parametrize("k", [1001, -1001])
def test_a_factor_that_does_something_is_refused(k: int) -> None:
    with pytest.raises(UserError, match=r"null:k must be from -1000 to 1000, not -?1001"):
        build(SLOT, k=k)


def test_it_is_offered_under_its_name() -> None:
    (plain, nudged) = own().choose_modules("null,null:k=3")
    assert (plain.label, nudged.label) == ("null", "null:k=3")
    assert plain.values["k"] == 1, "the identity would be trained as base is, bit by bit"
