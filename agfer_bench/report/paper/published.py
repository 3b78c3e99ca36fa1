"""The published numbers: accuracies from the shipped claims, all others from `published.toml`.

No number stands in both.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from agfer_bench.claims.model import Row
from agfer_bench.claims.read import shipped
from agfer_bench.report.paper.welch import Spread

Count = Annotated[int, Field(ge=0)]
"""A number of things."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Value(_Model):
    """A printed mean."""

    mean: float
    """The mean, in the unit of its table."""
    sd: float | None = Field(default=None, ge=0)
    """The printed deviation in the same unit; None where there is none."""

    def over(self, n: int) -> Spread:
        """Return mean and deviation as those of n values."""
        return Spread(mean=self.mean, sd=self.sd, n=n)


Values = dict[str, Value]
"""By module."""


class Part(_Model):
    """A part of the paper that holds numbers."""

    reference: str
    """Table, figure or section."""


class DataSet(_Model):
    """One of the two data sets in Table 1."""

    name: str
    """Name of the data set."""
    before: dict[str, Count]
    """Photographs per emotion before cropping."""
    before_total: int
    """Their printed total."""
    after: dict[str, Count]
    """Images per emotion after cropping."""
    after_total: int
    """Their printed total."""
    loss: float
    """What cropping lost, in per cent."""
    share: Value
    """Share of a class, mean and deviation over the classes, in per cent."""


class Table1(Part):
    """Class counts."""

    training: DataSet
    """The data set of training and validation."""
    test: DataSet
    """The data set of the cross-database test."""


class Figure7(Part):
    """Accuracy per emotion, in per cent: as far as the text gives numbers."""

    mean: Values
    """Mean over all emotions."""
    classes: dict[str, Values]
    """Of single emotions."""
    other_classes_above: float
    """What the networks with attention exceed on the other emotions."""


class Table2(Part):
    """Cross-database accuracy, in per cent."""

    groups: dict[str, Values]
    """By age group."""
    overall: Values
    """Mean over the age groups; the deviation is the mean of the groups' deviations."""


class FacesMargins(Part):
    """What AGFER has more than the others on FACES, in points."""

    over: dict[str, float]
    """By the other module."""
    over_attention: float
    """Mean over the two other modules with attention."""


class Method(_Model):
    """A row of Table 3."""

    method: str
    """The authors, as printed."""
    accuracy: float
    """In per cent."""


class Table3(Part):
    """Other people's methods."""

    rows: tuple[Method, ...]
    """As printed."""


class Table4(Part):
    """Accuracy at both strides, in per cent."""

    strides: dict[str, Values]
    """By stride."""


class Efficiency(Part):
    """Cost."""

    hz: dict[str, float]
    """Images a second."""
    layers: dict[str, int]
    """Layers."""
    training_minutes: dict[str, float]
    """Mean training time of a network, in minutes."""
    base_layers: int
    """Layers of VGG16 as made for ImageNet."""
    base_parameters: int
    """Parameters of VGG16 as made for ImageNet."""


class CbamOverAgfer(Part):
    """What CBAM has more than AGFER."""

    accuracy: Value
    """In points."""
    parameters: float
    """In per cent."""


class Fitting(Part):
    """Speed of fitting."""

    epochs: int
    """Epochs that all networks were trained."""
    base_accuracy: float
    """What base reached then, in per cent."""
    base_long_epochs: int
    """Epochs after which base was similar to the others."""


class Published(_Model):
    """All published numbers."""

    doi: str
    """DOI of the paper."""
    citation: str
    """Authors, year, place."""
    folds: Annotated[int, Field(ge=2)]
    """Folds of the cross-validation: means and deviations over folds are of so many networks."""
    machine: str
    """Machine and software of the published times."""
    table_1: Table1
    """Class counts."""
    figure_7: Figure7
    """Accuracy per emotion."""
    table_2: Table2
    """Cross-database accuracy."""
    faces_margins: FacesMargins
    """AGFER less the others in Table 2."""
    table_3: Table3
    """Other people's methods."""
    table_4: Table4
    """Accuracy at both strides."""
    efficiency: Efficiency
    """Cost."""
    cbam_over_agfer: CbamOverAgfer
    """What CBAM has more than AGFER."""
    fitting: Fitting
    """Speed of fitting."""


@cache
def published() -> Published:
    """Load the published numbers."""
    path = files("agfer_bench.report.paper") / "published.toml"
    values = tomllib.loads(path.read_text(encoding="utf-8"))
    for part, accuracies in _accuracies().items():
        values[part] |= accuracies
    return Published.model_validate(values)


def _accuracies() -> dict[str, dict[str, Any]]:
    """Return the accuracies of the shipped claims, laid out as the parts of the paper."""
    figure_7, table_2, table_4 = (
        _by_group(f"agfer-{name}") for name in ("figure-7", "table-2", "table-4")
    )
    return {
        "figure_7": {
            "mean": figure_7["all emotions"],
            "classes": {"neutral": figure_7["neutral"]},
        },
        "table_2": {"overall": table_2.pop("overall"), "groups": table_2},
        "table_3": {
            "rows": [
                {"method": row.name, "accuracy": row.mean} for row in shipped("agfer-table-3").rows
            ]
        },
        "table_4": {
            "strides": {group.removeprefix("stride "): rows for group, rows in table_4.items()}
        },
    }


def _by_group(name: str) -> dict[str, dict[str, Any]]:
    """Return the rows of a claim by group and module."""
    found: dict[str, dict[str, Any]] = {}
    for row in shipped(name).rows:
        assert row.group is not None
        assert row.module is not None
        found.setdefault(row.group, {})[row.module] = _value(row)
    return found


def _value(row: Row) -> dict[str, float | None]:
    return {"mean": row.mean, "sd": row.plus_minus}
