"""Accuracy from a confusion matrix.

Arabian et al. (2023), doi:10.3390/app131810179, section 2.6: "the average of the true-positive
accuracies from the predicted validation sets", which is the mean of the classes' recalls.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def confusion_matrix(
    true: NDArray[np.integer], predicted: NDArray[np.integer], classes: int
) -> NDArray[np.int64]:
    """Count images per true and predicted class.

    Args:
        true: (N,) true classes, 0 <= class < `classes`.
        predicted: (N,) predicted classes in the same range.
        classes: Number of classes M.

    Returns:
        (M, M) counts: rows are true classes, columns predicted ones.
    """
    flat = np.bincount(true.astype(np.int64) * classes + predicted, minlength=classes * classes)
    return flat.reshape(classes, classes).astype(np.int64)


def recall(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of each class's images that were recognised: (M,), 0..1, NaN for a class without any.

    >>> recall(np.array([[3, 1], [0, 0]])).tolist()
    [0.75, nan]
    """
    images = confusion.sum(axis=1)
    with np.errstate(invalid="ignore"):
        shares: NDArray[np.float64] = np.diag(confusion) / images
    return shares


def mean_recall(confusion: NDArray[np.int64]) -> float:
    """Mean recall over the classes that have images: the paper's accuracy, 0..1.

    >>> mean_recall(np.array([[3, 1], [1, 1]]))
    0.625
    """
    return float(np.nanmean(recall(confusion)))


def single_class(confusion: NDArray[np.int64]) -> bool:
    """Tell whether every image was given the same class: a network that learned nothing."""
    return bool((confusion.sum(axis=0) > 0).sum() <= 1)
