"""Paired differences against hand-worked values and SciPy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from agfer_bench.comparison.paired import subject_difference


def _frame(predicted: list[str], subjects: list[str | None] | None = None) -> pd.DataFrame:
    """Four subjects with two images each: one of class a, one of class b."""
    return pd.DataFrame(
        {
            "image": [f"{number}.png" for number in range(8)],
            "subject": subjects or [f"s{number // 2}" for number in range(8)],
            "true": ["a", "b"] * 4,
            "predicted": predicted,
        }
    )


def test_the_difference_is_that_of_mean_recalls() -> None:
    # Recalls of the first: a 3/4, b 4/4; of the second: a 1/4, b 2/4.
    first = _frame(["a", "b", "a", "b", "a", "b", "b", "b"])
    second = _frame(["a", "b", "b", "b", "b", "a", "b", "a"])
    found = subject_difference(first, second)
    assert found is not None
    assert found.estimate == pytest.approx((0.75 + 1) / 2 - (0.25 + 0.5) / 2)
    # Subjects' gains, each image worth 1 / (2 classes x 4 images): 0, 1/8, 2/8, 1/8.
    gains = np.array([0, 1, 2, 1]) / 8
    half = stats.t.ppf(0.975, 3) * gains.std(ddof=1) / 2
    assert found.low == pytest.approx(4 * (gains.mean() - half))
    assert found.high == pytest.approx(4 * (gains.mean() + half))
    assert found.subjects == 4


def test_classes_weigh_alike_whatever_their_sizes() -> None:
    first = pd.DataFrame(
        {
            "image": list("uvwxyz"),
            "subject": ["s1", "s1", "s2", "s2", "s3", "s3"],
            "true": ["a"] * 5 + ["b"],
            "predicted": ["a"] * 5 + ["a"],
        }
    )
    second = first.assign(predicted=["b"] * 5 + ["b"])
    found = subject_difference(first, second)
    assert found is not None
    assert found.estimate == pytest.approx(0.0), "five of a are worth one of b"


def test_without_pairs_there_is_no_difference() -> None:
    frame = _frame(["a", "b"] * 4)
    assert subject_difference(frame, frame.iloc[1:]) is None
    unknown = _frame(["a", "b"] * 4, [None, *["s"] * 7])
    assert subject_difference(unknown, frame) is None
    assert subject_difference(_frame(["a", "b"] * 4, ["s"] * 8), frame) is None, "one subject"


def test_equal_predictions_have_no_interval() -> None:
    frame = _frame(["a", "b"] * 4)
    found = subject_difference(frame, frame)
    assert found is not None
    assert (found.low, found.estimate, found.high) == (None, 0, None)


@pytest.mark.slow
def test_the_interval_covers_zero_as_often_as_it_says() -> None:
    """Two coins, 40 subjects with images that are alike: 95 % of intervals hold the true 0."""
    random = np.random.default_rng(0)
    covered = 0
    subjects = [f"s{number // 6}" for number in range(240)]
    images = [f"{number}" for number in range(240)]
    true = ["a", "b", "c"] * 80
    for _ in range(400):
        frames = []
        for _ in range(2):
            skill = np.repeat(random.uniform(0.2, 0.9, 40), 6)
            right = random.random(240) < skill
            predicted = np.where(right, true, "other")
            frames.append(
                pd.DataFrame(
                    {"image": images, "subject": subjects, "true": true, "predicted": predicted}
                )
            )
        found = subject_difference(*frames)
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0 <= found.high
    assert 0.92 <= covered / 400 <= 0.98
