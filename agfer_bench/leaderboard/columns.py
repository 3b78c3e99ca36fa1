"""The columns of a page's table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agfer_bench.leaderboard.site_data import PageListing


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
    under: str = ""
    """What stands below the heading."""
    text: bool = False
    """Whether it sorts as text."""


def columns_of(page: PageListing) -> tuple[Column, ...]:
    """Return the columns of a page's table, from left to right; behind them stands the record.

    What no row of the page has is left out.
    """
    judged = page.unit is not None
    shown = {
        "low": judged,
        "against": page.base is not None,
        "rank": judged,
        "tier": page.tiers > 1,
        "cross": page.crossed,
    }
    return tuple(one for one in _columns(page) if shown.get(one.name, True))


def _columns(page: PageListing) -> tuple[Column, ...]:
    over = f"{page.units} {page.unit}{'' if page.unit == 'trainings' else ' and trainings'}"
    family = next((row.against_base.pairs for row in page.rows if row.against_base), 0)
    return (
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
            means="Mean per-class recall after the last epoch, mean over folds and trainings; ± is "
            "the sample standard deviation over folds (of an official split: over trainings), not "
            "an interval.",
        ),
        Column(
            name="low",
            title="95 % interval",
            under=f"over {over}",
            means=f"Of the accuracy, over {over}: where it would lie with others of both. Of this "
            "module alone: to compare two, see the differences. Sorts by its lower end.",
        ),
        Column(
            name="against",
            title="Against base",
            means="Ahead, behind, equivalent or not distinguishable; the difference of accuracy in "
            f"points, and its 95 % interval, adjusted for {family} "
            f"{'comparison' if family == 1 else 'comparisons'} (Holm). Sorts by the difference.",
        ),
        Column(
            name="rank",
            title="Rank",
            means="The best and the worst rank that comparisons of all pairs leave open.",
            first="ascending",
        ),
        Column(
            name="tier",
            title="Tier",
            means="Behind every module of the tiers above, by the same comparisons.",
            first="ascending",
        ),
        Column(
            name="cross",
            title="Cross-database % ± SD",
            means="Accuracy on the second data set, which had no part in training; ± as above. "
            "Differences of it are not judged here.",
        ),
        Column(
            name="latency",
            title="Latency ms",
            means="Median of one image, eager fp32, on the chosen device.",
            first="ascending",
        ),
        Column(name="hz", title="Hz", means="Images a second, one at a time, on that device."),
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
            means="Training of one fold, mean, on the chosen device.",
            first="ascending",
        ),
        Column(
            name="trainings",
            title="Trainings",
            means="Trainings of each fold, those of all records together, each once.",
        ),
        Column(
            name="distribution",
            title="Distribution",
            means="Who offers the module, and version.",
            first="ascending",
            text=True,
        ),
        Column(name="date", title="Date", means="Day of the newest run's end.", text=True),
    )
