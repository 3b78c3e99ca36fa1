"""Batches: which images, in which order, as which numbers.

Shapes in names: B batch, C channels (red, green, blue), H height, W width, N images.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agfer_bench.errors import UserError

Statistics = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Normaliser:
    """Turns 8-bit pixels into the network's input, with numbers of the training fold alone."""

    mean: Statistics
    """Mean of red, green and blue over the training fold, 0..255."""
    std: Statistics
    """Standard deviation of red, green and blue over the training fold, 0..255."""
    scheme: Literal["zero-centre", "standardise"]
    """Subtract the mean (the paper's, by MATLAB's default), or also divide by the deviation."""

    def __call__(self, pixels_BHWC: Tensor) -> Tensor:
        """Normalise uint8 (B, H, W, 3) to float32 (B, 3, H, W)."""
        x_BCHW = pixels_BHWC.permute(0, 3, 1, 2).float()
        x_BCHW -= x_BCHW.new_tensor(self.mean).view(1, 3, 1, 1)
        if self.scheme == "standardise":
            x_BCHW /= x_BCHW.new_tensor(self.std).clamp(min=1.0).view(1, 3, 1, 1)
        return x_BCHW


def channel_statistics(
    pixels_NHWC: NDArray[np.uint8], indices: NDArray[np.int64]
) -> tuple[Statistics, Statistics]:
    """Mean and standard deviation of each channel over some images, exact in 8-bit values.

    Counting the 256 values keeps sums whole numbers, so the result does not depend on the order.
    """
    counts = np.zeros((3, 256), dtype=np.int64)
    for start in range(0, len(indices), 256):
        part = pixels_NHWC[indices[start : start + 256]]
        for channel in range(3):
            counts[channel] += np.bincount(part[..., channel].ravel(), minlength=256)
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
    ) -> BatchOrder:
        """Draw the order for a whole training.

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

        if shuffle == "once":
            return cls(epochs=(permuted(),) * epochs, batch_size=batch_size)
        return cls(epochs=tuple(permuted() for _ in range(epochs)), batch_size=batch_size)

    def batches(self, epoch: int) -> Iterator[NDArray[np.int64]]:
        """Yield the image indices of each batch of an epoch.

        A last batch of a single image joins the one before: blocks with batch normalisation cannot
        be trained on one image.
        """
        order = self.epochs[epoch]
        starts = list(range(0, len(order), self.batch_size))
        if len(starts) > 1 and len(order) - starts[-1] == 1:
            starts.pop()
        for start, end in zip(starts, [*starts[1:], len(order)], strict=True):
            yield order[start:end]

    @property
    def sha256(self) -> str:
        """Hash of the order over all epochs."""
        digest = hashlib.sha256(str(self.batch_size).encode())
        for order in self.epochs:
            digest.update(order.astype("<i8").tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, kw_only=True)
class Images:
    """The crops and their labels, handed out as batches on a device."""

    pixels_NHWC: NDArray[np.uint8]
    """(N, H, W, 3) crops, usually a memory map."""
    labels_N: NDArray[np.int64]
    """(N,) classes."""
    normalise: Normaliser
    """From pixels to input."""
    device: torch.device
    """Where batches go."""

    def batch(self, indices: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Return float32 (B, 3, H, W) inputs and (B,) classes."""
        pixels: Any = self.pixels_NHWC[indices]
        x_BCHW = self.normalise(torch.from_numpy(pixels).to(self.device))
        y_B = torch.from_numpy(self.labels_N[indices]).to(self.device)
        return x_BCHW, y_B
