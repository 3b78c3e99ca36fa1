"""Accuracy from confusions: by hand, and against scikit-learn on random ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, recall_score
from sklearn.metrics import confusion_matrix as reference

from agfer_bench.metrics import confusion_matrix, mean_recall, recall, single_class


def test_hand_set_confusion_gives_hand_computed_measures() -> None:
    matrix = np.array([[8, 2, 0], [1, 3, 0], [0, 3, 3]])
    assert recall(matrix).tolist() == pytest.approx([0.8, 0.75, 0.5])
    assert mean_recall(matrix) == pytest.approx((0.8 + 0.75 + 0.5) / 3)


def test_a_class_without_images_does_not_count() -> None:
    matrix = np.array([[3, 1, 0], [0, 0, 0], [1, 0, 1]])
    assert np.isnan(recall(matrix)[1])
    assert mean_recall(matrix) == pytest.approx((0.75 + 0.5) / 2)


def test_single_class_is_noticed() -> None:
    assert single_class(np.array([[0, 4], [0, 3]]))
    assert not single_class(np.array([[1, 3], [0, 3]]))


@settings(deadline=None)  # scikit-learn is slow the first time
@given(st.data())
def test_agrees_with_scikit_learn(data: st.DataObject) -> None:
    classes = data.draw(st.integers(2, 8))
    pairs = data.draw(
        st.lists(
            st.tuples(st.integers(0, classes - 1), st.integers(0, classes - 1)), min_size=classes
        )
    )
    # Every class stands at least once: scikit-learn warns where one does not.
    true = np.array([t for t, _ in pairs] + list(range(classes)))
    predicted = np.array([p for _, p in pairs] + list(range(classes))[::-1])
    ours = confusion_matrix(true, predicted, classes)
    assert (ours == reference(true, predicted, labels=range(classes))).all()
    expected = recall_score(true, predicted, average=None, labels=range(classes))
    np.testing.assert_allclose(recall(ours), expected)
    assert mean_recall(ours) == pytest.approx(balanced_accuracy_score(true, predicted))
