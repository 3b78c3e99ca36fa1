"""A claim: the accuracies that a source prints, and the design behind them. The layout of its TOML.

Accuracies are per cent and deviations are points, as printed. What the source does not state is
left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agfer_bench.text import nearest

PlusMinus = Literal[
    "sd", "standard error", "average of sds", "something else", "not stated", "none"
]
"""What a printed ± is: a standard deviation over the values behind a mean, the standard error of
that mean, an average of standard deviations of other means, something else, or nothing."""

Replicates = Literal["folds", "trainings", "folds and trainings", "not stated"]
"""What the values behind a mean are: one for each fold, one for each training of one fold, or one
for each training of each fold."""

Split = Literal["image", "subject", "test set", "not stated"]
"""What is judged: folds that divide images, folds that divide people, or one set of test images
that is the same for all networks."""

Epoch = Literal["last", "best on judged images", "best on other images", "not stated"]
"""Which epoch counts."""

Text = Annotated[str, Field(min_length=1, max_length=1000, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""One line of text."""

Name = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""A short text."""


_MOST_ROWS, _MOST_PAIRS = 200, 1000
"""Beyond that nobody reads a table."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)


class Design(_Model):
    """How the numbers came about, the same for all rows unless a row says otherwise."""

    plus_minus_is: PlusMinus
    """What the printed ± is."""
    plus_minus_stated: bool = True
    """Whether the source says so; False where it is a reading."""
    n: int | None = Field(default=None, ge=1)
    """Number of values behind a mean."""
    replicates: Replicates = "not stated"
    """What these values are."""
    split: Split = "not stated"
    """What is judged."""
    sequences: bool | None = None
    """Whether images are frames of sequences."""
    epoch: Epoch = "not stated"
    """Which epoch counts."""
    seeds: int | None = Field(default=None, ge=1)
    """Trainings of each fold, or of the one division there is."""
    validation_set: bool | None = None
    """Whether choices were made on images that are neither trained on nor judged."""
    same_design: bool = True
    """Whether all rows were trained and judged on the same images in the same way."""


class Row(_Model):
    """One printed accuracy."""

    name: Name
    """The network, as printed."""
    group: Name | None = None
    """What rows have in common that are compared: an age group, a setting."""
    mean: Annotated[float, Field(ge=0, le=100)]
    """Accuracy, in per cent."""
    plus_minus: Annotated[float, Field(ge=0, le=100)] | None = None
    """The printed ±, in points."""
    n: int | None = Field(default=None, ge=1)
    """Number of values behind this mean, where it differs from that of the design."""
    plus_minus_is: PlusMinus | None = None
    """What this ± is, where it differs from that of the design."""
    module: Name | None = None
    """Label of the block in agfer-bench, so that a report shows beside it what was measured."""


class Claim(_Model):
    """Accuracies of one table or figure of one source."""

    title: Text
    """What is claimed about what, in a few words."""
    source: Text
    """Authors, year, and a DOI or an address."""
    place: Text
    """Table, figure or section."""
    says: Text
    """What the source concludes from these numbers."""
    data: Text
    """On which images."""
    metric: Text
    """What the accuracies are."""
    design: Design
    """How the numbers came about."""
    rows: tuple[Row, ...] = Field(strict=False)
    """The accuracies, 2 to 200."""
    against: Name | None = None
    """Row that the others of its group are held against; None compares all rows of a group."""
    across_groups: bool = False
    """Whether rows of one name are also compared from group to group."""
    remarks: tuple[Text, ...] = Field(default=(), strict=False)
    """What else a reader must know."""

    @property
    def groups(self) -> tuple[str | None, ...]:
        """The groups, in the order of the rows."""
        return tuple(dict.fromkeys(row.group for row in self.rows))

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if not 2 <= len(self.rows) <= _MOST_ROWS:
            raise ValueError(f"the number of rows is {len(self.rows)}: give 2 to {_MOST_ROWS}")
        _check_names(self.rows)
        for row in self.rows:
            if row.plus_minus is not None and self.kind_of(row) == "none":
                raise ValueError(f'{row.name!r} has a ±, but plus_minus_is = "none"')
        if all(row.mean <= 1 for row in self.rows):
            raise ValueError("all means are at most 1: give per cent, 89.19 and not 0.8919")
        names = {row.name for row in self.rows}
        if self.against is not None and self.against not in names:
            raise ValueError(f"against = {self.against!r} is no row{nearest(self.against, names)}")
        if self.across_groups and None in self.groups:
            raise ValueError("across_groups = true: every row needs a group")
        if len(self.pairs) > _MOST_PAIRS:
            raise ValueError(
                f"{len(self.pairs):,} pairs are too many (at most {_MOST_PAIRS:,}): hold the rows "
                "against one with `against`, or split the file"
            )
        if not self.pairs:
            raise ValueError("nothing to compare: no two rows have a group in common")
        return self

    def kind_of(self, row: Row) -> PlusMinus:
        """Return what the ± of a row is."""
        return row.plus_minus_is or self.design.plus_minus_is

    @property
    def pairs(self) -> tuple[tuple[Row, Row], ...]:
        """The rows that are compared: within groups, then from group to group."""
        within = [pair for group in self.groups for pair in self._within(group)]
        across = self._across() if self.across_groups else []
        return (*within, *across)

    def _within(self, group: str | None) -> list[tuple[Row, Row]]:
        rows = [row for row in self.rows if row.group == group]
        pairs = _combined(rows)
        if self.against is None:
            return pairs
        first = [row for row in rows if row.name == self.against]
        return [(one, other) for one in first for other in rows if other is not one]

    def _across(self) -> list[tuple[Row, Row]]:
        names = dict.fromkeys(row.name for row in self.rows)
        return [
            pair
            for name in names
            for pair in _combined([row for row in self.rows if row.name == name])
        ]


def _combined(rows: Sequence[Row]) -> list[tuple[Row, Row]]:
    return [(one, other) for number, one in enumerate(rows) for other in rows[number + 1 :]]


def _check_names(rows: Sequence[Row]) -> None:
    seen: set[tuple[str | None, str]] = set()
    for row in rows:
        if (row.group, row.name) in seen:
            where = f" of group {row.group!r}" if row.group else ""
            raise ValueError(f"row {row.name!r}{where} is given twice")
        seen.add((row.group, row.name))
