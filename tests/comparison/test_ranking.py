"""Mean ranks against autorank, probability of improvement against Mann and Whitney."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from autorank import autorank
from scipy import stats

from agfer_bench.comparison.outcomes import Entrant, accuracies
from agfer_bench.comparison.ranking import Ranking, improvements, rank
from agfer_bench.errors import UserError
from agfer_bench.report.rank_diagram import draw, groups_of
from tests.report.studies import diagonal, fold, module, record


def _entrants(modules: int, seed: int = 0, *, trainings: int = 4, better: int = 0) -> list[Entrant]:
    random = np.random.default_rng(seed)
    found = []
    for number in range(modules):
        sets = [
            tuple(
                fold(n, diagonal(*random.integers(10, 30, 3) + better * number, of=60))
                for n in range(2)
            )
            for _ in range(trainings)
        ]
        label = "base" if number == 0 else f"m{number}"
        found.append(module(label, sets[0], repeats=tuple(sets[1:])))
    whole = record(found)
    protocol = whole.protocol.model_copy(update={"seeds": trainings})
    whole = whole.model_copy(update={"protocol": protocol})
    return [Entrant(label=one.label, module=one, record=whole) for one in found]


@pytest.mark.filterwarnings("ignore")  # autorank's own
def test_mean_ranks_and_critical_difference_are_autoranks() -> None:
    entrants = _entrants(6)
    found = rank(entrants)
    frame = pd.DataFrame({one.label: accuracies(one, "validation").ravel() for one in entrants})
    expected = autorank(frame, alpha=0.05, force_mode="nonparametric", approach="frequentist")
    assert found.critical_difference == expected.cd
    assert found.p == pytest.approx(expected.pvalue)
    ranks = expected.rankdf["meanrank"].to_dict()
    assert found.mean_ranks == pytest.approx(ranks)
    assert list(found.mean_ranks.values()) == sorted(ranks.values())


def test_what_cannot_be_ranked() -> None:
    with pytest.raises(UserError, match="for 5 modules or more"):
        rank(_entrants(4))
    with pytest.raises(UserError, match="and there are 0"):
        rank(_entrants(6, trainings=1))
    with pytest.raises(UserError, match="same number of trainings"):
        rank([*_entrants(5), *_entrants(5, trainings=3)])


def test_groups_hold_what_does_not_differ() -> None:
    ranks = {"a": 1.0, "b": 1.5, "c": 3.0, "d": 3.2, "e": 5.0}
    ranking = Ranking(mean_ranks=ranks, critical_difference=1.6, p=0.01, trainings=9)
    assert groups_of(ranking) == [("a", "b"), ("b", "c"), ("c", "d")]


@pytest.mark.parametrize("ending", ["svg", "png", "pdf"])
def test_the_picture(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"ranks.{ending}"
    draw(rank(_entrants(7)), path, drawn_faces=True)
    assert path.stat().st_size > 1000
    if ending == "svg":
        assert "<svg" in path.read_text()


def test_a_picture_of_no_kind(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"ends in .svg, .png or .pdf"):
        draw(rank(_entrants(5)), tmp_path / "ranks.txt", drawn_faces=False)
    with pytest.raises(UserError, match="cannot write"):
        draw(rank(_entrants(5)), tmp_path / "none" / "ranks.svg", drawn_faces=False)


def test_how_often_a_module_beats_base_over_grounds() -> None:
    grounds = [_entrants(3, seed, better=2) for seed in (1, 2)]
    first, second = improvements(grounds)
    assert (first.label, first.grounds) == ("m1", 2)
    expected = []
    for base, one, _ in grounds:
        for a, b in zip(*(accuracies(x, "validation") for x in (one, base)), strict=True):
            expected.append(stats.mannwhitneyu(a, b).statistic / (len(a) * len(b)))
    assert first.probability == pytest.approx(np.mean(expected))
    assert first.low <= first.probability <= first.high
    assert second.probability > first.probability
    same = improvements([_entrants(2, seed) for seed in range(10, 20)])[0]
    assert same.low < 0.5 < same.high, "blocks that do nothing beat base half of the time"


def test_what_has_no_base_or_no_second_ground() -> None:
    with pytest.raises(UserError, match="lacks a base that can be judged"):
        improvements([_entrants(3)[1:], _entrants(3)])
    with pytest.raises(UserError, match="no module beside base is in two"):
        improvements([_entrants(3)])
