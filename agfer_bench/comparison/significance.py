"""Tests of paired differences, each with an interval, an effect size, and what it could have seen.

Over subjects: sign-flip permutation, exact for any distribution that is symmetric about the true
difference. Under the null each subject's difference is as likely to be positive as negative,
however much the images of one subject hang together. The interval holds the differences that the
same test does not reject; it is made of the means of subsets (Hartigan 1969, typical values,
doi:10.1080/01621459.1969.10501057). With more than `MOST_FLIPPED` subjects it is Student's t test,
to which the other then comes down.

Over folds: the corrected resampled t test (Nadeau & Bengio 2003, doi:10.1023/A:1024068626366).
Folds share training images, so their differences are correlated; the test takes the correlation to
be the share of images in a validation fold.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

ALPHA = 0.05
"""Level of all tests; intervals hold 1 - ALPHA."""
POWER = 0.8
"""Chance to be found at which a difference counts as one that the design could have seen."""

_RESAMPLES = 19_999
"""Most sign flips, or subsets, that are looked at; with fewer possible ones all are."""
MOST_FLIPPED = 2_000
"""Most subjects whose signs are flipped: with more, the t test says the same, much sooner."""
_FEW = 16
"""Subjects below which the power of the sign-flip test is not that of the t test."""
_DRAWS = 4_000
"""Samples that are drawn to find that power, and flips of each (a quarter as many)."""
_ROUNDING = 1e-12
"""Scatter of numbers around 1 that is none."""
_AT_ONCE = 2_000_000
"""Numbers that a batch of flips may take at once."""
FEWEST_SUBJECTS = 6
"""With five subjects no arrangement of signs has a p below 0.0625."""

Method = Literal["sign-flip over subjects", "t over subjects", "corrected t over folds", "McNemar"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A difference of two modules, and what may be said of it."""

    method: Method
    """The test."""
    units: int
    """Subjects, folds or images that were compared."""
    estimate: float
    """First less second, in the unit of the differences."""
    low: float | None
    """Lower end of the 95 % interval; None where the test gives none."""
    high: float | None
    """Upper end of the 95 % interval; None where the test gives none."""
    p: float
    """Two-sided p value, not adjusted for other comparisons."""
    effect: float | None
    """Mean of the differences divided by their standard deviation (Cohen's d of paired values)."""
    smallest: float | None
    """Smallest true difference that would have been found with a chance of 80 % at the 5 % level,
    given how much the differences scatter; None where they do not."""
    least: float = 0.0
    """Least p value that the test can give with so many units and flips."""


def over_subjects(
    differences: ArrayLike, *, seed: int = 0, resamples: int = _RESAMPLES
) -> Verdict | None:
    """Compare two modules by their differences for each subject.

    Args:
        differences: (n,) one number for each subject, whose mean is the difference of interest.
        seed: Draws the flips where there are too many to look at all.
        resamples: Most flips that are looked at.

    Returns:
        None for fewer than six subjects, with whom nothing could be significant.
    """
    found = pairs_over_subjects(np.atleast_2d(differences), seed=seed, resamples=resamples)
    return found[0] if found else None


def pairs_over_subjects(
    differences_PN: ArrayLike, *, seed: int = 0, resamples: int = _RESAMPLES
) -> list[Verdict]:
    """Compare several pairs of modules at once, with the same flips for all: much faster.

    Args:
        differences_PN: (P, N) for each pair one number for each subject.
        seed: As of `over_subjects`.
        resamples: As of `over_subjects`.

    Returns:
        A verdict for each pair; none at all for fewer than six subjects.
    """
    values_PN = np.asarray(differences_PN, dtype=np.float64)
    pairs, count = values_PN.shape
    if count < FEWEST_SUBJECTS or not pairs:
        return []
    if count > MOST_FLIPPED:
        return [_over_many(values_N) for values_N in values_PN]
    least = 2 / min(2**count, resamples + 1)
    smallest = _detectable_by_flips(count) if count < _FEW else _detectable(count)
    tested = stats.permutation_test(
        (values_PN,),
        np.mean,
        permutation_type="samples",
        n_resamples=resamples,
        vectorized=True,
        axis=-1,
        batch=max(1, _AT_ONCE // values_PN.size),
        rng=np.random.default_rng(seed),
    )
    ends = _typical_values(values_PN, seed, resamples)
    return [
        Verdict(
            method="sign-flip over subjects",
            units=count,
            estimate=float(values_N.mean()),
            low=float(low),
            high=float(high),
            p=min(1.0, float(p)),
            effect=_effect(values_N),
            smallest=_smallest(values_N, smallest),
            least=least,
        )
        for values_N, p, low, high in zip(values_PN, np.ravel(tested.pvalue), *ends, strict=True)
    ]


def _over_many(values_N: NDArray[np.float64]) -> Verdict:
    """Compare a pair over many subjects by Student's t test."""
    estimate = float(values_N.mean())
    p, low, high = 1.0, None, None
    if not is_constant(values_N):
        tested = stats.ttest_1samp(values_N, 0.0)
        interval = tested.confidence_interval(1 - ALPHA)
        p, low, high = float(tested.pvalue), float(interval.low), float(interval.high)
    return Verdict(
        method="t over subjects",
        units=len(values_N),
        estimate=estimate,
        low=low,
        high=high,
        p=p,
        effect=_effect(values_N),
        smallest=_smallest(values_N, _detectable(len(values_N))),
    )


def over_folds(differences: ArrayLike, test_share: float) -> Verdict | None:
    """Compare two modules by their differences in each fold.

    The variance of the mean of k differences is taken as s^2 (1 / k + rho / (1 - rho)), with
    rho = `test_share`: Nadeau & Bengio's (1 / k + n_test / n_train).

    With a few folds of a few images, differences are alike by chance now and then. The formula
    would be certain of them; here nothing is said of them: p is 1, and there is no interval.

    Args:
        differences: (k,) one number for each fold.
        test_share: Images of a validation fold divided by all images, 0..1, both ends excluded.

    Returns:
        None for a single fold.
    """
    values = np.asarray(differences, dtype=np.float64)
    count = len(values)
    if count < 2:
        return None
    scale = math.sqrt(1 / count + test_share / (1 - test_share))
    estimate, error = float(values.mean()), float(values.std(ddof=1)) * scale
    p, low, high = 1.0, None, None
    if not is_constant(values):
        t = stats.t(df=count - 1)
        p = float(2 * t.sf(abs(estimate) / error))
        half = float(t.ppf(1 - ALPHA / 2)) * error
        low, high = estimate - half, estimate + half
    return Verdict(
        method="corrected t over folds",
        units=count,
        estimate=estimate,
        low=low,
        high=high,
        p=p,
        effect=_effect(values),
        smallest=_smallest(values, _detectable(count) * scale * math.sqrt(count)),
    )


def over_images(first_right: ArrayLike, second_right: ArrayLike) -> Verdict:
    """Compare two modules image by image: McNemar's exact test.

    For independent images alone, one of each subject: on frames of sequences it rejects a true
    null hypothesis in a third of all cases.

    Args:
        first_right: (n,) whether the first module was right, for each image.
        second_right: (n,) the same of the second.
    """
    first, second = (np.asarray(v, dtype=bool) for v in (first_right, second_right))
    table = [[(a & b).sum() for b in (second, ~second)] for a in (first, ~first)]
    values = first.astype(float) - second.astype(float)
    return Verdict(
        method="McNemar",
        units=len(values),
        estimate=float(values.mean()),
        low=None,
        high=None,
        p=float(mcnemar(table, exact=True).pvalue),
        effect=_effect(values),
        smallest=None,
    )


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjust p values for their number (Holm 1979): each is significant if at most `ALPHA`.

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p_values, dtype=np.float64)
    if values.size == 0:
        return values
    adjusted: NDArray[np.float64] = multipletests(values, alpha=ALPHA, method="holm")[1]
    return adjusted


def _typical_values(
    values_PN: NDArray[np.float64], seed: int, resamples: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the ends of the equal-tailed intervals that invert the sign-flip test: (P,) each.

    Flipping the signs of a subset about a supposed mean m turns the total the other way exactly
    where the subset's own mean is beyond m; so what the test does not reject lies between the outer
    of the subsets' means.
    """
    pairs, count = values_PN.shape
    if 2**count - 1 <= resamples:
        chosen = (np.arange(1, 2**count)[:, None] >> np.arange(count)) & 1
    else:
        chosen = np.random.default_rng(seed).integers(0, 2, (resamples, count))
        chosen = chosen[chosen.any(axis=1)]
    outside = math.floor(ALPHA / 2 * (len(chosen) + 1))
    if outside < 1:
        return np.full(pairs, -np.inf), np.full(pairs, np.inf)
    means_SP = chosen.astype(np.float64) @ values_PN.T / chosen.sum(axis=1, keepdims=True)
    means_SP.sort(axis=0)
    return means_SP[outside - 1], means_SP[-outside]


def is_constant(values: NDArray[np.float64]) -> bool:
    """Tell whether numbers do not scatter, but for their rounding."""
    return float(np.ptp(values)) <= _ROUNDING


def _effect(values: NDArray[np.float64]) -> float | None:
    return None if is_constant(values) else float(values.mean() / values.std(ddof=1))


def _smallest(values: NDArray[np.float64], detectable: float) -> float | None:
    """Return the smallest difference found with a chance of `POWER`.

    Args:
        values: The differences, of which only the scatter counts.
        detectable: The same in standard deviations.
    """
    return None if is_constant(values) else detectable * float(values.std(ddof=1))


@cache
def _detectable(units: int) -> float:
    """Return the true mean, in standard deviations, that the t test finds with that chance."""
    found = TTestPower().solve_power(nobs=units, alpha=ALPHA, power=POWER)
    return float(np.ravel(found)[0])


@cache
def _detectable_by_flips(units: int) -> float:
    """Return the same for flips of few signs, whose p values are too coarse for the t test's power.

    Simulated with normal differences, the same draws for each supposed mean.
    """
    random = np.random.default_rng(0)
    if 2**units <= _DRAWS // 4:
        signs_FN = 1 - 2 * ((np.arange(2**units)[:, None] >> np.arange(units)) & 1)
    else:
        signs_FN = random.choice([-1, 1], (_DRAWS // 4, units))
        signs_FN[0] = 1
    draws_SN = random.normal(size=(_DRAWS, units))

    def p_values(values_SN: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        sums_SF = np.abs(values_SN @ signs_FN.T)
        found: NDArray[np.float64] = (sums_SF >= sums_SF[:, :1] - _ROUNDING).mean(axis=axis)
        return found

    def beyond(mean: float) -> float:
        found = stats.power(
            p_values,
            lambda size: draws_SN + mean,
            units,
            significance=math.nextafter(ALPHA, 1),  # which it takes for the first that is not
            vectorized=True,
            n_resamples=_DRAWS,
        )
        return float(found.power) - POWER

    return float(optimize.bisect(beyond, 0.0, 8.0, xtol=1e-3))
