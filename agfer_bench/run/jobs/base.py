"""What every job of a run needs, whether it trains a network or a classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agfer_bench.faces.cross_database import TestSet
from agfer_bench.faces.folds import Fold
from agfer_bench.plugin.catalogue import Chosen
from agfer_bench.plugin.specs import ModuleSpec
from agfer_bench.protocol import Protocol


@dataclass(frozen=True, kw_only=True)
class FoldJob:
    """One module to be trained on one fold, and judged."""

    chosen: Chosen[ModuleSpec]
    """The module and its options."""
    protocol: Protocol
    """Every setting."""
    fold: Fold
    """Training and validation images."""
    pixels_NHWC: NDArray[np.uint8]
    """(N, H, W, 3) crops of the whole data set."""
    labels_N: NDArray[np.int64]
    """(N,) classes."""
    names: Sequence[str]
    """Names of the N images."""
    subjects: Sequence[str | None]
    """Who is on each of the N images."""
    test: TestSet | None
    """The second data set, which whatever was trained is tested on."""
    classes: tuple[str, ...]
    """Names of the classes."""
    key: str
    """SHA-256 of the job's address."""

    @property
    def steps(self) -> int:
        """Steps that progress is counted in."""
        return 1
