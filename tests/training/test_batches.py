"""Batches: order, normalisation, statistics, against numbers by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agfer_bench.errors import UserError
from agfer_bench.seeds import generator
from agfer_bench.training.batches import BatchOrder, Normaliser, channel_statistics
from agfer_bench.training.images import Images
from agfer_bench.training.loss import class_weights, weighted_cross_entropy


def _order(indices: np.ndarray, **changes: object) -> BatchOrder:
    settings: dict[str, object] = {
        "epochs": 3,
        "batch_size": 4,
        "shuffle": "every-epoch",
        "drop_last": False,
        "generator": generator(0, "order", 0),
    }
    return BatchOrder.draw(indices, **(settings | changes))  # type: ignore[arg-type]


def test_each_epoch_shows_every_image_once() -> None:
    indices = np.arange(5, 27)
    order = _order(indices)
    for epoch in range(3):
        batches = list(order.batches(epoch))
        assert [len(batch) for batch in batches] == [4, 4, 4, 4, 4, 2]
        assert sorted(np.concatenate(batches)) == list(indices)
    assert (order.epochs[0] != order.epochs[1]).any()


def test_a_last_batch_of_one_joins_the_one_before() -> None:
    order = _order(np.arange(9))
    assert [len(batch) for batch in order.batches(0)] == [4, 5]
    assert [len(batch) for batch in _order(np.arange(1)).batches(0)] == [1]


def test_once_repeats_and_an_incomplete_batch_is_dropped() -> None:
    order = _order(np.arange(10), shuffle="once", drop_last=True)
    assert (order.epochs[0] == order.epochs[2]).all()
    assert [len(batch) for batch in order.batches(0)] == [4, 4]
    with pytest.raises(UserError, match="lower --batch-size"):
        _order(np.arange(3), drop_last=True)


def test_the_order_depends_on_seed_and_fold_alone() -> None:
    hashes = [_order(np.arange(20), generator=generator(0, "order", f)).sha256 for f in (0, 0, 1)]
    assert hashes[0] == hashes[1] != hashes[2]


@given(st.integers(0, 2**32 - 1), st.integers(1, 300))
def test_statistics_equal_numpys(seed: int, images: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (images, 3, 2, 3), dtype=np.uint8)
    indices = np.arange(0, images, 2)
    mean, std = channel_statistics(pixels, indices)
    chosen = pixels[indices].astype(float)
    np.testing.assert_allclose(mean, chosen.mean(axis=(0, 1, 2)), atol=1e-9)
    np.testing.assert_allclose(std, chosen.std(axis=(0, 1, 2)), atol=1e-6)


def test_statistics_see_the_training_fold_alone() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 4, 4, 3), dtype=np.uint8)
    train = np.arange(4)
    before = channel_statistics(pixels, train)
    changed = pixels.copy()
    changed[5] = 0
    assert channel_statistics(changed, train) == before
    changed[2] = 0
    assert channel_statistics(changed, train) != before


def test_normalisation_by_hand() -> None:
    pixels = np.array([[[[10, 20, 30], [20, 20, 30]]]], dtype=np.uint8)
    standardise = Normaliser(mean=(15.0, 20.0, 25.0), std=(5.0, 0.0, 2.0), scheme="standardise")
    x, y = _first(pixels, standardise)
    assert x.shape == (1, 3, 1, 2)
    # A deviation under one grey level is taken as one: a constant channel stays finite.
    assert x[0, :, 0].tolist() == [[-1.0, 1.0], [0.0, 0.0], [2.5, 2.5]]
    assert y.tolist() == [2]
    centre = Normaliser(mean=(15.0, 20.0, 25.0), std=(5.0, 1.0, 2.0), scheme="zero-centre")
    assert _first(pixels, centre)[0][0, :, 0].tolist() == [[-5, 5], [0, 0], [5, 5]]


def _first(pixels: np.ndarray, normalise: Normaliser) -> tuple[torch.Tensor, torch.Tensor]:
    images = Images.on(
        torch.device("cpu"), pixels_NHWC=pixels, labels_N=np.array([2]), normalise=normalise
    )
    return next(images.batches(np.array([0]), 1))


def test_equation_2_by_hand() -> None:
    labels = np.array([0] * 5 + [1] * 2 + [2] * 3)
    assert class_weights(labels, 3) == pytest.approx((10 / 15, 10 / 6, 10 / 9))


def test_loss_is_the_weighted_sum_over_the_number_of_images() -> None:
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    y = torch.tensor([0, 0, 1])
    weights = torch.tensor([0.5, 3.0])
    logs = torch.log_softmax(logits, 1)
    by_hand = -(0.5 * logs[0, 0] + 0.5 * logs[1, 0] + 3.0 * logs[2, 1]) / 3
    torch.testing.assert_close(weighted_cross_entropy(logits, y, weights), by_hand)
    mean = torch.nn.functional.cross_entropy(logits, y, weight=weights)
    assert not torch.allclose(mean, by_hand), "torch's own mean is another loss"


def test_smoothed_labels_by_hand() -> None:
    """A label is 1 - s of its class and s / M of every class; each part has its class's weight."""
    logits = torch.tensor([[1.0, 0.0, -1.0], [0.5, 2.0, 0.0]], dtype=torch.float64)
    y, weights, smoothing = torch.tensor([0, 2]), torch.tensor([0.5, 1.0, 3.0]), 0.3
    total = 0.0
    for logit, label in zip(logits.tolist(), y.tolist(), strict=True):
        norm = np.log(np.exp(logit).sum())
        for number, value in enumerate(logit):
            part = smoothing / 3 + (1 - smoothing) * (number == label)
            total += part * float(weights[number]) * (norm - value)
    found = weighted_cross_entropy(logits, y, weights, smoothing=smoothing)
    assert float(found) == pytest.approx(total / 2, rel=1e-6)


def test_loss_of_a_batch_is_the_mean_of_its_halves() -> None:
    torch.manual_seed(0)
    logits, y, weights = torch.randn(8, 3), torch.randint(0, 3, (8,)), torch.tensor([0.2, 1.0, 4.0])
    whole = weighted_cross_entropy(logits, y, weights)
    halves = [weighted_cross_entropy(logits[i : i + 4], y[i : i + 4], weights) for i in (0, 4)]
    torch.testing.assert_close(whole, (halves[0] + halves[1]) / 2)
