"""Tables 3 and 4: other people's methods, and the overall stride."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import pandas as pd

from agfer_bench.records.run import FoldRecord, ModuleRecord, RunRecord
from agfer_bench.report.paper.document import Section, Table
from agfer_bench.report.paper.measured import (
    COMPARED,
    NONE,
    Comparison,
    find_module,
    over_folds,
    spread,
)
from agfer_bench.report.paper.published import Value, published
from agfer_bench.report.paper.study import Study
from agfer_bench.report.paper.welch import Spread


def method_section(study: Study) -> Section:
    """Table 3."""
    record = study.main
    agfer = find_module(record, "agfer")
    measured = accuracy(agfer, record) if agfer else None
    known = published().table_3
    rows = [(row.method, f"{row.accuracy:.2f}", "published") for row in known.rows]
    data = [
        {"method": row.method, "accuracy_percent": row.accuracy, "sd": None, "origin": "published"}
        for row in known.rows
    ]
    mean, sd = (measured.mean, measured.sd) if measured else (None, None)
    rows.append(("agfer, this study", measured.text() if measured else NONE, "measured"))
    data.append({"method": "agfer", "accuracy_percent": mean, "sd": sd, "origin": "measured"})
    last = known.rows[-1]
    # The paper's own row is AGFER's mean in figure 7, which is printed with its deviation.
    compared = Comparison(
        measured=measured,
        published=published().figure_7.mean["agfer"],
        folds=published().folds,
    )
    _, _, difference, interval = compared.cells()
    table = Table(
        name="table-3",
        title="Table 3: other approaches on OULU-CASIA, as the paper lists them",
        columns=("Approach", "Mean accuracy %", "Origin"),
        rows=tuple(rows),
        notes=(
            "Other protocols (most: ten subject-independent folds): not comparable. Numbers in "
            "brackets are the paper's references.",
            f"Measured on {record.data.name}, {record.protocol.folds} {record.protocol.split} "
            "folds; ± is the sample standard deviation over folds. Difference to the paper's own "
            f"row, {last.accuracy}: {difference} points, 95 % interval of it: {interval}.",
        ),
        data=pd.DataFrame(data),
    )
    return Section(title="Other approaches", items=(table,))


def stride_section(study: Study) -> Section:
    """Table 4, and what halving the stride brings."""
    known = published().table_4
    records = [run.record for run in study.runs]
    rows, data = [], []
    for label in dict.fromkeys(module.label for record in records for module in record.modules):
        for record in records:
            module = find_module(record, label)
            if module is None:
                continue
            stride = str(record.protocol.stride)
            compared = Comparison(
                measured=accuracy(module, record),
                published=known.strides.get(stride, {}).get(label),
                folds=published().folds,
            )
            rows.append((label, stride, *compared.cells()))
            data.append({"module": label, "stride": stride} | compared.data())
        if len(records) == 2:
            compared = _change(label, records[0], records[1])
            name = f"{records[0].protocol.stride} less {records[1].protocol.stride}"
            rows.append((label, name, *compared.cells()))
            data.append({"module": label, "stride": name} | compared.data())
    text = ("Only one stride was run.",) if len(records) == 1 else ()
    table = Table(
        name="table-4",
        title="Table 4: accuracy at both overall strides",
        columns=("Module", "Stride", "Measured % ± SD", *COMPARED),
        rows=tuple(rows),
        labels=2,
        notes=(
            f"Mean recall on the validation folds of {study.main.data.name}; ± is the sample "
            f"standard deviation (SD) over {study.main.protocol.folds} folds. The paper "
            "leaves base out of this table.",
            *(
                (
                    "Differences between strides are paired: taken fold by fold, in points. The "
                    "published one is the difference of the printed means, without a deviation: "
                    "no interval.",
                )
                if len(records) == 2
                else ()
            ),
        ),
        data=pd.DataFrame(data),
    )
    return Section(title="Overall stride", text=text, items=(table,))


def accuracy(module: ModuleRecord, record: RunRecord) -> Spread | None:
    """Accuracy in per cent over all folds; None for a module that lacks some."""
    return over_folds(module, record, _accuracy, 100)


def _accuracy(fold: FoldRecord) -> float:
    return fold.accuracy


def paired(first: ModuleRecord, second: ModuleRecord) -> Spread | None:
    """Accuracy of `first` less that of `second` in points, over the folds that both have.

    With several seeds it is averaged over the seeds of each fold first. None where they were not
    judged on the same images.
    """
    differences = paired_folds(first, second, _accuracy)
    return None if differences is None else spread(differences)


def paired_folds(
    first: ModuleRecord, second: ModuleRecord, read: Callable[[FoldRecord], float]
) -> list[float] | None:
    """Differences of a share in points, one for each fold; None as `paired`."""
    one, other = (_by_split(module, read) for module in (first, second))
    if set(one) != set(other):
        return None
    return [100 * (one[split] - other[split]) for split in sorted(one)]


def _by_split(module: ModuleRecord, read: Callable[[FoldRecord], float]) -> dict[str, float]:
    """Return a number for each set of validation images: its mean over seeds."""
    found: dict[str, list[float]] = {}
    for fold in module.trainings:
        found.setdefault(fold.split_sha256, []).append(read(fold))
    return {split: statistics.mean(values) for split, values in found.items()}


def _change(label: str, first: RunRecord, second: RunRecord) -> Comparison:
    one, other = find_module(first, label), find_module(second, label)
    complete = (
        one is not None
        and other is not None
        and one.complete(first.protocol)
        and other.complete(second.protocol)
    )
    strides = published().table_4.strides
    values = [strides.get(str(r.protocol.stride), {}).get(label) for r in (first, second)]
    printed = None
    if values[0] is not None and values[1] is not None:
        printed = Value(mean=values[0].mean - values[1].mean)
    measured = paired(one, other) if complete and one and other else None
    return Comparison(measured=measured, published=printed)
