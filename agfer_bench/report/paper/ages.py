"""Table 2: accuracy on the second data set, which had no part in training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from agfer_bench.records.run import ALL_AGES, ModuleRecord
from agfer_bench.report.numbers import count
from agfer_bench.report.paper.document import Section, Table
from agfer_bench.report.paper.margins import margin_table, overall_accuracy
from agfer_bench.report.paper.measured import (
    COMPARED,
    NONE,
    Comparison,
    complete_folds,
    over_folds,
    summed,
)
from agfer_bench.report.paper.published import Value, published
from agfer_bench.report.paper.study import Study

_NAMES = {"young": "Young", "middle": "Middle-aged", "old": "Old", ALL_AGES: "All ages"}


def age_section(study: Study) -> Section:
    """Table 2, and the predictions of classes that the second data set lacks."""
    title = "Cross-database test"
    if study.main.test is None:
        return Section(title=title, text=("No second data set was given.",))
    tables = [_age_table(study), margin_table(study.main)]
    if study.main.absent_classes:
        tables.append(_absent_table(study))
    return Section(title=title, items=tuple(tables))


def _age_table(study: Study) -> Table:
    known, groups = published().table_2, _groups(study)
    rows, data = [], []
    for module in study.main.modules:
        for group in groups:
            value = known.groups.get(group, {}).get(module.label)
            compared = _of_group(module, study, group, value)
            rows.append((module.label, _NAMES.get(group, group), *compared.cells()))
            data.append({"module": module.label, "age_group": group} | compared.data())
        if groups == [ALL_AGES]:
            continue
        overall = Comparison(
            measured=over_folds(module, study.main, overall_accuracy, 100),
            published=known.overall.get(module.label),
            folds=published().folds,
            marked=True,
        )
        rows.append((module.label, "Mean", *overall.cells()))
        data.append({"module": module.label, "age_group": "mean"} | overall.data())
    return Table(
        name="table-2",
        title="Table 2: cross-database accuracy by age group",
        columns=("Module", "Age group", "Measured % ± SD", *COMPARED),
        rows=tuple(rows),
        labels=2,
        notes=_notes(study, known.overall),
        data=pd.DataFrame(data),
    )


def _groups(study: Study) -> list[str]:
    """Age groups in the order of the second data set."""
    test = study.main.test
    known = list(test.groups) if test else []
    found = [
        group
        for module in study.main.modules
        for fold in module.folds
        for group in fold.test_confusions or {}
    ]
    return list(dict.fromkeys([*known, *found])) or [ALL_AGES]


def _of_group(module: ModuleRecord, study: Study, group: str, value: Value | None) -> Comparison:
    measured = over_folds(
        module, study.main, lambda fold: fold.test_accuracies.get(group, np.nan), 100
    )
    return Comparison(measured=measured, published=value, folds=published().folds)


def _notes(study: Study, overall: Mapping[str, Value]) -> tuple[str, ...]:
    test, protocol = study.main.test, study.main.protocol
    assert test is not None
    sizes = ", ".join(
        f"{_NAMES.get(group, group)} {count(n)}" for group, n in test.groups.items()
    ) or count(sum(test.images_kept.values()))
    notes = [
        f"Networks trained on {study.main.data.name}, tested on {test.name} (images: {sizes}). "
        "Accuracy: mean recall over the classes that it has; ± is the sample standard deviation "
        f"(SD) over {protocol.folds} folds."
    ]
    if _groups(study) != [ALL_AGES]:
        notes.append(
            "Mean: in each fold the mean of the age groups, each counting alike; then mean ± SD "
            "over folds."
        )
        notes.append(
            "* The deviation that the paper prints with its overall mean is the average of its "
            "age groups' deviations. A deviation over folds can be no larger: the interval "
            "of this row rests on a deviation that is too large, if anything."
            if overall
            else ""
        )
    return tuple(filter(None, notes))


def _absent_table(study: Study) -> Table:
    """How often networks answered with a class that cannot be right."""
    rows, data = [], []
    classes = study.main.data.classes
    for module in study.main.modules:
        for name in study.main.absent_classes:
            predicted, images = _absent(module, study, classes.index(name))
            share = 100 * predicted / images if predicted is not None and images else None
            cells = (count(predicted), count(images), NONE if share is None else f"{share:.2f}")
            rows.append((module.label, name, *cells))
            row: dict[str, Any] = {"module": module.label, "class": name}
            data.append(row | {"predicted": predicted, "images": images, "share_percent": share})
    frame = pd.DataFrame(data)
    return Table(
        name="table-2-absent-classes",
        title="Section 3.2: predictions of classes that the second data set lacks",
        columns=("Module", "Class", "Predicted", "Of images", "Share %"),
        rows=tuple(rows),
        labels=2,
        notes=(
            "Summed over folds, so that each image counts once a training. Every such prediction "
            "is wrong. The paper names the lack and gives no number.",
        ),
        data=frame.astype({"predicted": "Int64", "images": "Int64"}),
    )


def _absent(module: ModuleRecord, study: Study, number: int) -> tuple[int | None, int | None]:
    """Images given the class, and images in all, over folds; None for a module without folds."""
    matrices = [
        confusion
        for fold in complete_folds(module, study.main)
        for confusion in (fold.test_confusions or {}).values()
    ]
    total = summed(matrices)
    return (None, None) if total is None else (int(total[:, number].sum()), int(total.sum()))
