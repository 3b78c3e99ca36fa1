"""Settings put together: against published numbers, a second implementation, and by simulation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from agfer_bench.comparison.inference import ALPHA
from agfer_bench.comparison.meta_analysis import (
    FEWEST_FOR_ASYMMETRY,
    MetaAnalysis,
    combine,
    why_not_combined,
)
from agfer_bench.errors import UserError

DOCS = Path(__file__).resolve().parents[2] / "docs" / "statistics.md"

EXAMPLE = ([2.1, 0.4, 3.6, -0.8, 1.5], [1.0, 0.8, 1.5, 1.2, 0.9])
"""Effects and standard errors of the worked example in docs/statistics.md, in points."""

Field = tuple[NDArray[np.float64], NDArray[np.float64], float]


def _example() -> MetaAnalysis:
    effects, errors = EXAMPLE
    return combine([one / 100 for one in effects], [one / 100 for one in errors])


def _q(tau2: float, effects: NDArray[np.float64], errors: NDArray[np.float64]) -> float:
    weights = 1 / (errors**2 + tau2)
    mean = np.average(effects, weights=weights)
    return float(np.sum(weights * (effects - mean) ** 2))


def test_agrees_with_a_published_bootstrap() -> None:
    """13 trials of cisapride (Hartung and Knapp 2001, doi:10.1002/sim.1009).

    The vignette of the R package pimeta 1.1.4, of Nagashima and others, gives the odds ratio's
    prediction interval by their bootstrap: 0.533 to 33.692.
    """
    good = np.array([15, 12, 29, 42, 14, 44, 14, 29, 10, 17, 38, 19, 21]) + 0.5
    bad = np.array([16, 16, 34, 56, 22, 54, 17, 58, 14, 26, 44, 29, 38]) + 1 - good
    good0 = np.array([9, 1, 18, 31, 6, 17, 7, 23, 3, 6, 12, 22, 19]) + 0.5
    bad0 = np.array([16, 16, 34, 56, 22, 55, 15, 58, 15, 27, 45, 30, 38]) + 1 - good0
    effects = np.log(good * bad0 / bad / good0)
    errors = np.sqrt(1 / good + 1 / bad + 1 / good0 + 1 / bad0)
    assert (effects[0], errors[0]) == pytest.approx((2.098986, 0.9847737), abs=1e-6)
    found = combine(effects.tolist(), errors.tolist())
    low, high = np.log([0.533, 33.692])
    assert found.mean == pytest.approx(np.log(4.141), abs=0.01)
    assert found.prediction == pytest.approx((low, high), abs=0.03 * (high - low))


def test_the_estimate_of_tau_solves_its_equation() -> None:
    effects, errors = (np.array(one) for one in EXAMPLE)
    found = combine(effects.tolist(), errors.tolist())
    assert _q(found.tau**2, effects, errors) == pytest.approx(len(effects) - 1, abs=1e-4)
    assert found.q == pytest.approx(_q(0, effects, errors))
    weights = 1 / (errors**2 + found.tau**2)
    assert found.mean == pytest.approx(np.average(effects, weights=weights))
    assert found.error == pytest.approx(weights.sum() ** -0.5, rel=1e-4)
    low, high = found.tau_interval
    assert low == 0
    assert _q(high**2, effects, errors) == pytest.approx(stats.chi2.ppf(0.025, 4))


def test_the_prediction_is_that_of_draws() -> None:
    """A second implementation: draws of Q, bisection for tau, draws of the mean and the effect."""
    effects, errors = np.array([3.0, -1.0, 4.0, 0.5]), np.array([0.7, 0.9, 1.5, 0.6])
    random = np.random.default_rng(0)
    wanted = random.chisquare(3, 20_000)
    low, high = np.zeros_like(wanted), np.full_like(wanted, 1e6)
    for _ in range(60):
        middle = (low + high) / 2
        weights = 1 / (errors**2 + middle[:, None])
        means = (weights @ effects) / weights.sum(axis=1)
        above = (weights * (effects - means[:, None]) ** 2).sum(axis=1) > wanted
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    weights = 1 / (errors**2 + high[:, None])
    means = (weights @ effects) / weights.sum(axis=1)
    drawn = random.normal(random.normal(means, weights.sum(axis=1) ** -0.5), np.sqrt(high))
    found = combine(effects.tolist(), errors.tolist()).prediction
    shares = [float(np.mean(drawn < end)) for end in found]
    assert shares == pytest.approx([0.025, 0.975], abs=0.004)


def test_one_effect_everywhere_is_known_better_and_nothing_is_between() -> None:
    found = combine([0.01, 0.01, 0.01], [0.01, 0.02, 0.01])
    assert (found.tau, found.q, found.i2, found.q_p) == (0, 0, 0, 1)
    assert found.error == pytest.approx((2 / 0.01**2 + 1 / 0.02**2) ** -0.5)
    assert found.prediction[0] <= found.interval()[0]
    nearly = combine([0.5, 0.5, 0.5 + 1e-12], [0.01] * 3)
    assert nearly.mean == pytest.approx(0.5)
    assert nearly.tau == 0


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-1, 1), st.floats(1e-6, 1)),
        min_size=3,
        max_size=8,
    )
)
def test_whatever_the_numbers_the_intervals_are_in_order(field: list[tuple[float, float]]) -> None:
    effects, errors = [one for one, _ in field], [one for _, one in field]
    found = combine(effects, errors)
    low, high = found.interval()
    assert found.prediction[0] <= low <= found.mean <= high <= found.prediction[1]
    assert 0 <= found.tau_interval[0] <= found.tau_interval[1]
    assert 0 <= found.i2 <= 1
    assert np.isfinite([*found.prediction, *found.tau_interval, found.p, found.q]).all()


def test_points_and_shares_say_the_same_and_signs_turn() -> None:
    effects, errors = EXAMPLE
    points, shares = combine(effects, errors), _example()
    assert np.divide(points.prediction, 100) == pytest.approx(shares.prediction, abs=1e-6)
    assert points.p == pytest.approx(shares.p, abs=1e-6)
    turned = combine([-one for one in effects], errors)
    assert turned.prediction == pytest.approx(
        (-points.prediction[1], -points.prediction[0]), abs=1e-6
    )


@pytest.mark.parametrize(
    ("effects", "errors", "said"),
    [
        ([0.1, 0.2], [0.1, 0.1], "2 settings are too few for a meta-analysis (at least 3)"),
        ([], [], "0 settings are too few"),
        ([0.1, 0.2, 0.3], [0.1, 0.0, 0.1], "setting 2: its standard error is 0"),
        ([0.1, 0.2, 0.3], [0.1, 0.1, float("nan")], "setting 3: its standard error is not a fin"),
        ([float("inf"), 0.2, 0.3], [0.1] * 3, "setting 1: its effect is not a finite number"),
    ],
)
def test_what_cannot_be_judged_is_refused(
    effects: list[float], errors: list[float], said: str
) -> None:
    with pytest.raises(UserError) as error:
        combine(effects, errors)
    assert str(error.value).startswith(said)
    assert "\n" not in str(error.value)


def test_a_usable_setting_has_no_fault() -> None:
    assert why_not_combined(0.0, 0.01) == ""


def test_a_setting_that_is_wildly_off_is_found_and_others_are_not() -> None:
    errors = [0.01, 0.012, 0.01, 0.02, 0.01]
    assert combine([0.01, 0.02, 0.6, 0.015, 0.01], errors).outliers == (2,)
    assert combine([0.01, 0.02, 0.03, 0.015, 0.01], errors).outliers == ()
    assert combine([0.01, 0.02, 0.6], errors[:3]).outliers == (), "of three, two say nothing"


def test_small_study_effects_are_tested_from_ten_settings_on() -> None:
    errors = np.linspace(0.005, 0.03, FEWEST_FOR_ASYMMETRY)
    random = np.random.default_rng(0)
    noise = random.normal(0, errors / 2)
    biased = combine((1.5 * errors + noise).tolist(), errors.tolist())
    fair = combine((0.02 + noise).tolist(), errors.tolist())
    assert biased.asymmetry_p is not None
    assert biased.asymmetry_p < 0.01
    assert fair.asymmetry_p is not None
    assert fair.asymmetry_p > ALPHA
    fewer = combine((1.5 * errors + noise)[1:].tolist(), errors[1:].tolist())
    assert fewer.asymmetry_p is None
    assert combine(noise.tolist(), [0.01] * len(noise)).asymmetry_p is None


def test_verdicts() -> None:
    def verdict(effects: list[float], error: float) -> str:
        found = combine(effects, [error] * len(effects))
        return found.verdict(found.p)

    assert verdict([0.03, 0.04, 0.035, 0.03], 0.004) == "ahead"
    assert verdict([-0.03, -0.04, -0.035, -0.03], 0.004) == "behind"
    assert verdict([0.001, -0.001, 0.0005, 0.0], 0.002) == "equivalent"
    assert verdict([0.03, -0.03, 0.03, -0.03], 0.004) == "not distinguishable"
    clear = combine([0.03, 0.04, 0.035, 0.03], [0.004] * 4)
    assert clear.verdict(adjusted=0.06) == "not distinguishable", "the correction decides"


def test_the_numbers_of_the_documented_example() -> None:
    found = _example()
    text = " ".join(DOCS.read_text(encoding="utf-8").split())
    low, high = (100 * end for end in found.interval())
    ends = [100 * end for end in found.prediction]
    usual = [100 * end for end in _usual(found)]
    for said in (
        f"tau = {100 * found.tau:.1f} points (95 % interval {100 * found.tau_interval[0]:.0f} to "
        f"{100 * found.tau_interval[1]:.1f})",
        f"Q = {found.q:.1f} (p = {found.q_p:.2f}), I² = {100 * found.i2:.0f} %",
        f"mean effect is {100 * found.mean:.1f} points with a standard error of "
        f"{100 * found.error:.2f}",
        f"95 % interval {low:.1f} to {high:.1f}, p = {found.p:.2f}".replace("-", "−"),
        f"expect {ends[0]:.1f} to {ends[1]:.1f} points".replace("-", "−"),
        f"usual interval would say {usual[0]:.1f} to {usual[1]:.1f}.".replace("-", "−"),
    ):
        assert said in text, said


# --- Simulated fields ---


def _field(random: np.random.Generator, count: int, tau: float) -> Field:
    """Return effects, standard errors and the true effect in a new setting, in points."""
    errors = random.uniform(0.5, 3, count)
    effects = random.normal(random.normal(0, tau, count), errors)
    return effects, errors, float(random.normal(0, tau))


def _combine(field: Field) -> MetaAnalysis:
    effects, errors, _ = field
    return combine((effects / 100).tolist(), (errors / 100).tolist())


def _usual(found: MetaAnalysis) -> tuple[float, float]:
    """Return the interval with t(K - 2), which takes the estimate of tau for tau."""
    half = float(stats.t.isf(0.025, found.settings - 2)) * np.hypot(found.tau, found.error)
    return found.mean - half, found.mean + half


def _covered(field: Field, interval: tuple[float, float]) -> bool:
    return interval[0] <= field[2] / 100 <= interval[1]


def _drawn(random: np.random.Generator) -> Field:
    return _field(random, int(random.integers(3, 13)), random.uniform(0, 3))


@pytest.mark.slow
def test_prediction_intervals_hold_a_new_effect() -> None:
    random = np.random.default_rng(2026)
    ours: dict[int, list[bool]] = {}
    usual: dict[int, list[bool]] = {}
    for _ in range(2000):
        field = _drawn(random)
        found = _combine(field)
        ours.setdefault(found.settings, []).append(_covered(field, found.prediction))
        usual.setdefault(found.settings, []).append(_covered(field, _usual(found)))
    assert 0.93 <= np.mean(np.concatenate(list(ours.values()))) <= 0.97
    assert all(np.mean(own) >= 0.92 for own in ours.values())
    assert np.mean(np.concatenate(list(usual.values()))) < 0.94, "the usual interval does not"
    assert np.mean(usual[3]) > 0.99, "and with three settings it says little"


@pytest.mark.slow
def test_errors_that_are_estimated_themselves_do_no_harm() -> None:
    """Standard errors of a page have few degrees of freedom themselves: nine, say."""
    random = np.random.default_rng(7)
    covered = []
    for _ in range(1000):
        effects, errors, new = _drawn(random)
        field = effects, errors * np.sqrt(random.chisquare(9, len(errors)) / 9), new
        covered.append(_covered(field, _combine(field).prediction))
    assert 0.93 <= np.mean(covered) <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("tau", [0.0, 1.5])
def test_a_block_without_effect_is_seldom_ahead_or_behind(tau: float) -> None:
    random = np.random.default_rng(11)
    verdicts, odd, asymmetric = [], [], []
    for _ in range(1000):
        found = _combine(_field(random, int(random.integers(3, 13)), tau))
        verdicts.append(found.verdict(found.p) in ("ahead", "behind"))
        odd.append(bool(found.outliers))
        if found.asymmetry_p is not None:
            asymmetric.append(found.asymmetry_p <= ALPHA)
    assert np.mean(verdicts) <= 0.065
    assert np.mean(odd) <= 0.065
    assert np.mean(asymmetric) <= 0.08


@pytest.mark.slow
def test_an_effect_at_the_end_of_the_region_is_seldom_called_equivalent() -> None:
    random = np.random.default_rng(12)
    verdicts = []
    for _ in range(1000):
        effects, errors, _ = _field(random, int(random.integers(3, 13)), 0.0)
        found = combine(((1 + effects) / 100).tolist(), (errors / 100).tolist())
        verdicts.append(found.verdict(found.p) == "equivalent")
    assert np.mean(verdicts) <= 0.065
