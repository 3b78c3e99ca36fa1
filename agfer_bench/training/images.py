"""Crops on their way to the network: where they lie, and how a batch is made of them.

Pixels stay 8 bit until they are where they are computed with. On a GPU the whole set lies in its
memory if it fits, and is gathered, mirrored and normalised there; otherwise a thread reads batches
ahead into pinned memory. On the CPU batches are read from the memory map itself.

Shapes in names: B batch, C channels (red, green, blue), H height, W width, N images.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agfer_bench.records.run import Residence
from agfer_bench.training.batches import BatchOrder, Normaliser

_SHARE = 0.25
"""Part of a GPU's free memory that crops may take: activations need the rest."""

_PART = 2**26
"""Bytes that are copied to a GPU at once."""

_AHEAD = 3
"""Batches that are read ahead of the one in use."""

Batch = tuple[Tensor, Tensor]
"""Inputs (B, 3, H, W) float32, and classes (B,) int64."""


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
    residence: Residence
    """Where the pixels lie."""
    _pixels: Tensor | None = field(default=None, repr=False)
    _labels: Tensor = field(repr=False)
    _constants: tuple[Tensor, Tensor | None] = field(repr=False)

    @classmethod
    def on(
        cls,
        device: torch.device,
        *,
        pixels_NHWC: NDArray[np.uint8],
        labels_N: NDArray[np.int64],
        normalise: Normaliser,
        residence: Residence | None = None,
    ) -> Images:
        """Bring crops to a device, as far as they fit.

        Args:
            device: Where batches are wanted.
            pixels_NHWC: (N, H, W, 3) crops.
            labels_N: (N,) classes.
            normalise: From pixels to input.
            residence: Where the pixels are to lie; None chooses.
        """
        residence = residence or _residence(pixels_NHWC.nbytes, device)
        pixels = None
        if residence == "resident":
            pixels = _upload(pixels_NHWC, device)
        return cls(
            pixels_NHWC=pixels_NHWC,
            labels_N=labels_N,
            normalise=normalise,
            device=device,
            residence=residence,
            _pixels=pixels,
            _labels=torch.from_numpy(np.array(labels_N)).to(device),
            _constants=normalise.constants(device),
        )

    def epoch(
        self, order: BatchOrder, epoch: int, fusion_HW: Tensor | None = None
    ) -> Iterator[Batch]:
        """Yield the batches of an epoch; on a GPU nothing waits for it meanwhile.

        Args:
            order: Which images make up each batch, and what is done to them.
            epoch: Its number, from 0.
            fusion_HW: What images that `order.guided` names are multiplied by, on the device
                (equation 1); None where nothing is.
        """
        flips = torch.from_numpy(order.flips[epoch]).to(self.device) if order.flips else None
        guided = None
        if fusion_HW is not None:
            guided = torch.from_numpy(order.guided[epoch]).to(self.device)
        spans = order.spans(epoch)
        for span, batch in zip(spans, self._batches(order.epochs[epoch], spans), strict=True):
            pixels_BHWC, y_B = batch
            if flips is not None:
                mirrored = flips[span].view(-1, 1, 1, 1)
                pixels_BHWC = torch.where(mirrored, pixels_BHWC.flip(2), pixels_BHWC)
            x_BCHW = self._normalised(pixels_BHWC)
            if fusion_HW is not None and guided is not None:
                x_BCHW *= torch.where(guided[span].view(-1, 1, 1, 1), fusion_HW, 1.0)
            yield x_BCHW, y_B

    def batches(self, indices: NDArray[np.int64], size: int) -> Iterator[Batch]:
        """Yield images in the order given, `size` at a time."""
        starts = range(0, len(indices), size)
        spans = [slice(start, start + size) for start in starts]
        for pixels_BHWC, y_B in self._batches(indices, spans):
            yield self._normalised(pixels_BHWC), y_B

    def _batches(self, indices: NDArray[np.int64], spans: Sequence[slice]) -> Iterator[Batch]:
        """Yield uint8 (B, H, W, 3) pixels and classes on the device."""
        where = torch.from_numpy(indices).to(self.device)  # the one copy of an epoch's order
        if self._pixels is not None:
            for span in spans:
                yield self._pixels[where[span]], self._labels[where[span]]
            return

        read = self._reader(indices, spans)
        read_all = map(read, spans) if self.residence == "mapped" else ahead(read, spans)
        for span, pixels in zip(spans, read_all, strict=True):
            yield pixels.to(self.device, non_blocking=True), self._labels[where[span]]

    def _reader(
        self, indices: NDArray[np.int64], spans: Sequence[slice]
    ) -> Callable[[slice], Tensor]:
        """Return what reads a batch from the memory map."""
        if self.residence == "streamed":
            pinned = self.device.type == "cuda"

            def read_apart(span: slice) -> Tensor:
                pixels: Tensor = torch.from_numpy(self.pixels_NHWC[indices[span]])
                return pixels.pin_memory() if pinned else pixels

            return read_apart
        # One buffer for all batches: each is normalised into memory of its own before the next is
        # read, and a new one for each would leave the heap in pieces.
        largest = max((span.stop - span.start for span in spans), default=0)
        buffer = np.empty((largest, *self.pixels_NHWC.shape[1:]), np.uint8)

        def read(span: slice) -> Tensor:
            chosen = indices[span]
            part = buffer[: len(chosen)]
            np.take(self.pixels_NHWC, chosen, axis=0, out=part, mode="clip")  # others buffer
            return torch.from_numpy(part)

        return read

    def _normalised(self, pixels_BHWC: Tensor) -> Tensor:
        """Turn uint8 (B, H, W, 3) into float32 (B, 3, H, W), channels last in memory."""
        mean, std = self._constants
        x_BCHW = pixels_BHWC.permute(0, 3, 1, 2).float()
        x_BCHW -= mean
        if std is not None:
            x_BCHW /= std
        return x_BCHW


def ahead(read: Callable[[slice], Tensor], spans: Sequence[slice]) -> Iterator[Tensor]:
    """Yield what is read for each span, in order, while a thread reads the next ones."""
    waiting: deque[Future[Tensor]] = deque()
    pool = ThreadPoolExecutor(1)
    try:
        for span in spans:
            waiting.append(pool.submit(read, span))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _upload(pixels_NHWC: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Copy a map to a device part by part: the host need not hold all of it."""
    pixels = torch.empty(pixels_NHWC.shape, dtype=torch.uint8, device=device)
    few = max(1, _PART // max(1, pixels_NHWC[0].nbytes))
    for start in range(0, len(pixels_NHWC), few):
        part = np.array(pixels_NHWC[start : start + few])
        pixels[start : start + few].copy_(torch.from_numpy(part))
    return pixels


def _residence(size: int, device: torch.device) -> Residence:
    """Choose where crops of `size` bytes lie."""
    if device.type != "cuda":
        return "mapped"
    free, _ = torch.cuda.mem_get_info(device)
    return "resident" if size <= _SHARE * free else "streamed"
