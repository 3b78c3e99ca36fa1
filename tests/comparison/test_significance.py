"""Tests of differences against SciPy, statsmodels, hand-worked values, and by simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from agfer_bench.comparison.significance import (
    ALPHA,
    MOST_FLIPPED,
    holm,
    over_folds,
    over_images,
    over_subjects,
    pairs_over_subjects,
)

SIMULATIONS = 2000
AT_MOST = 0.06


def test_sign_flip_by_enumeration() -> None:
    values = [0.4, -0.1, 0.3, 0.2, 0.5, -0.2, 0.1]
    flipped = [np.mean(np.multiply(s, values)) for s in itertools.product((1, -1), repeat=7)]
    above = sum(mean >= np.mean(values) - 1e-12 for mean in flipped) / len(flipped)
    found = over_subjects(values)
    assert found is not None
    assert found.p == pytest.approx(2 * above)
    assert found.estimate == pytest.approx(np.mean(values))
    assert found.effect == pytest.approx(np.mean(values) / np.std(values, ddof=1))


def test_the_interval_holds_what_the_test_does_not_reject() -> None:
    values = np.random.default_rng(3).normal(0.3, 1.0, 11)
    found = over_subjects(values)
    assert found is not None
    assert found.low is not None
    assert found.high is not None

    def p(true: float) -> float:
        one = over_subjects(values - true)
        assert one is not None
        return one.p

    width = found.high - found.low
    for inside, outside in (
        (found.low + 0.01 * width, found.low - 0.01 * width),
        (found.high - 0.01 * width, found.high + 0.01 * width),
    ):
        assert p(inside) > ALPHA >= p(outside) - 0.005


def test_corrected_t_by_hand() -> None:
    """Five folds, rho = 1/5: the error is s times the root of 1/5 + 1/4."""
    values = [0.02, 0.03, 0.01, 0.04, 0.00]
    found = over_folds(values, 1 / 5)
    assert found is not None
    error = np.std(values, ddof=1) * math.sqrt(1 / 5 + 1 / 4)
    assert found.p == pytest.approx(2 * stats.t.sf(0.02 / error, 4))
    assert found.low == pytest.approx(0.02 - stats.t.ppf(0.975, 4) * error)
    plain = stats.ttest_1samp(values, 0.0)
    assert found.p > plain.pvalue, "the plain test takes folds for independent"


def test_mcnemar_is_the_binomial_test_of_the_images_that_differ() -> None:
    first = [True] * 9 + [False] * 2 + [True] * 20
    second = [False] * 9 + [True] * 2 + [True] * 20
    assert over_images(first, second).p == pytest.approx(stats.binomtest(9, 11).pvalue)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.2]) == pytest.approx([0.2])
    assert len(holm([])) == 0


def test_what_cannot_be_compared() -> None:
    assert over_subjects([1.0] * 5) is None
    assert over_folds([1.0], 0.2) is None
    same = over_folds([0.0, 0.0, 0.0], 1 / 3)
    assert same is not None
    assert (same.p, same.smallest, same.effect) == (1.0, None, None)
    by_chance = over_folds([0.1, 0.1 + 1e-17, 0.3 - 0.2], 1 / 3)
    assert by_chance is not None
    assert by_chance.estimate == pytest.approx(0.1)
    assert (by_chance.p, by_chance.low, by_chance.high) == (1.0, None, None)
    alike = over_subjects([0.0] * 8)
    assert alike is not None
    assert (alike.p, alike.low, alike.high) == (1.0, 0.0, 0.0)


def _subjects(random: np.random.Generator, difference: float) -> NDArray[np.float64]:
    """Differences of 20 subjects with 6 images each, whose images hang together."""
    own = random.normal(0, 0.15, (2, 20, 1))
    skill = np.clip(0.6 + own + np.array([difference, 0.0])[:, None, None], 0, 1)
    right = random.random((2, 20, 6)) < skill
    shares = right.mean(axis=2)
    return np.asarray(shares[0] - shares[1], dtype=np.float64)


def test_over_subjects_rejects_a_true_null_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    found = [over_subjects(_subjects(random, 0.0), resamples=999) for _ in range(SIMULATIONS)]
    assert np.mean([one is not None and one.p <= ALPHA for one in found]) <= AT_MOST


def _folds(random: np.random.Generator, difference: float, rho: float) -> NDArray[np.float64]:
    """Five differences with the correlation that the corrected test supposes."""
    common = random.normal(0, math.sqrt(rho))
    return difference + common + random.normal(0, math.sqrt(1 - rho), 5)


def test_over_folds_rejects_a_true_null_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)
    found = [over_folds(_folds(random, 0.0, 0.2), 0.2) for _ in range(SIMULATIONS)]
    assert np.mean([one is not None and one.p <= ALPHA for one in found]) <= AT_MOST
    plain = [stats.ttest_1samp(_folds(random, 0.0, 0.2), 0.0).pvalue for _ in range(SIMULATIONS)]
    assert np.mean(np.array(plain) <= ALPHA) > 0.1, "what the correction is for"


def test_mcnemar_rejects_a_true_null_seldom_but_not_on_sequences() -> None:
    random = np.random.default_rng(2)
    single = [over_images(*(random.random((2, 60)) < 0.6)).p for _ in range(SIMULATIONS)]
    assert np.mean(np.array(single) <= ALPHA) <= AT_MOST
    repeated = [
        over_images(*np.repeat(random.random((2, 30)) < 0.6, 10, axis=1)).p for _ in range(400)
    ]
    assert np.mean(np.array(repeated) <= ALPHA) > 0.2, "why it is for single images"


def test_many_subjects_are_compared_by_students_t() -> None:
    values = np.random.default_rng(6).normal(0.02, 1, MOST_FLIPPED + 1)
    found, alike = pairs_over_subjects(np.array([values, np.zeros(len(values))]))
    expected = stats.ttest_1samp(values, 0.0)
    assert found.method == "t over subjects"
    assert found.p == expected.pvalue
    assert (found.low, found.high) == tuple(expected.confidence_interval(0.95))
    assert (alike.p, alike.low, alike.smallest) == (1.0, None, None)
    flipped = over_subjects(values[:MOST_FLIPPED])
    assert flipped is not None
    assert flipped.method == "sign-flip over subjects"
    assert flipped.p == pytest.approx(
        stats.ttest_1samp(values[:MOST_FLIPPED], 0.0).pvalue, abs=0.02
    )


def test_the_least_p_value_is_told() -> None:
    best = over_subjects([1.0, 1.1, 0.9, 1.2, 0.8, 1.0])
    assert best is not None
    assert best.p == pytest.approx(best.least) == pytest.approx(2 / 2**6)
    many = over_subjects(np.random.default_rng(7).normal(5, 1, 40))
    assert many is not None
    assert many.p == pytest.approx(many.least) == pytest.approx(2 / 20_000)


@pytest.mark.slow
@pytest.mark.parametrize("units", [6, 8, 11, 20, 60])
def test_the_smallest_difference_is_found_as_often_as_is_said(units: int) -> None:
    random = np.random.default_rng(4)
    sample = over_subjects(random.normal(0, 1, units))
    assert sample is not None
    scatter = 1.0
    known = np.concatenate([np.full(units - units // 2, scatter), np.full(units // 2, -scatter)])
    known *= scatter / known.std(ddof=1)
    stated = over_subjects(known)
    assert stated is not None
    assert stated.smallest is not None
    hits = [
        over_subjects(random.normal(stated.smallest, scatter, units), resamples=999)
        for _ in range(SIMULATIONS)
    ]
    rate = np.mean([one is not None and one.p <= ALPHA for one in hits])
    assert abs(rate - 0.8) < 0.03


def test_the_smallest_difference_over_folds_is_found_as_often_as_is_said() -> None:
    random = np.random.default_rng(5)
    known = np.array([1.0, -1.0, 0.0, 1.0, -1.0])
    known *= math.sqrt(1 - 0.2) / known.std(ddof=1)
    stated = over_folds(known, 0.2)
    assert stated is not None
    assert stated.smallest is not None
    hits = [over_folds(_folds(random, stated.smallest, 0.2), 0.2) for _ in range(SIMULATIONS)]
    rate = np.mean([one is not None and one.p <= ALPHA for one in hits])
    assert abs(rate - 0.8) < 0.03
