"""Guidance, block or both: an interaction is found where there is one."""

from __future__ import annotations

import numpy as np
import pytest

from agfer_bench.comparison.contrasts import Question
from agfer_bench.comparison.factorial import Factorial, factorials
from agfer_bench.errors import UserError
from agfer_bench.records.run import RunRecord
from agfer_bench.report.factorial import cells_of, guidance_factorials, notes_of, rows_of, sentence
from tests.comparison.simulated import World, entrants

pytestmark = pytest.mark.usefixtures("frozen_heap")


def _runs(
    seed: int, *, guidance: float = 0.0, block: float = 0.0, further: float = 0.0, seeds: int = 5
) -> tuple[RunRecord, RunRecord]:
    """Train base and a block without and with guidance; `further` is what both add besides."""
    world = World(seed, seeds=seeds)
    off = world.record(world.network("base"), world.network("a", block), guidance=False)
    both = guidance + block + further
    on = world.record(world.network("base", guidance), world.network("a", both), guidance=True)
    return off, on


def _judge(seed: int, *, seeds: int = 5, **effects: float) -> Factorial:
    (found,) = guidance_factorials(_runs(seed, seeds=seeds, **effects))
    return found


def test_a_planted_interaction_is_found() -> None:
    found = [_judge(seed, further=0.25) for seed in range(20)]
    assert sum(one.interaction.verdict == "ahead" for one in found) >= 19


def test_effects_that_add_up_are_no_interaction() -> None:
    found = [_judge(seed, guidance=0.1, block=0.15) for seed in range(20)]
    assert sum(one.interaction.distinguishable for one in found) <= 1
    assert np.mean([one.both.estimate for one in found]) == pytest.approx(0.25, abs=0.03)


@pytest.mark.slow
def test_guidance_that_explains_all_is_told_from_the_block() -> None:
    found = [_judge(seed, guidance=0.25) for seed in range(20)]
    assert sum(one.setting.verdict == "ahead" for one in found) >= 19
    assert sum(one.alone.distinguishable or one.interaction.distinguishable for one in found) <= 1


@pytest.mark.slow
def test_networks_without_effect_are_claimed_nowhere() -> None:
    """An A/A twin: 200 families of four effects."""
    found = [_judge(seed, seeds=3) for seed in range(200)]
    assert sum(any(e.distinguishable for e in one.effects) for one in found) <= 10


def test_the_interaction_is_the_difference_of_differences() -> None:
    off, on = _runs(1)
    (found,) = guidance_factorials((off, on))
    base_off, block_off = (np.mean(module.accuracies) for module in off.modules)
    base_on, block_on = (np.mean(module.accuracies) for module in on.modules)
    expected = (block_on - base_on) - (block_off - base_off)
    assert found.interaction.estimate == pytest.approx(expected)
    assert found.interaction.difference is not None
    assert found.interaction.difference.estimate == pytest.approx(expected)
    assert found.both.estimate == pytest.approx(
        found.setting.estimate + found.alone.estimate + found.interaction.estimate
    )
    assert {one.pairs for one in found.effects} == {4}
    (turned,) = guidance_factorials((on, off))
    assert turned == found, "whichever run comes first"


def test_several_blocks_share_the_effect_of_guidance() -> None:
    world = World(2)
    off, on = (
        world.record(*(world.network(name) for name in ("base", "a", "b")), guidance=guided)
        for guided in (False, True)
    )
    found = guidance_factorials((off, on))
    assert [one.block for one in found] == ["a", "b"]
    assert found[0].setting == found[1].setting
    assert {e.pairs for one in found for e in one.effects} == {7}
    assert len(cells_of(found)) == len(rows_of(found)) == 7
    assert sum("beyond the sum" in line for line in notes_of(found)) == 2


def test_sentences_say_what_is_shown() -> None:
    additive = sentence(_judge(1, guidance=0.25))
    assert "Guidance raises the accuracy; a is not shown to change the accuracy" in additive
    together = sentence(_judge(1, further=0.25))
    assert "They depend on each other: both together bring more than the sum" in together


def test_one_training_judges_nothing() -> None:
    found = guidance_factorials(_runs(1, seeds=1))
    assert {e.verdict for one in found for e in one.effects} == {"not judged"}
    (line,) = notes_of(found)
    assert "trained once on each fold" in line
    assert "--seeds 3" in line


def test_what_is_no_2_by_2_is_said() -> None:
    off, on = _runs(1)
    with pytest.raises(UserError, match="without guidance and one with it"):
        guidance_factorials((off, off))
    no_base = on.model_copy(update={"modules": on.modules[1:]})
    with pytest.raises(UserError, match="base is not among the modules of both"):
        guidance_factorials((off, no_base))
    no_block = on.model_copy(update={"modules": on.modules[:1]})
    with pytest.raises(UserError, match="no block beside base"):
        guidance_factorials((off, no_block))
    others = on.model_copy(update={"data": on.data.model_copy(update={"fingerprint": "g"})})
    with pytest.raises(UserError, match="different images"):
        guidance_factorials((off, others))
    cells = list(zip(entrants(off), entrants(on), strict=True))
    assert len(factorials(cells[0], cells[1:], "guidance", Question())) == 1
