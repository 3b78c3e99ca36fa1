"""What a trained network said of each image, as rows of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agfer_bench.faces.cross_database import TestSet

VALIDATION, TEST = "validation", "test"
"""What a row is from."""


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Collects the predictions of one module trained on one fold."""

    module: str
    """Label of the module."""
    fold: int
    """Number of the fold, counted from 0."""
    seed: int
    """Seed that it was trained with."""
    classes: tuple[str, ...]
    """Names of the classes."""

    def of_validation(
        self,
        indices: NDArray[np.int64],
        probabilities: NDArray[np.float32],
        *,
        names: Sequence[str],
        subjects: Sequence[str | None],
        labels_N: NDArray[np.int64],
    ) -> pd.DataFrame:
        """Return a row for each image of the validation fold."""
        images = {
            "set": VALIDATION,
            "image": [names[index] for index in indices],
            "subject": [subjects[index] for index in indices],
            "group": None,
        }
        return self._frame(images, labels_N[indices], probabilities)

    def of_test(self, test: TestSet, probabilities: NDArray[np.float32]) -> pd.DataFrame:
        """Return a row for each image of the second data set."""
        images = {
            "set": TEST,
            "image": [test.names[index] for index in test.indices],
            "subject": [test.subjects[index] for index in test.indices],
            "group": [test.groups[index] for index in test.indices],
        }
        return self._frame(images, test.labels_N[test.indices], probabilities)

    def _frame(
        self,
        images: Mapping[str, object],
        labels: NDArray[np.int64],
        probabilities: NDArray[np.float32],
    ) -> pd.DataFrame:
        classes = np.asarray(self.classes)
        columns: dict[str, object] = {
            "module": self.module,
            "fold": self.fold,
            "seed": self.seed,
            **images,
            "true": classes[labels],
            "predicted": classes[probabilities.argmax(axis=1)],
        }
        columns |= {f"p_{name}": probabilities[:, i] for i, name in enumerate(self.classes)}
        # Texts that are missing throughout would otherwise differ in type from frame to frame.
        return pd.DataFrame(columns).astype(dict.fromkeys(("subject", "group"), "string"))
