"""What the training benchmarks train: a network, random crops, batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from agfer_bench.faces.mask import default_mask
from agfer_bench.network.build import Network, build_network
from agfer_bench.plugin.finder import load_catalogue
from agfer_bench.protocol import Protocol, load_preset
from agfer_bench.records.run import MemoryFormat
from agfer_bench.records.timing import Execution
from agfer_bench.seeds import generator
from agfer_bench.training.arithmetic import arithmetic
from agfer_bench.training.batches import BatchOrder, Normaliser
from agfer_bench.training.images import Images
from agfer_bench.training.loop import Fit, fit
from agfer_bench.training.loss import as_tensor
from bench.plain_training import draw_crops

CLASSES = 7


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A fold of random crops under a protocol."""

    protocol: Protocol
    """Every setting."""
    pixels_NHWC: NDArray[np.uint8]
    """(N, S, S, 3) crops."""
    device: torch.device
    """Where to train."""

    @classmethod
    def of(cls, preset: str, images: int, device: torch.device, **changes: Any) -> Workload:
        """Draw crops for a preset; the learning curve is left out."""
        protocol = load_preset(preset).with_settings({"curve_every": 0} | changes)
        pixels = draw_crops(images, protocol.image_size)
        return cls(protocol=protocol, pixels_NHWC=pixels, device=device)

    @property
    def labels(self) -> NDArray[np.int64]:
        """Classes in turn."""
        return np.arange(len(self.pixels_NHWC)) % CLASSES

    @property
    def normalise(self) -> Normaliser:
        """Any means and deviations: times do not depend on them."""
        scheme = self.protocol.normalisation
        return Normaliser(mean=(127.0,) * 3, std=(60.0,) * 3, scheme=scheme)

    def order(self) -> BatchOrder:
        """Draw the batches of all epochs."""
        return BatchOrder.draw(
            np.arange(len(self.pixels_NHWC)),
            epochs=self.protocol.epochs,
            batch_size=self.protocol.batch_size,
            shuffle=self.protocol.shuffle,
            drop_last=self.protocol.drop_last,
            generator=generator(0, "order", 0),
        )

    def network(self, memory_format: MemoryFormat = "channels_last", name: str = "base") -> Network:
        """Build a network on the device."""
        (chosen,) = load_catalogue().choose_modules(name)
        network = build_network(
            chosen,
            self.protocol,
            classes=CLASSES,
            mask=default_mask(self.protocol.image_size),
            fold=0,
            memory_format=memory_format,
        )
        return network.to(self.device)

    def fit(self, network: Network, execution: Execution = "eager") -> Fit:
        """Train as a job does."""
        images = Images.on(
            self.device,
            pixels_NHWC=self.pixels_NHWC,
            labels_N=self.labels,
            normalise=self.normalise,
        )
        weights = as_tensor((1.0,) * CLASSES, self.device)
        with arithmetic(self.protocol.precision, self.device):
            return fit(
                network,
                images,
                self.order(),
                self.protocol,
                weights,
                lambda epoch, loss: None,
                execution=execution,
            )


def later_epochs(done: Fit) -> list[float]:
    """Return seconds of all epochs but the first, in which memory is tracked and caches fill."""
    return [epoch.seconds for epoch in done.history[1:]]
