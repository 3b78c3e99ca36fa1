"""The effect of one block put together over several settings: a random-effects meta-analysis.

A setting has a true effect of its own, drawn from a normal distribution with mean mu and standard
deviation tau; its estimate y differs from that by its own standard error s. Tau is estimated as
Paule and Mandel (1982, doi:10.6028/jres.087.022) do, and the interval of mu is that of Hartung,
Knapp, Sidik and Jonkman, both by statsmodels. Where the effects agree better than their standard
errors allow, that interval would be shorter than one without heterogeneity: then the longer of the
two counts (Roever, Knapp and Friede 2015, doi:10.1186/s12874-015-0091-1).

The prediction interval of a new setting's true effect does not take the estimate of tau for tau,
as the usual one with t(K - 2) does (Higgins, Thompson and Spiegelhalter 2009,
doi:10.1111/j.1467-985X.2008.00552.x): with few settings that one covers too little or says nothing.
It uses the whole confidence distribution of tau (Nagashima, Noma and Furukawa 2019,
doi:10.1177/0962280218773520), here from

    Q(tau^2) = sum_i (y_i - mu(tau^2))^2 / (s_i^2 + tau^2),

which follows chi-squared with K - 1 degrees of freedom at the true tau: the Q profile (Viechtbauer
2007, doi:10.1002/sim.2514). At each tau of that distribution a new effect is normal, with mean
mu(tau^2) and variance tau^2 + 1 / sum_i 1 / (s_i^2 + tau^2), and the interval holds 95 % of the
mixture. A grid of quantiles takes the place of their bootstrap, so that the same effects give the
same interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats
from scipy.optimize import brentq, elementwise
from statsmodels.regression.linear_model import WLS
from statsmodels.stats.meta_analysis import combine_effects
from statsmodels.tools import add_constant

from agfer_bench.comparison.contrasts import ROPE, SURE, Verdict
from agfer_bench.comparison.inference import ALPHA, Chances
from agfer_bench.errors import UserError

FEWEST_SETTINGS: Final = 3
"""Fewest settings that are put together."""
FEWEST_FOR_ASYMMETRY: Final = 10
"""Fewest settings in which small-study effects are tested (Sterne et al. 2011,
doi:10.1136/bmj.d4002)."""
_ROUNDING: Final = 1e-12
"""Standard errors that are none, but for rounding."""
_FEWEST_FOR_OUTLIERS: Final = FEWEST_SETTINGS + 1
_NODES: Final = 200
"""Quantiles of the confidence distribution of tau."""
_STEPS: Final = 1000
"""Most steps of the search for tau."""


@dataclass(frozen=True, kw_only=True)
class MetaAnalysis:
    """One effect over K settings. Effects are differences of accuracies, 0..1."""

    settings: int
    """Number of settings K."""
    mean: float
    """Estimate of mu, the mean effect over all such settings."""
    error: float
    """Standard error of that, for Student's t with K - 1 degrees of freedom."""
    tau: float
    """Estimate of the standard deviation of true effects between settings."""
    tau_interval: tuple[float, float]
    """95 % interval of tau, by the Q profile."""
    q: float
    """Cochran's Q: Q(0)."""
    q_p: float
    """p value of Q: that all settings have one true effect."""
    i2: float
    """I^2, 0..1: the part of the scatter of estimates that is not their standard errors'."""
    prediction: tuple[float, float]
    """95 % prediction interval: the true effect in a new setting of the same kind."""
    asymmetry_p: float | None
    """p value of Egger's regression (`asymmetry`); None where it is not tested."""
    outliers: tuple[int, ...]
    """Numbers of the settings whose effects do not fit to those of all others."""

    @property
    def p(self) -> float:
        """Two-sided p value of no mean effect."""
        return float(2 * stats.t.sf(abs(self.mean) / self.error, self.settings - 1))

    def interval(self, alpha: float = ALPHA) -> tuple[float, float]:
        """Return the interval of the mean effect that holds 1 - `alpha`."""
        half = float(stats.t.isf(alpha / 2, self.settings - 1)) * self.error
        return self.mean - half, self.mean + half

    def chances(self, rope: float = ROPE) -> Chances:
        """Return the chances that the mean effect is below, within and above +-`rope`.

        They are those of Student's t about the estimate: a posterior with a flat prior.
        """
        posterior = stats.t(self.settings - 1, loc=self.mean, scale=self.error)
        worse, better = float(posterior.cdf(-rope)), float(posterior.sf(rope))
        return Chances(worse=worse, equivalent=max(0.0, 1 - worse - better), better=better)

    def verdict(self, adjusted: float, rope: float = ROPE) -> Verdict:
        """Say what holds of the block held against base, on average over such settings.

        Args:
            adjusted: The p value adjusted for all blocks that are judged together.
            rope: Half the region of practical equivalence.
        """
        if self.chances(rope).equivalent >= SURE:
            return "equivalent"
        if adjusted <= ALPHA:
            return "ahead" if self.mean > 0 else "behind"
        return "not distinguishable"


def why_not_combined(effect: float, error: float) -> str:
    """Say why a setting's effect is not put together with others; empty where it is."""
    if not math.isfinite(effect):
        return "its effect is not a finite number"
    if not math.isfinite(error):
        return "its standard error is not a finite number"
    if error <= _ROUNDING:
        return "its standard error is 0, so that nothing tells how sure its effect is"
    return ""


def combine(effects: Sequence[float], errors: Sequence[float]) -> MetaAnalysis:
    """Put the effect of one block in several settings together.

    Args:
        effects: K estimates, K >= 3: differences of accuracies, 0..1.
        errors: Their K standard errors, greater than 0.

    Raises:
        UserError: There are fewer than three settings, or a number cannot be used.
    """
    if len(effects) < FEWEST_SETTINGS:
        raise UserError(
            f"{len(effects)} settings are too few for a meta-analysis (at least {FEWEST_SETTINGS})"
        )
    for number, (effect, error) in enumerate(zip(effects, errors, strict=True), start=1):
        if why := why_not_combined(effect, error):
            raise UserError(f"setting {number}: {why}; leave it out")
    y_K = np.asarray(effects, dtype=np.float64)
    v_K = np.asarray(errors, dtype=np.float64) ** 2
    count = len(y_K)
    mean, error, tau2 = _random_effects(y_K, v_K)
    q = float(_q(np.zeros(1), y_K, v_K)[0])
    low, high = np.sqrt(_tau2_of(stats.chi2.isf([ALPHA / 2, 1 - ALPHA / 2], count - 1), y_K, v_K))
    half = float(stats.t.isf(ALPHA / 2, count - 1)) * error
    ends = _prediction(y_K, v_K)
    return MetaAnalysis(
        settings=count,
        mean=mean,
        error=error,
        tau=math.sqrt(tau2),
        tau_interval=(float(low), float(high)),
        q=q,
        q_p=float(stats.chi2.sf(q, count - 1)),
        i2=max(0.0, 1 - (count - 1) / q) if q > 0 else 0.0,
        # A new effect is never known better than the mean of all.
        prediction=(min(ends[0], mean - half), max(ends[1], mean + half)),
        asymmetry_p=asymmetry(y_K, v_K, tau2),
        outliers=_outliers(y_K, v_K),
    )


def asymmetry(y_K: NDArray[np.float64], v_K: NDArray[np.float64], tau2: float) -> float | None:
    """Test whether settings with larger standard errors have other effects.

    Egger's regression of effects on standard errors (Egger et al. 1997,
    doi:10.1136/bmj.315.7109.629), weighted with the variance between settings as well.

    Args:
        y_K: Effects.
        v_K: Squared standard errors.
        tau2: Variance between settings.

    Returns:
        Two-sided p value; None with fewer than ten settings, or equal standard errors.
    """
    errors_K = np.sqrt(v_K)
    if len(y_K) < FEWEST_FOR_ASYMMETRY or np.ptp(errors_K) <= 1e-6 * errors_K.max():
        return None
    fitted = WLS(y_K, add_constant(errors_K), weights=1 / (v_K + tau2)).fit()
    p = float(fitted.pvalues[1])
    return p if math.isfinite(p) else None


def _random_effects(
    y_K: NDArray[np.float64], v_K: NDArray[np.float64]
) -> tuple[float, float, float]:
    """Return mean, its standard error, and the variance between settings."""
    # statsmodels divides by Q, which may be 0, or so small that the ratio is too large.
    with np.errstate(divide="ignore", over="ignore"):
        found = combine_effects(y_K, v_K, method_re="pm", use_t=True, maxiter=_STEPS)
    error = max(float(found.sd_eff_w_re), float(found.sd_eff_w_re_hksj))
    return float(found.mean_effect_re), error, float(found.tau2)


def _q(
    tau2_N: NDArray[np.float64], y_K: NDArray[np.float64], v_K: NDArray[np.float64]
) -> NDArray[np.float64]:
    mean_N, weight_NK = _means(tau2_N, y_K, v_K)
    found: NDArray[np.float64] = (weight_NK * (y_K - mean_N[..., None]) ** 2).sum(axis=-1)
    return found


def _means(
    tau2_N: NDArray[np.float64], y_K: NDArray[np.float64], v_K: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the weighted mean at each variance between settings, and the weights."""
    weight_NK = 1 / (v_K + tau2_N[..., None])
    return (weight_NK * y_K).sum(axis=-1) / weight_NK.sum(axis=-1), weight_NK


def _tau2_of(
    q_N: NDArray[np.float64], y_K: NDArray[np.float64], v_K: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the variance between settings at which Q has these values; 0 where none is so small.

    Q falls with tau^2, and is at most sum (y - mean y)^2 / tau^2: that bounds the search.
    """
    found_N = np.zeros(len(q_N))
    above_N = q_N < _q(np.zeros(1), y_K, v_K)[0]
    if above_N.any():
        wanted_N = q_N[above_N]
        most_N = 1.01 * float(((y_K - y_K.mean()) ** 2).sum()) / wanted_N
        found = elementwise.find_root(
            lambda tau2, wanted: _q(tau2, y_K, v_K) - wanted,
            (np.zeros(len(wanted_N)), most_N),
            args=(wanted_N,),
        )
        found_N[above_N] = found.x
    return found_N


def _prediction(y_K: NDArray[np.float64], v_K: NDArray[np.float64]) -> tuple[float, float]:
    """Return the ends of 95 % of the distribution of a new setting's effect."""
    shares_N = (np.arange(_NODES) + 0.5) / _NODES
    tau2_N = _tau2_of(stats.chi2.isf(shares_N, len(y_K) - 1), y_K, v_K)
    mean_N, weight_NK = _means(tau2_N, y_K, v_K)
    spread_N = np.sqrt(tau2_N + 1 / weight_NK.sum(axis=-1))
    ends = float((mean_N - 10 * spread_N).min()), float((mean_N + 10 * spread_N).max())

    def less(share: float) -> Callable[[float], float]:
        return lambda x: float(special.ndtr((x - mean_N) / spread_N).mean()) - share

    low, high = (float(brentq(less(share), *ends)) for share in (ALPHA / 2, 1 - ALPHA / 2))
    return low, high


def _outliers(y_K: NDArray[np.float64], v_K: NDArray[np.float64]) -> tuple[int, ...]:
    """Return the settings whose effects do not fit to those of all others.

    Each is held against a prediction from the others alone: an externally standardised residual
    (Viechtbauer and Cheung 2010, doi:10.1002/jrsm.11), by Student's t, divided among the settings
    (Bonferroni).
    """
    count = len(y_K)
    if count < _FEWEST_FOR_OUTLIERS:
        return ()
    found = []
    for number in range(count):
        mean, error, tau2 = _random_effects(np.delete(y_K, number), np.delete(v_K, number))
        residual = abs(y_K[number] - mean) / math.sqrt(v_K[number] + tau2 + error**2)
        if 2 * stats.t.sf(residual, count - 2) <= ALPHA / count:
            found.append(number)
    return tuple(found)
