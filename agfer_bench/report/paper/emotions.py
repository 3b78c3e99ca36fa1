"""Figure 7: accuracy per emotion on the validation folds."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd

from agfer_bench.records.run import ModuleRecord, RunRecord
from agfer_bench.report.paper.document import Picture, Plate, Section, Table
from agfer_bench.report.paper.draw_bars import Bar, draw_bars
from agfer_bench.report.paper.measured import COMPARED, Comparison, over_folds
from agfer_bench.report.paper.published import published
from agfer_bench.report.paper.study import Study

_MEAN = "mean"


def emotion_section(study: Study) -> Section:
    """Figure 7 and its numbers."""
    compared = _compared(study.main)
    data = pd.DataFrame(
        [{"module": module, "emotion": emotion} | one.data() for module, emotion, one in compared]
    )
    return Section(
        title="Accuracy on the validation folds",
        items=(_plate(study, compared, data), _table(study, compared, data)),
    )


def _compared(record: RunRecord) -> list[tuple[str, str, Comparison]]:
    known = published().figure_7
    return [
        (module.label, emotion, _one(module, record, number, values.get(module.label)))
        for module in record.modules
        for number, emotion, values in [
            *((n, name, known.classes.get(name, {})) for n, name in enumerate(record.data.classes)),
            (None, _MEAN, known.mean),
        ]
    ]


def _one(module: ModuleRecord, record: RunRecord, number: int | None, value: Any) -> Comparison:
    measured = over_folds(
        module, record, lambda fold: fold.accuracy if number is None else fold.recalls[number], 100
    )
    return Comparison(measured=measured, published=value, folds=published().folds)


def _plate(study: Study, compared: list[tuple[str, str, Comparison]], data: pd.DataFrame) -> Plate:
    record = study.main
    images = sum(record.data.images_kept.values())
    bars = [Bar(module=module, group=group, value=one) for module, group, one in compared]
    return Plate(
        name="figure-7",
        title="Figure 7: accuracy per emotion",
        caption=(
            f"Bars: recall of each emotion and their mean, mean over {record.protocol.folds} "
            f"folds of {record.data.name} ({images:,} images, each validated once). Error bars: ± "
            "one sample standard deviation over folds, cut off at the frame. Diamonds: "
            "published values, as far as the "
            f"paper gives numbers ({published().figure_7.reference}), with their printed "
            "deviation."
        ),
        pictures=(
            Picture(
                name="figure-7",
                alt="Bars of accuracy per emotion and module; the numbers are in the table below.",
                draw=partial(draw_bars, bars, chance=100 / len(record.data.classes)),
            ),
        ),
        data=data,
    )


def _table(study: Study, compared: list[tuple[str, str, Comparison]], data: pd.DataFrame) -> Table:
    known = published().figure_7
    order = [_MEAN, *study.main.data.classes]
    rows = [
        (emotion, module, *one.cells())
        for wanted in order
        for module, emotion, one in compared
        if emotion == wanted
    ]
    return Table(
        name="figure-7-table",
        title="Figure 7 in numbers: accuracy per emotion",
        columns=("Emotion", "Module", "Measured % ± SD", *COMPARED),
        rows=tuple(rows),
        labels=2,
        notes=(
            "Recall on the validation folds after the last epoch; ± is the sample standard "
            f"deviation (SD) over {study.main.protocol.folds} folds. Of the other emotions the "
            "paper says that the networks with attention exceed "
            f"{known.other_classes_above:g} %, and draws bars without numbers.",
        ),
        data=data,
    )
