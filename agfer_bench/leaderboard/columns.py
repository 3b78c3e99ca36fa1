"""The columns of a page's table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column: what it is called, and how it sorts."""

    name: str
    """Field of a row that it sorts by."""
    title: str
    """Heading."""
    means: str
    """What its numbers are."""
    first: Literal["ascending", "descending"] = "descending"
    """Order of the first click."""
    timed: bool = False
    """Whether it holds times, which sort within one device alone."""
    text: bool = False
    """Whether it sorts as text."""


COLUMNS = (
    Column(
        name="name",
        title="Module",
        means="Block or classifier with its options.",
        first="ascending",
        text=True,
    ),
    Column(
        name="accuracy",
        title="Accuracy % ± SD",
        means="Mean per-class recall after the last epoch, mean over folds; ± is the sample "
        "standard deviation over folds, not an interval.",
    ),
    Column(
        name="low",
        title="95 % interval",
        means="Of the accuracy; over subjects (Student's t) where they are known, else over "
        "folds (corrected resampled t). Sorts by its lower end.",
    ),
    Column(
        name="cross",
        title="Cross-database % ± SD",
        means="Accuracy on the second data set, which had no part in training; ± as above.",
    ),
    Column(
        name="latency",
        title="Latency ms",
        means="Median of one image, eager fp32.",
        first="ascending",
        timed=True,
    ),
    Column(name="hz", title="Hz", means="Images a second, one at a time.", timed=True),
    Column(
        name="device", title="Device", means="Where times were taken.", first="ascending", text=True
    ),
    Column(
        name="parameters",
        title="Params",
        means="Learnable parameters of the network.",
        first="ascending",
    ),
    Column(
        name="block",
        title="Block params",
        means="Learnable parameters of its blocks.",
        first="ascending",
    ),
    Column(
        name="macs", title="MACs", means="Multiply-accumulates of one image.", first="ascending"
    ),
    Column(
        name="train",
        title="Train s",
        means="Training of one fold, mean.",
        first="ascending",
        timed=True,
    ),
    Column(name="seeds", title="Seeds", means="Times that every fold was trained."),
    Column(
        name="distribution",
        title="Distribution",
        means="Who offers the module, and version.",
        first="ascending",
        text=True,
    ),
    Column(name="date", title="Date", means="Day of the run's end.", text=True),
)
"""From left to right; behind them stands the record."""
