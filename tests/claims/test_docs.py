"""docs/claims.md: its example is a claim, the numbers told of it hold, and no key is left out."""

from __future__ import annotations

import re
import typing
from pathlib import Path

import pytest

from agfer_bench.claims import model
from agfer_bench.claims.design import differences_of
from agfer_bench.claims.judge import judge
from agfer_bench.claims.model import Claim, Design, Row
from agfer_bench.claims.read import load_claim

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "claims.md").read_text(encoding="utf-8")


@pytest.fixture
def example(tmp_path: Path) -> Claim:
    found = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    (tmp_path / "example.toml").write_text(found[1], encoding="utf-8")
    return load_claim(tmp_path / "example.toml")


def test_the_numbers_of_the_example(example: Claim) -> None:
    (pair,) = judge("example", example).pairs
    assert pair.finding == "not distinguishable"
    assert pair.difference is not None
    assert pair.chances is not None
    assert pair.interval is not None
    assert pair.detectable is not None
    low, high = pair.interval
    text = " ".join(PAGE.split())
    assert f"= {100 * pair.difference.error:.2f} points, with {pair.difference.df:.1f} degr" in text
    assert f"= {pair.estimate / pair.difference.error:.2f} and p = {pair.difference.p:.3f}" in text
    assert f"interval is −{-100 * low:.2f} to +{100 * high:.2f} points" in text
    assert f"by at most 1 point is {100 * pair.chances.equivalent:.0f} %" in text
    assert f"true difference of {100 * pair.detectable:.2f} points" in text
    assert len(differences_of(example)) == 5


@pytest.mark.parametrize("layout", [Claim, Design, Row])
def test_every_key_is_told(layout: type[Claim] | type[Design] | type[Row]) -> None:
    for name in layout.model_fields:
        assert f"`{name}`" in PAGE or f"`[{name}]`" in PAGE


@pytest.mark.parametrize("kind", [model.PlusMinus, model.Replicates, model.Split, model.Epoch])
def test_every_value_is_told(kind: object) -> None:
    for value in typing.get_args(kind):
        assert f"`{value}`" in PAGE
