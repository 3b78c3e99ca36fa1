"""The plain alternative to the training engine: what one writes with torch and torchvision.

A folder of crops, `ImageFolder`, a `DataLoader` with a worker a core, an eager loop. Network,
batches, loss and optimiser settings are the engine's, so that only the way of training differs.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

from agfer_bench.protocol import Protocol
from agfer_bench.training.batches import BatchOrder, Normaliser


def draw_crops(images: int, side: int) -> NDArray[np.uint8]:
    """Return (N, S, S, 3) smooth random pictures: as fast to read as crops, and no faces."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (images, 6, 6, 3), dtype=np.uint8)
    size = (side, side)
    return np.stack([cv2.resize(one, size, interpolation=cv2.INTER_CUBIC) for one in coarse])


def write_folder(root: Path, pixels: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
    """Write crops as a folder of PNG files a class, in their order, as `ImageFolder` reads them."""
    for number, (crop, label) in enumerate(zip(pixels, labels, strict=True)):
        folder = root / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(folder / f"{number:06}.png"), cv2.cvtColor(crop, cv2.COLOR_RGB2BGR))


class PlainTraining:
    """An eager loop over a `DataLoader`.

    Args:
        root: Written by `write_folder`.
        network: In contiguous memory format, as torch makes it; trained in place.
        protocol: Optimiser and learning rate.
        order: Batches of each epoch; an epoch of training takes the next one.
        normalise: Means and deviations.
        device: Where to train.
        keep_workers: Whether workers outlive an epoch, which is not the `DataLoader`'s default.
    """

    def __init__(
        self,
        root: Path,
        network: nn.Module,
        protocol: Protocol,
        order: BatchOrder,
        normalise: Normaliser,
        device: torch.device,
        *,
        keep_workers: bool = False,
    ) -> None:
        std = normalise.std if normalise.scheme == "standardise" else (255.0,) * 3
        data = ImageFolder(
            str(root),
            transforms.Compose(
                [
                    transforms.ToTensor(),
                    transforms.Normalize(_share(normalise.mean), _share(std)),
                ]
            ),
        )
        # ImageFolder sorts by class: where each image of the order stands in it.
        places = {int(Path(path).stem): place for place, (path, _) in enumerate(data.samples)}
        self._batches = [
            [[places[int(i)] for i in batch] for batch in order.batches(epoch)]
            for epoch in range(len(order.epochs))
        ]
        self._data = data
        self._epoch = 0
        self._keep = keep_workers
        self._network = network.to(device)
        self._device = device
        self._loss = nn.CrossEntropyLoss(weight=torch.ones(len(data.classes), device=device))
        rate, weights = protocol.learning_rate, network.parameters()
        self._optimiser: torch.optim.Optimizer
        if protocol.optimiser == "sgd":
            self._optimiser = torch.optim.SGD(weights, lr=rate, momentum=protocol.momentum)
        else:
            self._optimiser = torch.optim.AdamW(weights, lr=rate)
        self._sampler = _Batches()
        self._loader: DataLoader[tuple[torch.Tensor, torch.Tensor]] = DataLoader(
            data,
            batch_sampler=self._sampler,
            num_workers=os.cpu_count() or 1,
            pin_memory=device.type == "cuda",
            persistent_workers=keep_workers,
        )

    def epoch(self) -> float:
        """Train for an epoch; return its mean loss."""
        self._sampler.batches = self._batches[self._epoch % len(self._batches)]
        self._epoch += 1
        self._network.train()
        losses = []
        for x, y in self._loader:
            x, y = x.to(self._device), y.to(self._device)
            self._optimiser.zero_grad()
            loss = self._loss(self._network(x), y)
            loss.backward()
            self._optimiser.step()
            losses.append(loss.item())
        return float(np.mean(losses))


class _Batches:
    """A sampler whose batches are set before each epoch."""

    def __init__(self) -> None:
        self.batches: Sequence[list[int]] = ()

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


def _share(values: Sequence[float]) -> list[float]:
    """From 0..255 to the 0..1 of `ToTensor`."""
    return [value / 255 for value in values]
