"""Verdicts from summaries, against SciPy's test, statsmodels' power, and rows that are alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestIndPower

from agfer_bench.claims.design import differences_of, reading_of
from agfer_bench.claims.judge import JudgedClaim, judge
from agfer_bench.claims.model import Claim
from agfer_bench.comparison.estimate import holm

DRAWS = 2000
MOST = 0.065


def make_claim(*rows: dict[str, Any], design: dict[str, Any] | None = None, **more: Any) -> Claim:
    return Claim.model_validate(
        {
            "title": "t",
            "source": "s",
            "place": "p",
            "says": "c",
            "data": "d",
            "metric": "m",
            "design": {"plus_minus_is": "sd", "n": 5, "replicates": "folds", **(design or {})},
            "rows": list(rows),
            **more,
        }
    )


def row(name: str, mean: float, plus_minus: float | None = 1.0, **more: Any) -> dict[str, Any]:
    return {"name": name, "mean": mean, "plus_minus": plus_minus, **more}


def judged(*rows: dict[str, Any], rope: float = 0.01, **more: Any) -> JudgedClaim:
    return judge("mine", make_claim(*rows, **more), rope)


def test_a_pair_is_judged_as_by_scipy() -> None:
    (pair,) = judged(row("ours", 91.0, 0.8, n=4), row("theirs", 89.5, 1.7, n=7)).pairs
    exact = stats.ttest_ind_from_stats(91.0, 0.8, 4, 89.5, 1.7, 7, equal_var=False)
    assert pair.difference is not None
    assert pair.difference.p == pytest.approx(exact.pvalue, rel=1e-12)
    posterior = stats.t(pair.difference.df, loc=0.015, scale=pair.difference.error)
    assert pair.chances is not None
    assert pair.chances.equivalent == pytest.approx(posterior.cdf(0.01) - posterior.cdf(-0.01))
    assert pair.interval == pytest.approx(posterior.interval(0.95))


def test_a_standard_error_is_turned_into_a_deviation() -> None:
    plain = judged(row("a", 80.0, 2.0), row("b", 76.0, 1.0)).pairs[0].difference
    same = judged(
        row("a", 80.0, 2 / 5**0.5),
        row("b", 76.0, 1 / 5**0.5),
        design={"plus_minus_is": "standard error"},
    )
    assert plain is not None
    assert same.pairs[0].difference is not None
    assert same.pairs[0].difference.p == pytest.approx(plain.p)


@pytest.mark.parametrize("n", [3, 5, 20])
def test_the_detectable_difference_has_the_power_that_is_said(n: int) -> None:
    """With equal deviations and numbers, Welch's degrees of freedom are those of Student's test."""
    (pair,) = judged(row("a", 80.0, 1.5), row("b", 80.0, 1.5), design={"n": n}).pairs
    assert pair.detectable_alone is not None
    power = TTestIndPower().power(pair.detectable_alone / 0.015, nobs1=n, alpha=0.05)
    assert power == pytest.approx(0.8, abs=2e-4)


def test_the_correction_is_holms() -> None:
    rng = np.random.default_rng(1)
    for count in (1, 2, 3, 10, 50):
        p = rng.uniform(0, 0.2, count) ** 2
        assert holm(p) == pytest.approx(multipletests(p, method="holm")[1], abs=0)
    assert holm([]).size == 0


def test_pairs_are_adjusted_together_and_intervals_with_them() -> None:
    rows = [row("a", 80.0), row("b", 78.2), row("c", 77.5), row("d", 80.1)]
    found = judged(*rows).pairs
    assert {pair.pairs for pair in found} == {6}
    alone = [pair.difference.p for pair in found if pair.difference]
    assert [pair.adjusted for pair in found] == pytest.approx(
        multipletests(alone, method="holm")[1]
    )
    assert any(p <= 0.05 < (pair.adjusted or 0) for p, pair in zip(alone, found, strict=True))
    for pair in found:
        assert pair.interval is not None
        assert (pair.interval[0] > 0 or pair.interval[1] < 0) is pair.distinguishable


def test_against_one_row_there_are_fewer_pairs() -> None:
    rows = [row("ours", 80.0), row("b", 78.2), row("c", 77.5)]
    found = judged(*rows, against="ours").pairs
    assert [(pair.first, pair.second) for pair in found] == [("ours", "b"), ("ours", "c")]
    assert {pair.pairs for pair in found} == {2}


def test_only_rows_of_a_group_are_compared_unless_it_is_asked_for() -> None:
    rows = [row(name, 80, group=group) for group in ("one", "two") for name in ("a", "b")]
    assert [pair.group for pair in judged(*rows).pairs] == ["one", "two"]
    across = judged(*rows, across_groups=True).pairs[2:]
    assert [(pair.group, pair.first, pair.second) for pair in across] == [
        ("a", "one", "two"),
        ("b", "one", "two"),
    ]


def test_close_and_sure_is_equivalent_and_close_alone_is_not() -> None:
    sure = judged(row("a", 80.1, 0.2), row("b", 80.0, 0.2))
    assert sure.pairs[0].finding == "equivalent"
    unsure = judged(row("a", 80.1, 2.0), row("b", 80.0, 2.0))
    assert unsure.pairs[0].finding == "not distinguishable"
    strict = judged(row("a", 80.1, 0.2), row("b", 80.0, 0.2), rope=0.0)
    assert strict.pairs[0].finding == "not distinguishable"


@pytest.mark.parametrize("sd", [0.01, 0.5, 10.0])
@pytest.mark.parametrize("n", [2, 5, 1000])
@pytest.mark.parametrize("rope", [0.0, 0.01])
def test_equal_rows_are_never_ahead(sd: float, n: int, rope: float) -> None:
    rows = [row(name, 88.0, sd) for name in ("a", "b", "c")]
    findings = {pair.finding for pair in judged(*rows, design={"n": n}, rope=rope).pairs}
    assert not findings & {"ahead", "behind"}


@pytest.mark.parametrize("other", [0.8, 5.0])
def test_rows_of_one_truth_are_seldom_told_apart(other: float) -> None:
    """2,000 pairs of summaries of five values each, with one mean and like or unlike deviations."""
    rng = np.random.default_rng(7)
    sides = [rng.normal(80, sd, (DRAWS, 5)) for sd in (0.8, other)]
    wrong = ahead = 0
    for one, two in zip(*sides, strict=True):
        rows = [row(n, x.mean(), x.std(ddof=1)) for n, x in (("a", one), ("b", two))]
        (pair,) = judged(*rows).pairs
        assert pair.difference is not None
        wrong += pair.difference.p <= 0.05
        ahead += pair.finding in ("ahead", "behind")
    assert 0.02 < wrong / DRAWS <= MOST
    assert ahead <= wrong


NO_TEST = ["average of sds", "something else", "not stated"]


@pytest.mark.parametrize("kind", NO_TEST)
def test_what_is_no_deviation_carries_no_test(kind: str) -> None:
    (pair,) = judged(row("a", 90.0, 0.1), row("b", 50.0, 0.1, plus_minus_is=kind)).pairs
    assert pair.finding == "carries no test"
    known = (pair.difference, pair.adjusted, pair.interval, pair.detectable)
    assert known == (None,) * 4
    assert "carries no test, since" in pair.statement


def test_a_missing_deviation_carries_no_test() -> None:
    (pair,) = judged(row("a", 90.0, None), row("b", 50.0)).pairs
    assert (pair.finding, pair.why_not) == ("carries no test", "the source prints no ±")


def test_rows_of_several_designs_carry_no_test() -> None:
    (pair,) = judged(row("a", 90.0), row("b", 50.0), design={"same_design": False}).pairs
    assert pair.finding == "carries no test"


@pytest.mark.parametrize(
    ("changes", "design", "why"),
    [
        ({"plus_minus": 0.0}, {}, "the ± of b is 0"),
        ({"n": 1}, {}, "b is a single value"),
        ({}, {"n": None}, "how many values stand behind a"),
    ],
)
def test_what_cannot_be_judged_is_not(
    changes: dict[str, Any], design: dict[str, Any], why: str
) -> None:
    rows = [row("a", 90.0), row("b", 50.0) | changes, row("c", 60.0)]
    found = judged(*rows, design=design).pairs
    told = [pair for pair in found if pair.difference is None]
    assert {pair.finding for pair in told} == {"not judged"}
    assert why in told[0].why_not
    if not design:  # the other pair stands, corrected for itself alone
        assert [(pair.first, pair.second) for pair in found if pair not in told] == [("a", "c")]
        assert found[1].pairs == 1


SOUND = {
    "split": "subject",
    "epoch": "last",
    "seeds": 3,
    "validation_set": True,
    "replicates": "trainings",
}


@pytest.mark.parametrize(
    ("kind", "read"),
    [("sd", "as the standard deviation of the"), ("standard error", "as the standard error of a")],
)
def test_a_reading_is_told_from_the_sources_word(kind: str, read: str) -> None:
    def said(**more: Any) -> str | None:
        design = {"plus_minus_is": kind, **more}
        return reading_of(make_claim(row("a", 90), row("b", 80), design=design))

    assert said() is None
    assert read in (said(plus_minus_stated=False) or "")


def test_what_carries_no_test_has_no_reading() -> None:
    for kind in NO_TEST:
        design = {"plus_minus_is": kind, "plus_minus_stated": False}
        assert reading_of(make_claim(row("a", 90), row("b", 80), design=design)) is None


def test_of_rows_with_designs_of_their_own_some_may_be_stated() -> None:
    """What is left out holds of the rows together: the source may state it of one of them."""
    design = {"same_design": False}
    own, *lines = differences_of(make_claim(row("a", 90), row("b", 80), design=design))
    assert "designs of their own" in own
    assert len(lines) == 4
    assert all("is stated for none or only some of the rows" in line for line in lines)


def _design(**changes: Any) -> list[str]:
    return differences_of(make_claim(row("a", 90), row("b", 80), design={**SOUND, **changes}))


def test_a_design_like_ours_has_no_differences() -> None:
    assert _design() == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"split": "image", "sequences": True}, "frames of one sequence stand in training and"),
        ({"split": "image"}, "Folds divide images"),
        ({"split": "test set"}, "same test images"),
        ({"split": "not stated"}, "How images were divided is not stated"),
        ({"epoch": "best on judged images"}, "too high"),
        ({"epoch": "best on other images"}, "chosen on other images"),
        ({"epoch": "not stated"}, "Which epoch counts is not stated"),
        ({"seeds": 1}, "Each fold was trained once"),
        ({"seeds": None}, "How often each fold was trained is not stated"),
        ({"validation_set": False}, "No images were set aside"),
        ({"validation_set": None}, "Whether images were set aside"),
        ({"replicates": "folds"}, "Folds share training images"),
        ({"replicates": "not stated"}, "What the values behind a mean are is not stated"),
        ({"plus_minus_is": "average of sds"}, "± is an average of standard deviations"),
        ({"plus_minus_is": "not stated"}, "± is not explained"),
        ({"same_design": False}, "designs of their own"),
    ],
)
def test_each_difference_is_said(changes: dict[str, Any], said: str) -> None:
    (line,) = _design(**changes)
    assert said in line
    assert "agfer-bench" in line or "not stated" in line
