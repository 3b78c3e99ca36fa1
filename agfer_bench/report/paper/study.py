"""What a report of the paper's study is made from: nothing else is read to write it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agfer_bench.comparison.convergence import Convergence
from agfer_bench.records.run import RunRecord
from agfer_bench.report.ablation_table import Ablation

Box = tuple[int, int, int, int]
"""x and y of the upper left corner, width and height, in pixels of the photograph."""


@dataclass(frozen=True, kw_only=True)
class StudyRun:
    """One run of the study."""

    record: RunRecord
    """Its record."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """One photograph on its way to the network (figures 5 and 6)."""

    name: str
    """Name of the photograph in its data set."""
    data: str
    """Name of the data set."""
    emotion: str
    """What it shows."""
    photograph: NDArray[np.uint8]
    """(H, W, 3) RGB; a large one is a smaller copy."""
    boxes: dict[str, Box]
    """`face`, `eye`, `pair`, `mouth`, `crop`; with `crop=none` only the last."""
    crop: NDArray[np.uint8]
    """(S, S, 3) RGB, as the network sees it in evaluation."""
    fused: NDArray[np.uint8]
    """(S, S, 3) RGB: the crop fused with the mask as in training (equation 1), the channel means
    added again so that it can be shown."""


@dataclass(frozen=True, kw_only=True)
class Study:
    """All runs of the study on one pair of data sets."""

    runs: tuple[StudyRun, ...]
    """A run for each stride, the paper's 16 first; all else of their protocols is the same."""
    counts: pd.DataFrame
    """Training set: photographs per emotion, kept, and left out for each reason; the last row is
    `all` (see `faces.prepare.counts`)."""
    test_counts: pd.DataFrame | None
    """The same of the second data set; None where there is none."""
    mask: NDArray[np.bool_]
    """(S, S) guidance mask."""
    examples: tuple[Example, ...]
    """Photographs for figures 5 and 6: of the training set first, then of the second; empty where
    the user wants none in the report."""

    ablations: tuple[Ablation, ...] = ()
    """Further comparisons that the user asked for."""
    refused: tuple[str, ...] = ()
    """Which of them could not be made, and why."""
    convergence: Convergence | None = None
    """The networks trained until nothing more comes; None where nobody asked."""
    no_convergence: str = ""
    """Why that could not be asked; empty where it was, or nobody asked."""
    long_base: RunRecord | None = None
    """A run of base alone for more epochs; None where nobody asked."""

    @property
    def main(self) -> RunRecord:
        """The record of the first run, at the paper's stride."""
        return self.runs[0].record

    @property
    def drawn(self) -> bool:
        """Whether any of the faces are drawn."""
        return self.main.drawn
