"""Mean ranks of several modules over trainings, and over several grounds who improves on base.

Both speak of new trainings on the same people: verdicts about blocks are `contrasts`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.libqsturng import qsturng

from agfer_bench.comparison.contrasts import why_not_judged
from agfer_bench.comparison.inference import ALPHA
from agfer_bench.comparison.outcomes import Entrant, On, accuracies
from agfer_bench.errors import UserError
from agfer_bench.records.run import BASE

FEWEST_RANKED = 5
"""Fewest modules whose mean ranks are compared."""
_RESAMPLES = 2000


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Mean ranks by Friedman and Nemenyi (Demsar 2006, jmlr.org/papers/v7/demsar06a.html)."""

    mean_ranks: dict[str, float]
    """By label, from 1 for the best; the best first."""
    critical_difference: float
    """Mean ranks that lie further apart differ at the 5 % level (Nemenyi)."""
    p: float
    """Of Friedman's test that all modules are alike."""
    trainings: int
    """Number of trainings, over which ranks are averaged."""


@dataclass(frozen=True, kw_only=True)
class Improvement:
    """How often a training of a module beats one of base, over several grounds."""

    label: str
    """The module."""
    probability: float
    """Mean over grounds, 0..1; 0.5 where the module is like base."""
    low: float
    """Lower end of the 95 % interval."""
    high: float
    """Upper end of it."""
    grounds: int
    """Data sets, hosts or protocols on which both were trained."""


def rank(entrants: Sequence[Entrant], on: On = "validation") -> Ranking:
    """Rank modules in every training, and average.

    Args:
        entrants: Modules on one ground.
        on: Which images.

    Raises:
        UserError: Fewer than five can be ranked, or they were trained different numbers of times.
    """
    whole = [one for one in entrants if one.complete and not why_not_judged(one)]
    if len(whole) < FEWEST_RANKED:
        raise UserError(
            f"mean ranks are for {FEWEST_RANKED} modules or more that can be judged, and there are "
            f"{len(whole)}"
        )
    values = [accuracies(one, on).ravel() for one in whole]
    if len({len(one) for one in values}) > 1:
        raise UserError("mean ranks need the same number of trainings of every module")
    ranks_MT = stats.rankdata(-np.array(values), axis=0)
    modules, trainings = ranks_MT.shape
    spread = float(qsturng(1 - ALPHA, modules, np.inf))
    means = dict(zip((one.label for one in whole), map(float, ranks_MT.mean(axis=1)), strict=True))
    return Ranking(
        mean_ranks=dict(sorted(means.items(), key=lambda item: item[1])),
        critical_difference=spread * float(np.sqrt(modules * (modules + 1) / (12 * trainings))),
        p=float(stats.friedmanchisquare(*values).pvalue),
        trainings=trainings,
    )


def improvements(grounds: Sequence[Sequence[Entrant]], on: On = "validation") -> list[Improvement]:
    """Return for each module how often it beats base, over several grounds.

    On each ground the chance that a training of the module is more accurate than one of base, both
    of the same fold, a tie counting half; then the mean over grounds. The interval is a bootstrap
    stratified by ground, fold and module (Agarwal et al. 2021, arXiv:2108.13264).

    Args:
        grounds: Modules on each ground, base among them.
        on: Which images.

    Raises:
        UserError: A ground lacks base, or no module beside base is on two grounds.
    """
    pairs: dict[str, list[tuple[NDArray[np.float64], NDArray[np.float64]]]] = {}
    for entrants in grounds:
        judged = [one for one in entrants if one.complete and not why_not_judged(one)]
        base = next((one for one in judged if one.module.label == BASE), None)
        if base is None:
            raise UserError(
                "--across holds every module against base, and one of the runs lacks a base that "
                "can be judged: it takes several trainings of each fold, say --seeds 3"
            )
        for one in judged:
            if one.module.label != BASE:
                both = accuracies(one, on), accuracies(base, on)
                pairs.setdefault(one.module.label, []).append(both)
    several = {label: both for label, both in pairs.items() if len(both) > 1}
    if not several:
        raise UserError("--across: no module beside base is in two of these runs")
    return [_improvement(label, both) for label, both in several.items()]


def _improvement(
    label: str, pairs: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]
) -> Improvement:
    random = np.random.default_rng(0)
    drawn = np.mean(
        [_probabilities(_drawn(a, random), _drawn(b, random)) for a, b in pairs], axis=0
    )
    low, high = np.quantile(drawn, [ALPHA / 2, 1 - ALPHA / 2])
    whole = [float(_probabilities(a[None], b[None])[0]) for a, b in pairs]
    return Improvement(
        label=label,
        probability=float(np.mean(whole)),
        low=float(low),
        high=float(high),
        grounds=len(pairs),
    )


def _drawn(accuracies_KS: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """Draw trainings anew within each fold: (R, K, S)."""
    folds, trainings = accuracies_KS.shape
    chosen = random.integers(0, trainings, (_RESAMPLES, folds, trainings))
    drawn: NDArray[np.float64] = np.take_along_axis(accuracies_KS[None], chosen, axis=2)
    return drawn


def _probabilities(
    first_RKS: NDArray[np.float64], second_RKS: NDArray[np.float64]
) -> NDArray[np.float64]:
    differences = first_RKS[..., :, None] - second_RKS[..., None, :]
    wins: NDArray[np.float64] = ((np.sign(differences) + 1) / 2).mean(axis=(1, 2, 3))
    return wins
