"""Differences between two runs that judged the same images: over folds, and over subjects.

Networks that share folds are compared fold by fold. Where the folds themselves differ (images
against subjects), each image is still judged once by both, so subjects are compared.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A difference of two accuracies, with an interval over subjects."""

    estimate: float
    """First less second, 0..1: of the mean recalls over all images judged."""
    low: float | None
    """Lower end of the 95 % interval; None where all subjects differ alike."""
    high: float | None
    """Upper end of the 95 % interval; None where all subjects differ alike."""
    subjects: int
    """Number of subjects."""


def fold_differences(first: Sequence[float], second: Sequence[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation of the differences fold by fold.

    >>> fold_differences([0.5, 0.75], [0.25, 0.25])
    (0.375, 0.1767766952966369)
    """
    differences = [a - b for a, b in zip(first, second, strict=True)]
    deviation = statistics.stdev(differences) if len(differences) > 1 else None
    return statistics.mean(differences), deviation


def subject_difference(first: pd.DataFrame, second: pd.DataFrame) -> Difference | None:
    """Compare two sets of predictions of the same images, with an interval over subjects.

    An image counts 1 / (number of classes x images of its class), so that the sum over the images
    that were recognised is the mean recall of all images together. A subject's share of the
    difference of these sums is one observation; the interval is Student's, from SciPy, over the
    subjects. It tells how the difference would vary with other people, for the networks as they
    were trained; it does not tell how it would vary with other seeds.

    Args:
        first: Columns image, subject, true, predicted; each image once, or once for each seed,
            which are averaged.
        second: The same of the other run.

    Returns:
        The difference; None where subjects are not known, fewer than three, or the runs judged
        different images.
    """
    one, other = _by_image(first), _by_image(second)
    both = one.merge(other[["image", "true", "right"]], on=["image", "true"])
    if len(both) != len(one) or len(both) != len(other) or both["subject"].isna().any():
        return None
    weight = 1 / (both["true"].nunique() * both.groupby("true")["image"].transform("size"))
    right = both["right_x"] - both["right_y"]
    shares = (weight * right).groupby(both["subject"]).sum().to_numpy(dtype=np.float64)
    if len(shares) < 3:
        return None
    count, estimate = len(shares), float(shares.sum())
    if np.ptp(shares) == 0:  # say, two networks that give every image one and the same class
        return Difference(estimate=estimate, low=None, high=None, subjects=count)
    interval = stats.ttest_1samp(shares, 0.0).confidence_interval(CONFIDENCE)
    # The mean over subjects times their number is the difference of the sums.
    low, high = (count * float(end) for end in (interval.low, interval.high))
    return Difference(estimate=estimate, low=low, high=high, subjects=count)


def _by_image(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each image: how often it was recognised, 0..1, over the seeds."""
    right = (predictions["predicted"] == predictions["true"]).astype(float)
    rows = predictions[["image", "subject", "true"]].assign(right=right)
    grouped = rows.groupby(["image", "subject", "true"], dropna=False, sort=False)
    return grouped["right"].mean().reset_index()
