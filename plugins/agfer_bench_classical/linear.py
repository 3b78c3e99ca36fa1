"""Logistic regression on small copies of the crops: what can be told from grey values alone.

Cox (1958), doi:10.1111/j.2517-6161.1958.tb00292.x; for several classes as a softmax with L2
regularisation, by scikit-learn.

Shapes in names: N images, H height, W width, C channels (red, green, blue), D features, M classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_STEPS = 1000
"""Steps of the solver at most; some tens are enough for it to converge."""


class Linear:
    """A linear classifier of pixels.

    Each crop is made small, each of its pixels standardised by mean and deviation over the training
    fold. Images are weighted in the loss, and not in the standardisation.

    Args:
        side: Pixels along a side of the small copies.
        colour: Whether the copies are RGB and not grey.
        C: Inverse of the strength of the regularisation.
    """

    def __init__(self, side: int, colour: bool, C: float) -> None:
        # Not above: listings load this plugin and need none of it.
        from sklearn.linear_model import LogisticRegression
        from sklearn.preprocessing import StandardScaler

        self._side = side
        self._colour = colour
        self._scale: Any = StandardScaler()
        self._regression: Any = LogisticRegression(C=C, max_iter=_STEPS)

    def fit(
        self,
        pixels_NHWC: NDArray[np.uint8],
        labels_N: NDArray[np.int64],
        weights_N: NDArray[np.float64] | None,
    ) -> None:
        """Fit to a training fold."""
        features_ND = self._scale.fit_transform(self._features(pixels_NHWC))
        self._regression.fit(features_ND, labels_N, sample_weight=weights_N)

    def predict(self, pixels_NHWC: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return each class's probability (N, M)."""
        features_ND = self._scale.transform(self._features(pixels_NHWC))
        probabilities_NM: NDArray[np.float64] = self._regression.predict_proba(features_ND)
        return probabilities_NM

    def _features(self, pixels_NHWC: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return (N, D) values of the small copies; D is side², three times as many in colour."""
        import cv2
        from skimage.color import rgb2gray

        copies = []
        for pixels_HWC in pixels_NHWC:
            small = cv2.resize(pixels_HWC, (self._side, self._side), interpolation=cv2.INTER_AREA)
            copies.append(small / 255 if self._colour else rgb2gray(small))
        return np.stack(copies).reshape(len(copies), -1)
