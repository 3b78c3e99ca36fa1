"""Which images in which order, and the numbers that normalise them.

Shapes in names: N images, H height, W width, C channels (red, green, blue).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agfer_bench.errors import UserError

Statistics = tuple[float, float, float]

_CACHED = 2**21
"""Bytes of pixels that are counted at once: what stays in a core's cache is counted 5 times faster
than all at once."""


@dataclass(frozen=True, kw_only=True)
class Normaliser:
    """Turns 8-bit pixels into the network's input, with no numbers of the validation fold."""

    mean: Statistics
    """Mean of red, green and blue over the training fold, or that of pretrained weights, 0..255."""
    std: Statistics
    """Standard deviation of red, green and blue, likewise."""
    scheme: Literal["zero-centre", "standardise", "pretrained"]
    """Subtract the mean (the paper's, by MATLAB's default), or also divide by the deviation."""

    def constants(self, device: torch.device) -> tuple[Tensor, Tensor | None]:
        """Return what is subtracted and what is divided by, (1, 3, 1, 1) float32 on a device.

        A deviation below one grey level is taken as one: a constant channel stays finite.
        """
        shape = (1, 3, 1, 1)
        mean = torch.tensor(self.mean, dtype=torch.float32, device=device).view(shape)
        if self.scheme == "zero-centre":
            return mean, None
        std = torch.tensor(self.std, dtype=torch.float32, device=device).view(shape)
        return mean, std.clamp(min=1.0)


def channel_statistics(
    pixels_NHWC: NDArray[np.uint8], indices: NDArray[np.int64]
) -> tuple[Statistics, Statistics]:
    """Mean and standard deviation of each channel over some images, exact in 8-bit values.

    Counting the 256 values keeps sums whole numbers, so the result does not depend on the order.
    """
    counts = np.zeros((3, 256), dtype=np.int64)
    few = max(1, _CACHED // pixels_NHWC[0].nbytes)
    for start in range(0, len(indices), few):
        part = pixels_NHWC[indices[start : start + few]].reshape(-1, 3)
        for channel in range(3):
            counts[channel] += np.bincount(part[:, channel], minlength=256)
    values = np.arange(256)
    mean = counts @ values / counts.sum(axis=1)
    variance = counts @ values**2 / counts.sum(axis=1) - mean**2
    std = np.sqrt(np.maximum(variance, 0))
    return _triple(mean), _triple(std)


def _triple(values: NDArray[np.float64]) -> Statistics:
    red, green, blue = (float(value) for value in values)
    return red, green, blue


@dataclass(frozen=True, kw_only=True)
class BatchOrder:
    """The order of a fold's training images, the same for every module."""

    epochs: tuple[NDArray[np.int64], ...]
    """Image indices in the order of each epoch, incomplete last batch already dropped."""
    batch_size: int
    """Images a batch; the last one of an epoch may be smaller, or larger by one."""
    flips: tuple[NDArray[np.bool_], ...] = ()
    """Which images of each epoch, in its order, are mirrored; empty without augmentation."""
    guided: tuple[NDArray[np.bool_], ...] = ()
    """Which images of each epoch, in its order, get the mask; empty where all do, or none."""

    @classmethod
    def draw(
        cls,
        indices: NDArray[np.int64],
        *,
        epochs: int,
        batch_size: int,
        shuffle: Literal["once", "every-epoch"],
        drop_last: bool,
        generator: torch.Generator,
        flips: torch.Generator | None = None,
        guided: torch.Generator | None = None,
        share: float = 1.0,
    ) -> BatchOrder:
        """Draw the order for a whole training.

        Args:
            indices: Images of the training fold.
            epochs: Number of epochs.
            batch_size: Images a batch.
            shuffle: One order for all epochs, or one for each.
            drop_last: Whether an incomplete last batch is dropped.
            generator: Draws the order.
            flips: Draws which images are mirrored, anew each epoch; None mirrors none.
            guided: Draws which images get the mask, anew each epoch; None leaves that to the
                network.
            share: Share of the images that get it.

        Raises:
            UserError: The incomplete batch is dropped and nothing remains.
        """
        if drop_last and len(indices) < batch_size:
            raise UserError(
                f"a training fold has {len(indices)} images, fewer than one batch of {batch_size}; "
                "lower --batch-size"
            )
        kept = len(indices) - len(indices) % batch_size if drop_last else len(indices)

        def permuted() -> NDArray[np.int64]:
            order = torch.randperm(len(indices), generator=generator).numpy()
            shuffled: NDArray[np.int64] = indices[order]
            return shuffled[:kept]

        orders = [permuted()] * epochs if shuffle == "once" else [permuted() for _ in range(epochs)]
        return cls(
            epochs=tuple(orders),
            batch_size=batch_size,
            flips=_drawn(flips, 0.5, kept, epochs),
            guided=_drawn(guided, share, kept, epochs),
        )

    def spans(self, epoch: int) -> list[slice]:
        """Return where each batch of an epoch lies in its order.

        A last batch of a single image joins the one before: blocks with batch normalisation cannot
        be trained on one image.
        """
        images = len(self.epochs[epoch])
        starts = list(range(0, images, self.batch_size))
        if len(starts) > 1 and images - starts[-1] == 1:
            starts.pop()
        return [slice(*ends) for ends in zip(starts, [*starts[1:], images], strict=True)]

    def batches(self, epoch: int) -> Iterator[NDArray[np.int64]]:
        """Yield the image indices of each batch of an epoch."""
        for span in self.spans(epoch):
            yield self.epochs[epoch][span]

    @property
    def sha256(self) -> str:
        """Hash of the order over all epochs, and of which images are mirrored and masked."""
        digest = hashlib.sha256(str(self.batch_size).encode())
        for order in self.epochs:
            digest.update(order.astype("<i8").tobytes())
        for mirrored in self.flips:
            digest.update(mirrored.tobytes())
        for masked in self.guided:
            digest.update(masked.tobytes())
        return digest.hexdigest()


def _drawn(
    generator: torch.Generator | None, share: float, images: int, epochs: int
) -> tuple[NDArray[np.bool_], ...]:
    """Draw for each epoch which images something is done to; empty without a generator."""
    if generator is None:
        return ()
    return tuple((torch.rand(images, generator=generator) < share).numpy() for _ in range(epochs))
