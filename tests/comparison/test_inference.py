"""Differences with two random factors: against statsmodels, baycomp, and by simulation."""

from __future__ import annotations

import math
from dataclasses import replace

import baycomp
import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from numpy.typing import NDArray

from agfer_bench.comparison.inference import (
    ALPHA,
    POWER,
    Difference,
    holm,
    over_folds,
    over_subjects,
)
from tests.comparison.generated import FOLDS, SUBJECTS, draw

ROPE = 0.01


def _crossed(random: np.random.Generator, sds: tuple[float, float, float]) -> NDArray[np.float64]:
    """Draw differences (K, S, N) of 48 subjects in three folds, each trained four times."""
    subject, training, rest = sds
    shares = np.full((3, 4, 48), np.nan)
    for fold in range(3):
        here = slice(16 * fold, 16 * fold + 16)
        values = 0.02 + random.normal(0, subject, 16) + random.normal(0, training, (4, 1))
        shares[fold][:, here] = (values + random.normal(0, rest, (4, 16))) / 16
    return shares


# statsmodels warns of a boundary where the likelihood is merely flat.
@pytest.mark.filterwarnings("ignore::statsmodels.tools.sm_exceptions.ConvergenceWarning")
@pytest.mark.parametrize("sds", [(0.2, 0.05, 0.1), (0.1, 0.1, 0.1), (0.15, 0.03, 0.05)])
def test_it_agrees_with_a_mixed_model(sds: tuple[float, float, float]) -> None:
    shares = _crossed(np.random.default_rng(4), sds)
    found = over_subjects([shares])
    lines = [
        {"d": 16 * value, "subject": n, "training": f"{k}-{s}"}
        for (k, s, n), value in np.ndenumerate(shares)
        if not math.isnan(value)
    ]
    frame = pd.DataFrame(lines).assign(everything=1)
    parts = {"subject": "0 + C(subject)", "training": "0 + C(training)"}
    model = smf.mixedlm("d ~ 1", frame, groups="everything", vc_formula=parts)
    fitted = model.fit(reml=True, method="powell")
    assert found.estimate == pytest.approx(fitted.params["Intercept"], abs=0.05 * found.error)
    assert found.error == pytest.approx(fitted.bse["Intercept"], rel=0.05)


def test_chances_agree_with_baycomp() -> None:
    random = np.random.default_rng(0)
    for folds in (3, 5, 10):
        one, other = random.normal(0.7, 0.03, folds), random.normal(0.69, 0.03, folds)
        found = over_folds([(one - other)[:, None]], 1 / folds)
        chances = found.chances(ROPE)
        assert chances is not None
        # Of baycomp the left is the first, so that its first probability is that of the first.
        better, equivalent, worse = baycomp.CorrelatedTTest.probs(other, one, rope=ROPE)[::-1]
        expected = (worse, equivalent, better)
        assert (chances.worse, chances.equivalent, chances.better) == pytest.approx(
            expected, abs=1e-3
        )


def test_a_single_training_of_each_fold_is_nadeau_and_bengio() -> None:
    """Folds of a third of the images: the variance is s^2 (1/2 + 1/2)."""
    found = over_folds([np.array([[0.1], [0.2]])], 1 / 3)
    assert found.error == pytest.approx(np.std([0.1, 0.2], ddof=1))
    assert found.df == 1


def test_only_what_folds_share_is_widened() -> None:
    """Trainings are independent: their part of the variance needs no correction."""
    random = np.random.default_rng(1)
    trainings_only = random.normal(0, 0.05, (3, 50))
    found = over_folds([trainings_only], 1 / 3)
    error = np.sqrt(trainings_only.var(axis=1, ddof=1).mean() / 150)
    assert found.training**0.5 == pytest.approx(error)
    assert found.error < 1.7 * error


def test_subjects_whose_images_are_in_several_folds() -> None:
    """As with folds by image: each subject's shares are added up over the folds first."""
    random = np.random.default_rng(2)
    person = random.normal(0, 0.2, 30)
    shares = (0.01 + person + random.normal(0, 0.05, (3, 4, 30))) / 30
    found = over_subjects([shares])
    assert found.unit_df == 29
    expected = np.std(30 * shares.mean(axis=(0, 1)), ddof=1) / np.sqrt(30)
    assert found.error == pytest.approx(expected, rel=0.1)


def test_a_plan_of_what_there_is_changes_nothing() -> None:
    first, second = draw(np.random.default_rng(3), 3, 0.03)
    found = over_subjects([first - second])
    same = found.planned()
    assert (same.error, same.df) == pytest.approx((found.error, found.df))
    wider = found.planned(trainings=4)
    assert wider.error < found.error
    assert wider.training == pytest.approx(found.training / 4)
    assert wider.subject == found.subject


def test_how_many_trainings_or_subjects_would_find_an_effect() -> None:
    first, second = draw(np.random.default_rng(3), 3, 0.05)
    found = over_subjects([first - second])
    count = found.trainings_to_find(0.04)
    assert count is not None
    now = count / 3, (count - 1) / 3
    enough, short = (found.planned(trainings=one).detectable() for one in now)
    assert enough is not None
    assert short is not None
    assert enough <= 0.04 < short
    assert found.trainings_to_find(1e-6) is None, "subjects alone scatter by more"
    subjects = found.units_to_find(0.9 * (found.detectable() or 0))
    assert subjects is None or subjects > SUBJECTS


def test_where_nothing_scatters_nothing_is_said() -> None:
    found = over_subjects([np.full((1, 2, 6), 0.01)])
    assert (found.p, found.interval(), found.chances(ROPE), found.detectable()) == (
        *(1.0, None, None),
        None,
    )
    assert over_folds([np.full((3, 2), 0.1)], 1 / 3).p == 1


def test_holm_by_hand() -> None:
    assert holm([]).tolist() == []
    assert holm([0.02]).tolist() == [0.02]


def _rates(
    trainings: int, seed_sd: float, *, paired: bool = True, effect: float = 0.0, runs: int = 2000
) -> tuple[float, float]:
    """Return the share of rejections at the 5 % level, and of intervals that hold the truth."""
    random = np.random.default_rng(100 * trainings + round(1000 * seed_sd))
    rejected = covered = 0
    for _ in range(runs):
        found = _difference(*draw(random, trainings, seed_sd, effect), paired=paired)
        ends = found.interval()
        assert ends is not None
        rejected += found.p <= ALPHA
        covered += ends[0] <= effect <= ends[1]
    return rejected / runs, covered / runs


def _difference(
    first: NDArray[np.float64], second: NDArray[np.float64], *, paired: bool = True
) -> Difference:
    return over_subjects([first - second] if paired else [first, -second])


@pytest.mark.slow
@pytest.mark.parametrize("seed_sd", [0.0, 0.02, 0.04, 0.06])
@pytest.mark.parametrize("trainings", [2, 3, 4, 5])
def test_blocks_that_do_nothing_are_called_different_as_often_as_is_said(
    trainings: int, seed_sd: float
) -> None:
    rejected, covered = _rates(trainings, seed_sd)
    assert rejected <= (0.065 if trainings >= 3 else 0.08)
    assert covered == pytest.approx(0.95, abs=0.015)


@pytest.mark.slow
@pytest.mark.parametrize("trainings", [2, 3])
def test_trainings_that_do_not_pair_reject_no_more(trainings: int) -> None:
    rejected, _ = _rates(trainings, 0.04, paired=False)
    assert rejected <= 0.065


@pytest.mark.slow
@pytest.mark.parametrize("trainings", [2, 3, 5])
def test_power_is_what_is_said(trainings: int) -> None:
    """At the difference that is said to be found in 80 % of cases, given the true variances."""
    random = np.random.default_rng(trainings)
    found = [_difference(*draw(random, trainings, 0.03)) for _ in range(300)]
    truth = found[0]
    means = {
        name: float(np.mean([getattr(one, name) for one in found]))
        for name in ("subject", "training", "residual")
    }
    planned = replace(
        truth,
        subject=means["subject"],
        training=means["training"],
        residual=means["residual"],
    ).planned()
    effect = planned.detectable()
    assert effect is not None
    rejected, _ = _rates(trainings, 0.03, effect=effect)
    assert rejected == pytest.approx(POWER, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("trainings", [3, 5])
def test_what_differs_by_the_rope_is_seldom_called_equivalent(trainings: int) -> None:
    random = np.random.default_rng(trainings)
    called = 0
    rope = 0.05  # wide enough that equivalence can be told at all
    for _ in range(2000):
        chances = _difference(*draw(random, trainings, 0.01, rope)).chances(rope)
        assert chances is not None
        called += chances.equivalent >= 0.95
    assert 0.02 <= called / 2000 <= 0.065


@pytest.mark.slow
def test_averaging_seeds_over_subjects_alone_would_reject_far_too_often() -> None:
    """The twin: the test that this replaces, on the same draws."""
    random = np.random.default_rng(0)
    rejected = 0
    for _ in range(500):
        first, second = draw(random, 3, 0.04)
        values = np.nansum((first - second).mean(axis=1), axis=0) * SUBJECTS / FOLDS
        t = values.mean() / (values.std(ddof=1) / np.sqrt(SUBJECTS))
        rejected += abs(t) > 1.99
    assert rejected / 500 > 0.2
