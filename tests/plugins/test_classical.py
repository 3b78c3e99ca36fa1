"""Histograms of gradients by hand, and the two classifiers on them."""

from __future__ import annotations

import numpy as np
import pytest
from agfer_bench_classical import build_knn, build_linear, build_svm
from agfer_bench_classical.features import Gradients
from numpy.typing import NDArray
from scipy.optimize import minimize

from agfer_bench import UserError


def _photograph(image_HW: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(image_HW[None, :, :, None], 3, axis=3)


def _by_hand(image_HW: NDArray[np.uint8], cells: int, orientations: int) -> NDArray[np.float64]:
    """Compute the same pixel by pixel: central differences, bins without interpolation, L2-Hys."""
    image = image_HW / 255.0
    side = len(image) // cells
    histograms = np.zeros((cells, cells, orientations))
    for row, column in np.ndindex(*image.shape):
        down = right = 0.0
        if 0 < row < len(image) - 1:
            down = image[row + 1, column] - image[row - 1, column]
        if 0 < column < len(image) - 1:
            right = image[row, column + 1] - image[row, column - 1]
        half_turns = np.arctan2(down, right) / np.pi % 1
        cell = (row // side, column // side, int(half_turns * orientations))
        histograms[cell] += np.hypot(down, right) / side**2
    blocks = []
    for row, column in np.ndindex(cells - 1, cells - 1):
        block = histograms[row : row + 2, column : column + 2].ravel()
        clipped = np.minimum(block / np.linalg.norm(block), 0.2)
        blocks.append(clipped / np.linalg.norm(clipped))
    return np.concatenate(blocks)


@pytest.mark.parametrize(("cells", "orientations"), [(3, 9), (4, 6)])
def test_gradients_are_those_computed_by_hand(cells: int, orientations: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (24, 24), dtype=np.uint8)
    gradients = Gradients(owner="hog", orientations=orientations, cells=cells)
    found = gradients(_photograph(image))
    assert found.shape == (1, gradients.width)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], _by_hand(image, cells, orientations), atol=1e-4)


def test_a_slope_fills_the_bin_of_its_direction() -> None:
    slope = np.arange(0, 240, 10, dtype=np.uint8)
    gradients = Gradients(owner="hog", orientations=4, cells=2)
    right, down = (gradients(_photograph(image))[0] for image in _slopes(slope))
    # Four cells alike: each is half of the block's unit length, in the bin of 0 or of 90 degrees.
    np.testing.assert_allclose(right.reshape(4, 4), [[0.5, 0, 0, 0]] * 4, atol=1e-3)
    np.testing.assert_allclose(down.reshape(4, 4), [[0, 0, 0.5, 0]] * 4, atol=1e-3)


def _slopes(slope: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    right = np.tile(slope, (len(slope), 1))
    return right, np.ascontiguousarray(right.T)


@pytest.mark.parametrize(("side", "cells"), [(48, 8), (224, 8), (47, 8), (33, 2)])
def test_as_many_features_whatever_the_size(side: int, cells: int) -> None:
    gradients = Gradients(owner="hog", orientations=9, cells=cells)
    image = np.random.default_rng(0).integers(0, 256, (1, side, side, 3), dtype=np.uint8)
    assert gradients(image).shape == (1, (cells - 1) ** 2 * 4 * 9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cells": 1}, "hog-svm:cells must be at least 2, not 1"),
        ({"orientations": 0}, "hog-svm:orientations must be at least 1, not 0"),
        ({"C": 0.0}, "hog-svm:C must be above 0, not 0"),
    ],
)
def test_options_out_of_range(options: dict[str, int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        build_svm(0, **options)


def test_crops_that_are_too_small_and_no_neighbours() -> None:
    with pytest.raises(UserError, match="hog-knn:neighbours must be at least 1, not 0"):
        build_knn(0, neighbours=0)
    tiny = np.zeros((2, 6, 6, 3), dtype=np.uint8)
    with pytest.raises(UserError, match="hog-knn:cells=8: crops have 6 pixels a side"):
        build_knn(0).fit(tiny, np.array([0, 1]), None)


def test_weights_move_the_svm_and_not_the_neighbours() -> None:
    random = np.random.default_rng(3)
    pixels = random.integers(0, 256, (30, 32, 32, 3), dtype=np.uint8)
    labels = np.repeat([0, 1], [24, 6])
    heavy = np.where(labels == 1, 1000.0, 1e-6)
    others = random.integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    found = {}
    for name, build in (("svm", build_svm), ("knn", build_knn)):
        for weights in (None, heavy):
            classifier = build(0)
            classifier.fit(pixels, labels, weights)
            found[name, weights is None] = classifier.predict(others)
    assert found["svm", True][:, 1].sum() < found["svm", False][:, 1].sum()
    np.testing.assert_array_equal(found["knn", True], found["knn", False])
    np.testing.assert_allclose(found["knn", True].sum(axis=1), 1)
    assert set(np.unique(found["svm", True])) <= {0, 1}


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_linear_is_at_the_minimum_of_the_regularised_loss(colour: bool, weighted: bool) -> None:
    """Softmax regression by hand: where scikit-learn stops, the gradient of the loss is zero."""
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (60, 8, 8, 3), dtype=np.uint8)
    labels = np.arange(60) % 3
    weights = random.uniform(0.5, 2, 60) if weighted else None
    C = 0.05
    linear = build_linear(0, side=4, colour=colour, C=C)
    linear.fit(pixels, labels, weights)

    means = pixels.reshape(60, 4, 2, 4, 2, 3).mean(axis=(2, 4))
    if not colour:
        means = means @ np.array([0.2125, 0.7154, 0.0721])
    features = means.reshape(60, -1)
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    factors = np.ones(60) if weights is None else weights
    found = linear.predict(pixels)

    def loss(parameters: NDArray[np.float64]) -> float:
        bias, slopes = parameters[:3], parameters[3:].reshape(-1, 3)
        logits = features @ slopes + bias
        norms = np.log(np.exp(logits).sum(axis=1))
        total = factors @ (norms - logits[np.arange(60), labels])
        return float(C * total + (slopes**2).sum() / 2)

    best = minimize(loss, np.zeros(3 + 3 * features.shape[1]), tol=1e-8).x
    logits = features @ best[3:].reshape(-1, 3) + best[:3]
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    # A mean of 8-bit values is rounded to 8 bits again.
    np.testing.assert_allclose(found, expected, atol=0.02)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"side": 1}, "linear:side must be 2 to 256 pixels, not 1"),
        ({"C": 0.0}, "linear:C must be above 0, not 0"),
    ],
)
def test_options_of_linear_out_of_range(options: dict[str, int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        build_linear(0, **options)  # type: ignore[arg-type]
