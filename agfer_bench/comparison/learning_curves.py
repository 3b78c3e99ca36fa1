"""One training as a curve: where its loss levels off, and what it takes to an accuracy.

All rules here are fixed beforehand, so that nobody chooses an epoch by looking at the result.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from agfer_bench.protocol import Protocol
from agfer_bench.records.run import FoldRecord

WINDOW = 5
"""Epochs around an epoch whose mean is the accuracy there; a single one scatters too much."""
SPAN = 10
"""Epochs of a plateau, and of the time before with which its loss is compared."""
FALL = 0.02
"""A loss that falls by less than this share of its whole fall from one `SPAN` to the next is on a
plateau."""
PASSES = 3
"""Passes of the network that a training step counts as: one forward, and backward as two (one for
the gradient of the input, one for that of the weights)."""


@dataclass(frozen=True, kw_only=True)
class LearningCurve:
    """One training, epoch by epoch: E epochs. Accuracies are 0..1."""

    loss_E: NDArray[np.float64]
    """(E,) mean training loss."""
    accuracy_E: NDArray[np.float64]
    """(E,) accuracy on the validation fold after the epoch."""
    seconds_E: NDArray[np.float64]
    """(E,) seconds of training from the start to the end of the epoch."""
    operations: float
    """Multiply-accumulates of an epoch, backward included; NaN where they are not counted."""
    chance: float
    """Accuracy of an even guess: that of an untrained network."""

    @property
    def epochs(self) -> int:
        """Number of epochs E."""
        return len(self.loss_E)

    @cached_property
    def smooth(self) -> NDArray[np.float64]:
        """(E,) accuracy as the mean over `WINDOW` epochs around each; over fewer at the ends."""
        ones = np.ones(min(WINDOW, self.epochs))
        counts = np.convolve(np.ones(self.epochs), ones, mode="same")
        return np.asarray(np.convolve(self.accuracy_E, ones, mode="same") / counts)

    def plateau(self, first: int) -> int | None:
        """Return the epoch, from 1, at which training would stop; None where no plateau came.

        That is the first epoch from `first` on at which the mean loss of the last `SPAN` epochs is
        below that of the `SPAN` epochs before by no more than `FALL` of the whole fall, from the
        first epoch's loss to it. Later epochs have no part in it.

        Args:
            first: The earliest epoch at which training may stop.
        """
        start = max(first, 2 * SPAN)
        if start > self.epochs:
            return None
        means = np.convolve(self.loss_E, np.full(SPAN, 1 / SPAN), mode="valid")
        last, before = means[start - SPAN :], means[start - 2 * SPAN : self.epochs - 2 * SPAN + 1]
        whole = self.loss_E[0] - last
        found = np.flatnonzero((whole > 0) & (before - last <= FALL * whole))
        return start + int(found[0]) if found.size else None

    def converged(self, plateau: int) -> float:
        """Return the accuracy at convergence: the mean over the `SPAN` epochs of the plateau."""
        return float(self.accuracy_E[plateau - SPAN : plateau].mean())

    def at(self, epoch: float) -> float:
        """Return the accuracy at an epoch, which need not be whole: 0 is before training."""
        whole = np.arange(self.epochs + 1)
        return float(np.interp(epoch, whole, np.concatenate(([self.chance], self.smooth))))

    def epochs_to(self, accuracy: float) -> float | None:
        """Return the epochs until an accuracy is reached; None where it never is.

        It is where the smoothed curve, straight between epochs and from chance at the start, first
        is at `accuracy`.

        Args:
            accuracy: Above chance, 0..1.
        """
        reached = np.flatnonzero(self.smooth >= accuracy - 1e-12)
        if not reached.size:
            return None
        place = int(reached[0])
        before = self.smooth[place - 1] if place else self.chance
        return place + float((accuracy - before) / (self.smooth[place] - before))

    def seconds_at(self, epoch: float) -> float:
        """Return the seconds of training until an epoch, which need not be whole."""
        whole = np.arange(self.epochs + 1)
        return float(np.interp(epoch, whole, np.concatenate(([0.0], self.seconds_E))))


def curve_of(
    fold: FoldRecord, protocol: Protocol, macs: int | None, classes: int
) -> LearningCurve | None:
    """Read a training's curve off its record; None where an epoch was not judged.

    Args:
        fold: The training.
        protocol: Its settings.
        macs: Multiply-accumulates of the network for one image; None where not counted.
        classes: Number of classes.
    """
    judged = [epoch.validation_accuracy for epoch in fold.history]
    if not judged or None in judged:
        return None
    images = fold.train_images
    if protocol.drop_last:
        images -= images % protocol.batch_size
    return LearningCurve(
        loss_E=np.array([epoch.loss for epoch in fold.history]),
        accuracy_E=np.array(judged, dtype=np.float64),
        seconds_E=np.cumsum([epoch.seconds for epoch in fold.history]),
        operations=math.nan if macs is None else float(PASSES * macs * images),
        chance=1 / classes,
    )
