"""Accuracies of two networks with all the variance that the world has, drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FOLDS, SUBJECTS, IMAGES = 3, 80, 7


def draw(
    random: np.random.Generator, trainings: int, seed_sd: float, effect: float = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw what each subject adds to the accuracy of each training, of two networks.

    People differ, and are dealt with differently by each network; a training moves everybody of
    its fold; people move a little with each training; images are recognised or not.

    Args:
        random: Draws.
        trainings: S trainings of each of three folds.
        seed_sd: Standard deviation of a network's mean over folds from seed to seed.
        effect: What the first network is better by.

    Returns:
        Two arrays (K, S, N) as `inference.over_subjects` takes.
    """
    fold_N = np.arange(SUBJECTS) % FOLDS
    person_N = random.normal(0, 0.10, SUBJECTS)
    found = []
    for better in (effect, 0.0):
        own_N = random.normal(0, 0.04, SUBJECTS)
        shares = np.full((FOLDS, trainings, SUBJECTS), np.nan)
        for fold in range(FOLDS):
            here = fold_N == fold
            training_S = random.normal(0, seed_sd * np.sqrt(FOLDS), trainings)
            chance_SN = 0.70 + better + person_N[here] + own_N[here] + training_S[:, None]
            chance_SN = chance_SN + random.normal(0, 0.03, chance_SN.shape)
            right_SN = random.binomial(IMAGES, np.clip(chance_SN, 0, 1))
            shares[fold][:, here] = right_SN / IMAGES / here.sum()
        found.append(shares)
    return found[0], found[1]
