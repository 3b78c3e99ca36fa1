"""Classifiers without a network: HOG with an SVM or neighbours, and regression on grey values.

Arabian et al. (2023), doi:10.3390/app131810179, section 1, report of earlier work in which SVM and
neighbours did as well as a network (their reference 26). They give no settings: those here are
ours, chosen on the London photographs and the drawn faces among a few by accuracy over subject
folds.

Shapes in names: N images, H height, W width, C channels, D features, M classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agfer_bench import ClassifierSpec, FaceClassifier, UserError, hookimpl
from agfer_bench_classical.features import Gradients
from agfer_bench_classical.linear import Linear


class LinearSVM:
    """A linear support vector machine for each class against the rest.

    Cortes & Vapnik (1995), doi:10.1007/BF00994018, with squared hinge loss, by scikit-learn's
    LinearSVC. Images are weighted: a weight scales C.

    Args:
        seed: Draws the order in which the solver goes through the images.
        gradients: Makes the features, which are not scaled further.
        C: Price of a training image on the wrong side of the margin.
    """

    def __init__(self, seed: int, gradients: Gradients, C: float) -> None:
        # Not above: listings load this plugin and need none of it.
        from sklearn.svm import LinearSVC

        self._gradients = gradients
        self._svm: Any = LinearSVC(C=C, dual="auto", max_iter=10_000, random_state=seed)
        self._classes = 0

    def fit(
        self,
        pixels_NHWC: NDArray[np.uint8],
        labels_N: NDArray[np.int64],
        weights_N: NDArray[np.float64] | None,
    ) -> None:
        """Fit to a training fold."""
        self._classes = int(labels_N.max()) + 1
        self._svm.fit(self._gradients(pixels_NHWC), labels_N, sample_weight=weights_N)

    def predict(self, pixels_NHWC: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return decisions (N, M): 1 for the class with the largest margin, 0 for the others."""
        decided_N: NDArray[np.int64] = self._svm.predict(self._gradients(pixels_NHWC))
        decisions_NM = np.zeros((len(decided_N), self._classes), dtype=np.float32)
        decisions_NM[np.arange(len(decided_N)), decided_N] = 1
        return decisions_NM


class Neighbours:
    """The k nearest training images, each with one vote.

    Cover & Hart (1967), doi:10.1109/TIT.1967.1053964, by scikit-learn. Distances are Euclidean.
    Class weights play no part: the method has no loss that they could weigh.

    Args:
        gradients: Makes the features.
        neighbours: k.
    """

    def __init__(self, gradients: Gradients, neighbours: int) -> None:
        from sklearn.neighbors import KNeighborsClassifier

        self._gradients = gradients
        self._knn: Any = KNeighborsClassifier(n_neighbors=neighbours)

    def fit(
        self,
        pixels_NHWC: NDArray[np.uint8],
        labels_N: NDArray[np.int64],
        weights_N: NDArray[np.float64] | None,
    ) -> None:
        """Remember a training fold."""
        self._knn.fit(self._gradients(pixels_NHWC), labels_N)

    def predict(self, pixels_NHWC: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return each class's share of the votes (N, M)."""
        votes_NM: NDArray[np.float64] = self._knn.predict_proba(self._gradients(pixels_NHWC))
        return votes_NM


def build_svm(
    seed: int, *, orientations: int = 9, cells: int = 8, C: float = 0.1
) -> FaceClassifier:
    """Build `hog-svm`.

    Args:
        seed: Seed of the solver.
        orientations: Bins over half a turn, at least 1.
        cells: Cells along a side of the crop, at least 2.
        C: Price of a training image on the wrong side of the margin, above 0.
    """
    if C <= 0:
        raise UserError(f"hog-svm:C must be above 0, not {C:g}")
    gradients = Gradients(owner="hog-svm", orientations=orientations, cells=cells)
    return LinearSVM(seed, gradients, C)


def build_knn(
    seed: int, *, orientations: int = 9, cells: int = 8, neighbours: int = 9
) -> FaceClassifier:
    """Build `hog-knn`.

    Args:
        seed: Not used: nothing is drawn.
        orientations: Bins over half a turn, at least 1.
        cells: Cells along a side of the crop, at least 2.
        neighbours: Images that vote, at least 1.
    """
    if neighbours < 1:
        raise UserError(f"hog-knn:neighbours must be at least 1, not {neighbours}")
    return Neighbours(
        Gradients(owner="hog-knn", orientations=orientations, cells=cells), neighbours
    )


def build_linear(
    seed: int, *, side: int = 24, colour: bool = False, C: float = 0.1
) -> FaceClassifier:
    """Build `linear`.

    Args:
        seed: Not used: nothing is drawn.
        side: Pixels along a side of the small copies, 2 to 256.
        colour: Whether they are RGB and not grey.
        C: Inverse of the strength of the regularisation, above 0.
    """
    if not 2 <= side <= 256:
        raise UserError(f"linear:side must be 2 to 256 pixels, not {side}")
    if C <= 0:
        raise UserError(f"linear:C must be above 0, not {C:g}")
    return Linear(side, colour, C)


@hookimpl
def face_classifiers() -> Sequence[ClassifierSpec]:
    """Offer `linear`, `hog-svm` and `hog-knn`."""
    return [
        ClassifierSpec(
            name="linear",
            build=build_linear,
            source="doi:10.1111/j.2517-6161.1958.tb00292.x",
            summary="Logistic regression on small grey copies of the crops (Cox 1958)",
        ),
        ClassifierSpec(
            name="hog-svm",
            build=build_svm,
            source="doi:10.1109/CVPR.2005.177",
            summary="Histograms of oriented gradients and a linear SVM (Dalal & Triggs 2005)",
        ),
        ClassifierSpec(
            name="hog-knn",
            build=build_knn,
            source="doi:10.1109/TIT.1967.1053964",
            summary="Histograms of oriented gradients and the nearest neighbours (Cover & Hart "
            "1967); class weights play no part",
        ),
    ]
