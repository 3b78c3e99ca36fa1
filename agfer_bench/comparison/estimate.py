"""An estimated difference with its standard error, and what Student's t distribution says of it.

Whatever the difference is over (people and trainings, folds, printed summaries), p values,
intervals, chances and detectable differences follow from three numbers in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

ALPHA = 0.05
"""Level of all tests; intervals hold 1 - ALPHA."""
POWER = 0.8
"""Chance to be found at which a difference counts as one that the design could have seen."""

_ROUNDING = 1e-12
"""Scatter of numbers around 1 that is none."""


@dataclass(frozen=True, kw_only=True)
class Chances:
    """Posterior probabilities of a difference; they add up to 1."""

    worse: float
    """That the first is worse by more than the region of practical equivalence."""
    equivalent: float
    """That the two differ by no more than that."""
    better: float
    """That the first is better by more than that."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """An estimated difference of two accuracies, each 0..1."""

    estimate: float
    """First less second."""
    df: float
    """Degrees of freedom; infinite where nothing scatters."""

    @property
    def error(self) -> float:
        """Standard error of the estimate."""
        raise NotImplementedError

    @property
    def constant(self) -> bool:
        """Whether nothing scatters, so that nothing can be said of how sure the estimate is."""
        return self.error <= _ROUNDING

    @property
    def p(self) -> float:
        """Two-sided p value of no difference, for this pair alone; 1 where nothing scatters."""
        return 1.0 if self.constant else 2 * self._below(-abs(self.estimate) / self.error)

    def interval(self, alpha: float = ALPHA) -> tuple[float, float] | None:
        """Return the interval that holds 1 - `alpha`; None where nothing scatters."""
        if self.constant:
            return None
        half = -float(special.stdtrit(self.df, alpha / 2)) * self.error
        return self.estimate - half, self.estimate + half

    def chances(self, rope: float) -> Chances | None:
        """Return the chances of worse, equivalent and better, given a flat prior.

        The posterior of the difference is Student's t about the estimate; over folds with one
        training it is that of the correlated Bayesian t test (Benavoli et al. 2017,
        jmlr.org/papers/v18/16-305.html).

        Args:
            rope: Half the region of practical equivalence, 0 <= rope.

        Returns:
            None where nothing scatters.
        """
        if self.constant:
            return None
        worse = self._below((-rope - self.estimate) / self.error)
        better = self._below((self.estimate - rope) / self.error)
        return Chances(worse=worse, equivalent=max(0.0, 1 - worse - better), better=better)

    def detectable(self, alpha: float = ALPHA) -> float | None:
        """Return the true difference that is found at level `alpha` with a chance of `POWER`.

        None where nothing scatters.
        """
        return None if self.constant else _noncentrality(self.df, alpha) * self.error

    def _below(self, t: float) -> float:
        """Return the probability that Student's t lies below a number."""
        return float(special.stdtr(self.df, t))


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjust p values for their number (Holm 1979): each is significant if at most `ALPHA`.

    Written out, since statsmodels takes a second to import and collects garbage at each call.

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values)
    stepped = np.maximum.accumulate(values[order] * np.arange(values.size, 0, -1))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


@lru_cache(maxsize=4096)
def _noncentrality(df: float, alpha: float) -> float:
    """Return the true difference in standard errors that the t test finds with that chance.

    That it is found with the wrong sign is left out: less than one time in 10,000.
    """
    limit = float(special.stdtrit(df, 1 - alpha / 2))
    return float(special.nctdtrinc(df, 1 - POWER, limit))
