"""Crops on their way to the network: wherever they lie, the same batches come out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from agfer_bench.records.run import Residence
from agfer_bench.seeds import generator
from agfer_bench.training.batches import BatchOrder, Normaliser
from agfer_bench.training.images import Images, ahead

CPU = torch.device("cpu")
PIXELS = np.random.default_rng(0).integers(0, 256, (23, 5, 4, 3), dtype=np.uint8)
LABELS = np.arange(23) % 3
NORMALISE = Normaliser(mean=(100.0, 120.0, 140.0), std=(50.0, 60.0, 70.0), scheme="standardise")


def _images(residence: Residence | None = None) -> Images:
    return Images.on(
        CPU, pixels_NHWC=PIXELS, labels_N=LABELS, normalise=NORMALISE, residence=residence
    )


def _order(flips: bool = False, guided: bool = False) -> BatchOrder:
    return BatchOrder.draw(
        np.arange(2, 23),
        epochs=2,
        batch_size=4,
        shuffle="every-epoch",
        drop_last=False,
        generator=generator(0, "order", 0),
        flips=generator(0, "flips", 0) if flips else None,
        guided=generator(0, "guided", 0) if guided else None,
        share=0.25,
    )


@pytest.mark.parametrize("residence", ["mapped", "resident", "streamed"])
def test_batches_are_the_orders_images_normalised(residence: Residence) -> None:
    order = _order()
    for epoch in (0, 1):
        batches = list(_images(residence).epoch(order, epoch))
        assert [len(y) for _, y in batches] == [4, 4, 4, 4, 5], "the last image joins a batch"
        for (x, y), indices in zip(batches, order.batches(epoch), strict=True):
            expected = (PIXELS[indices] - np.array([100, 120, 140])) / np.array([50, 60, 70])
            np.testing.assert_allclose(x.permute(0, 2, 3, 1), expected, rtol=1e-6)
            assert y.tolist() == LABELS[indices].tolist()
            assert x.dtype == torch.float32
            assert x.is_contiguous(memory_format=torch.channels_last), "no copy is needed later"


def test_half_of_the_images_are_mirrored_and_the_hash_knows_it() -> None:
    plain, mirrored = _order(), _order(flips=True)
    assert plain.sha256 != mirrored.sha256
    assert (plain.epochs[0] == mirrored.epochs[0]).all(), "the order itself stays"
    assert (mirrored.flips[0] != mirrored.flips[1]).any(), "drawn anew each epoch"
    seen = []
    for (x, _), (y, _) in zip(_images().epoch(plain, 0), _images().epoch(mirrored, 0), strict=True):
        for one, other in zip(x, y, strict=True):
            seen.append(not torch.equal(one, other))
            assert torch.equal(other, one.flip(2) if seen[-1] else one)
    assert seen == mirrored.flips[0].tolist()
    assert 4 < sum(seen) < 17


@pytest.mark.parametrize("residence", ["mapped", "resident", "streamed"])
def test_a_share_of_the_images_is_masked_and_the_hash_knows_it(residence: Residence) -> None:
    plain, guided = _order(flips=True), _order(flips=True, guided=True)
    assert plain.sha256 != guided.sha256
    assert (plain.epochs[1] == guided.epochs[1]).all(), "no other draw moves"
    assert (plain.flips[1] == guided.flips[1]).all()
    assert (guided.guided[0] != guided.guided[1]).any(), "drawn anew each epoch"
    fusion = torch.linspace(0.125, 1.125, 20).view(5, 4)
    batches = [list(_images(residence).epoch(plain, 0))]
    batches.append(list(_images(residence).epoch(guided, 0, fusion)))
    seen = []
    for (x, _), (y, _) in zip(*batches, strict=True):
        for one, other in zip(x, y, strict=True):
            seen.append(not torch.equal(one, other))
            assert torch.equal(other, one * fusion if seen[-1] else one)
    assert seen == guided.guided[0].tolist()
    assert 1 <= sum(seen) < 11, "a quarter of 21"


def test_reading_ahead_keeps_the_order_and_passes_errors_on() -> None:
    spans = [slice(start, start + 1) for start in range(9)]
    assert [int(t) for t in ahead(lambda s: torch.tensor(s.start), spans)] == list(range(9))

    def fails(span: slice) -> torch.Tensor:
        if span.start == 5:
            raise OSError("the disk is gone")
        return torch.tensor(span.start)

    reading = ahead(fails, spans)
    assert [int(next(reading)) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(OSError, match="the disk is gone"):
        next(reading)
