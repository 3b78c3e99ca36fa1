"""Learning curves with all the variance that the world has, drawn.

An accuracy rises from chance to a ceiling, by the share 1 - exp(-(epoch / T)^1.5) of the way, and
the training loss falls likewise. Folds differ in how hard they are, for all networks alike, and in
how much a block helps; trainings differ in ceiling and in time; epochs scatter. Verdicts are over
new trainings on the same folds: a block that does nothing does so in every fold.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from agfer_bench.comparison.convergence import NetworkCurves, network_of
from agfer_bench.comparison.learning_curves import LearningCurve

FOLDS, SEEDS, EPOCHS, CAP, CHANCE = 3, 3, 32, 96, 1 / 6
CEILING = 0.80
"""Mean accuracy of base at convergence."""
TIME = 14.0
"""Epochs after which base is 63 % of the way."""


@dataclass(frozen=True, kw_only=True)
class World:
    """Standard deviations; those of times are of logarithms."""

    fold: float = 0.03
    """Ceiling of a fold, shared by all networks."""
    fold_by_block: float = 0.1
    """A block's effect on a fold, as a share of its mean effect: none where it has none."""
    ceiling: float = 0.02
    """Ceiling of a training."""
    time: float = 0.15
    """Time of a training."""
    epoch: float = 0.027
    """Accuracy of an epoch."""
    loss: float = 0.01
    """Loss of an epoch."""


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What a network truly is."""

    ceiling: float = CEILING
    """Mean accuracy at convergence."""
    time: float = TIME
    """Epochs until it is 63 % of the way."""
    macs: float = 1.0
    """Operations of an epoch, as a factor on base's."""

    def on_fold(self, hard: float, helps: float) -> Truth:
        """Return what it is on one fold.

        Args:
            hard: What the fold adds to the ceiling of every network.
            helps: Factor on what the network has beyond base.
        """
        return replace(
            self,
            ceiling=hard + CEILING + helps * (self.ceiling - CEILING),
            time=TIME * (self.time / TIME) ** helps,
        )


BASE = Truth()
FASTER = Truth(time=0.5 * TIME)
HIGHER = Truth(ceiling=0.90)
BOTH = Truth(ceiling=0.90, time=0.5 * TIME)
LOWER = Truth(ceiling=0.60, time=0.5 * TIME)


def simulate(
    random: np.random.Generator,
    *truths: Truth,
    world: World | None = None,
    seeds: int = SEEDS,
    folds: int = FOLDS,
    cap: int = CAP,
) -> list[NetworkCurves]:
    """Draw base, then a network for each truth."""
    world = world or World()
    hard_K = random.normal(0, world.fold, folds)
    found = []
    for number, truth in enumerate((BASE, *truths)):
        helps_K = random.normal(1, world.fold_by_block, folds)
        curves = [
            [_curve(random, truth.on_fold(hard, helps), world, cap) for _ in range(seeds)]
            for hard, helps in zip(hard_K, helps_K, strict=True)
        ]
        label = f"block{number}" if number else "base"
        found.append(network_of(label, curves, EPOCHS))
    return found


def _curve(random: np.random.Generator, truth: Truth, world: World, cap: int) -> LearningCurve:
    epochs_E = np.arange(1, cap + 1)
    time = truth.time * np.exp(random.normal(0, world.time))
    top = truth.ceiling + random.normal(0, world.ceiling)
    way_E = 1 - np.exp(-((epochs_E / time) ** 1.5))
    return LearningCurve(
        loss_E=2 - 1.6 * way_E + random.normal(0, world.loss, cap),
        accuracy_E=np.clip(
            CHANCE + (top - CHANCE) * way_E + random.normal(0, world.epoch, cap), 0, 1
        ),
        seconds_E=np.array(0.3 * truth.macs * epochs_E, dtype=np.float64),
        operations=1e9 * truth.macs,
        chance=CHANCE,
    )
