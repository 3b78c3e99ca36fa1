"""A difference of two modules, judged with two random factors: people and trainings.

Train the same network again and its accuracy moves, often by more than a block moves it. A
comparison that knows one training of each speaks of two networks, not of two blocks. Here both
factors are random: the subjects who are judged, and the trainings, which are nested in folds
(every fold is trained S times, S >= 2). The variance of the mean difference is the sum of what
each factor adds,

    V = V_training + max(V_subject - V_residual, 0),

where V_training and V_subject each hold the residual (how a subject's result varies from training
to training beyond what all subjects share), which is counted once. This is the variance of the
two-way random-effects model of multi-reader multi-case studies, with trainings for readers and
subjects for cases (Obuchowski & Rockette 1995, doi:10.1080/03610919508813243), in closed form; its
degrees of freedom are Satterthwaite's, as Hillis (2007, doi:10.1002/sim.2532) takes them:

    df = V^2 / (V_training^2 / (K (S - 1)) + max(V_subject - V_residual, 0)^2 / df_subject).

Where subjects are not known, folds take their place. Folds share training images, so that their
differences are correlated; the part of them is widened by Nadeau & Bengio's (2003,
doi:10.1023/A:1024068626366) 1 / K + n_test / n_train in place of 1 / K.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from agfer_bench.comparison.estimate import ALPHA as ALPHA
from agfer_bench.comparison.estimate import POWER as POWER
from agfer_bench.comparison.estimate import Chances as Chances
from agfer_bench.comparison.estimate import Estimate
from agfer_bench.comparison.estimate import holm as holm

FEWEST_SUBJECTS = 6
"""Fewest subjects that are compared: the spread of five is hardly known."""
FEWEST_TRAININGS = 2
"""Fewest trainings of a fold from which the spread of trainings can be told."""

_ROUNDING = 1e-12
"""Scatter of numbers around 1 that is none."""
_MOST = 10_000
"""Most trainings of a fold, or times as many subjects, that are looked at when planning."""

Unit = Literal["subjects", "folds"]
"""What, beside trainings, a difference is judged over."""

Scope = Unit | Literal["trainings"]
"""The same where it may be nothing: `trainings`."""


@dataclass(frozen=True, kw_only=True)
class Difference(Estimate):
    """A mean difference of accuracy, and where its uncertainty comes from. Accuracies are 0..1."""

    unit: Scope
    """What it is judged over, beside trainings."""
    units: int
    """Number of subjects or folds; of trainings where nothing else varies."""
    folds: int
    """Number of folds K."""
    trainings: tuple[int, ...]
    """Trainings of a fold: one number where both modules' are paired, else one for each."""
    subject: float
    """Squared standard error that subjects (or folds) add, without the residual."""
    training: float
    """Squared standard error that trainings add, without the residual."""
    residual: float
    """Squared standard error that remains; 0 where folds are compared, whose trainings hold it."""
    unit_df: int
    """Degrees of freedom of the subjects (or folds) alone."""

    @property
    def error(self) -> float:
        """Standard error of the estimate."""
        return math.sqrt(self.subject + self.training + self.residual)

    def planned(self, trainings: float = 1, units: float = 1) -> Difference:
        """Return what this would be with other numbers of trainings and subjects (or folds).

        Args:
            trainings: Factor on the trainings of a fold.
            units: Factor on the subjects (or folds).
        """
        subject, training = self.subject / units, self.training / trainings
        residual = self.residual / units / trainings
        counts = [trainings * count for count in self.trainings]
        unit_df = max(1, round(units * (self.unit_df + 1) - 1))
        df = _satterthwaite(
            [(training + residual, self.folds * sum(count - 1 for count in counts))],
            (subject, unit_df),
        )
        return replace(
            self,
            units=round(units * self.units),
            trainings=tuple(max(1, round(count)) for count in counts),
            subject=subject,
            training=training,
            residual=residual,
            df=df,
            unit_df=unit_df,
        )

    def trainings_to_find(self, effect: float, alpha: float = ALPHA) -> int | None:
        """Return the trainings of a fold with which an effect is found with a chance of `POWER`.

        None where no number of trainings of the same folds and subjects would do.
        """
        now = max(self.trainings)

        def short(count: int) -> bool:
            found = self.planned(trainings=count / now).detectable(alpha)
            return found is not None and found > effect

        return _first(short, FEWEST_TRAININGS)

    def units_to_find(self, effect: float, alpha: float = ALPHA) -> int | None:
        """Return the subjects (or folds) with which it is found, at the trainings there are.

        None where no number of them would do.
        """

        def short(count: int) -> bool:
            found = self.planned(units=count / self.units).detectable(alpha)
            return found is not None and found > effect

        return _first(short, self.units)


def over_subjects(parts: Sequence[NDArray[np.float64]]) -> Difference:
    """Judge a sum of modules' accuracies over new subjects and new trainings.

    Args:
        parts: One array of differences where the trainings of two modules are paired; else the
            first's own array and the second's, negative. Each is (K, S, N): for K folds, S >= 2
            trainings, and N subjects in one order, what the subject adds to the accuracy of that
            training, so that a sum over subjects is an accuracy (or a difference); NaN where the
            subject is not judged in the fold.
    """
    folds, _, count = parts[0].shape
    residual = sum(map(_residual, parts))
    means_PKN = np.array([part.mean(axis=1) for part in parts])
    judged_KN = ~np.isnan(means_PKN[0])
    nested = (judged_KN.sum(axis=0) == 1).all() and (judged_KN.sum(axis=1) >= 2).all()
    if nested and (np.isnan(means_PKN) == ~judged_KN).all():
        # Each subject is judged in one fold: within it, what its trainings share drops out.
        means_KN = means_PKN.sum(axis=0)
        spread = sum(_spread(row[~np.isnan(row)]) for row in means_KN) / folds**2
        unit_df = count - folds
    else:
        spread = _spread(np.nansum(means_PKN, axis=(0, 1)) / folds)
        unit_df = count - 1
    estimate = float(np.nansum(means_PKN)) / folds
    trainings = [(_of_trainings(np.nansum(part, axis=2)), _training_df(part)) for part in parts]
    subject = max(spread - residual, 0.0)
    return Difference(
        unit="subjects",
        units=count,
        folds=folds,
        trainings=tuple(part.shape[1] for part in parts),
        estimate=estimate,
        subject=subject,
        training=max(sum(value for value, _ in trainings) - residual, 0.0),
        residual=min(residual, sum(value for value, _ in trainings)),
        df=_satterthwaite(trainings, (subject, unit_df)),
        unit_df=unit_df,
    )


def over_folds(parts: Sequence[NDArray[np.float64]], test_share: float) -> Difference:
    """Judge a sum of modules' accuracies over new folds of such images and new trainings.

    With one training of each fold nothing is known of trainings, and this is the corrected
    resampled t test.

    Args:
        parts: As of `over_subjects`, but (K, S): accuracies, K >= 2.
        test_share: Images of a validation fold divided by all images, 0..1, both ends excluded.
    """
    folds = len(parts[0])
    means_K = np.sum([part.mean(axis=1) for part in parts], axis=0)
    several = [part for part in parts if part.shape[1] > 1]
    trainings = [(_of_trainings(part), _training_df(part)) for part in several]
    training = sum(value for value, _ in trainings)
    between = 0.0 if is_constant(means_K) else float(means_K.var(ddof=1))
    widened = 1 / folds + test_share / (1 - test_share)
    own = max(between - folds * training, 0.0) * widened
    return Difference(
        unit="folds",
        units=folds,
        folds=folds,
        trainings=tuple(part.shape[1] for part in parts),
        estimate=float(means_K.mean()),
        subject=own,
        training=training,
        residual=0.0,
        df=_satterthwaite(trainings, (own, folds - 1)),
        unit_df=folds - 1,
    )


def over_trainings(parts: Sequence[NDArray[np.float64]]) -> Difference:
    """Judge a sum of modules' accuracies over new trainings alone, of people who stay the same.

    Args:
        parts: As of `over_subjects`, but (K, S): what is recognised in each training, S >= 2.
    """
    trainings = [(_of_trainings(part), _training_df(part)) for part in parts]
    return Difference(
        unit="trainings",
        units=max(part.size for part in parts),
        folds=len(parts[0]),
        trainings=tuple(part.shape[1] for part in parts),
        estimate=float(sum(part.mean() for part in parts)),
        subject=0.0,
        training=sum(value for value, _ in trainings),
        residual=0.0,
        df=_satterthwaite(trainings, (0.0, 1)),
        unit_df=1,
    )


def is_constant(values: NDArray[np.float64]) -> bool:
    """Tell whether numbers do not scatter, but for their rounding."""
    return float(np.ptp(values)) <= _ROUNDING


def _spread(values_N: NDArray[np.float64]) -> float:
    """Return the variance of a sum of numbers, each of a subject of its own."""
    return 0.0 if is_constant(values_N) else len(values_N) * float(values_N.var(ddof=1))


def _of_trainings(accuracies_KS: NDArray[np.float64]) -> float:
    """Return the squared standard error of the mean that trainings bring in, pooled over folds."""
    folds, trainings = accuracies_KS.shape
    variance = float(accuracies_KS.var(axis=1, ddof=1).mean())
    return variance / float(trainings * folds)


def _training_df(part: NDArray[np.float64]) -> int:
    return int(part.shape[0] * (part.shape[1] - 1))


def _residual(part_KSN: NDArray[np.float64]) -> float:
    """Return the squared standard error of what neither subjects nor trainings have in common."""
    total = 0.0
    folds, trainings, _ = part_KSN.shape
    for fold_SN in part_KSN:
        shares_SN = fold_SN[:, ~np.isnan(fold_SN[0])]
        subjects = shares_SN.shape[1]
        if subjects < 2:
            continue
        rest_SN = shares_SN - shares_SN.mean(axis=0) - shares_SN.mean(axis=1, keepdims=True)
        rest_SN += shares_SN.mean()
        square = float((rest_SN**2).sum()) / (subjects - 1) / (trainings - 1)
        total += subjects * square / trainings
    return total / float(folds**2)


def _satterthwaite(trainings: Sequence[tuple[float, float]], unit: tuple[float, float]) -> float:
    """Return the degrees of freedom of a sum of variances with degrees of freedom of their own."""
    parts = [*trainings, unit]
    total = sum(value for value, _ in parts)
    below = sum(value**2 / df for value, df in parts if value > 0)
    return float(total**2 / below) if below > 0 else math.inf


def _first(short: Callable[[int], bool], least: int) -> int | None:
    """Return the least number that is not short, from `least` on."""
    if short(_MOST * least):
        return None
    low, high = least - 1, _MOST * least
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if short(middle) else (low, middle)
    return high
