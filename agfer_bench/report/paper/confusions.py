"""Figures 8 and 9: confusion matrices summed over folds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agfer_bench.records.run import Confusion, FoldRecord
from agfer_bench.report.paper.document import Picture, Plate, Section, slug
from agfer_bench.report.paper.draw_confusion import draw_confusion
from agfer_bench.report.paper.measured import complete_folds, summed
from agfer_bench.report.paper.study import Study

Matrix = NDArray[np.int64]


def confusion_section(study: Study) -> Section:
    """Figure 8 on the validation folds, figure 9 on the second data set."""
    protocol, data = study.main.protocol, study.main.data.name
    trained = f"{protocol.folds} folds"
    if protocol.seeds > 1:
        trained += f" and {protocol.seeds} seeds"
    plates = [
        _plate(
            study,
            lambda fold: [fold.confusion],
            name="figure-8",
            title=f"Figure 8: confusion matrices, validation folds of {data}",
            caption=f"Summed over {trained}, so that each image counts {_often(protocol.seeds)}.",
        )
    ]
    text: tuple[str, ...] = ("No second data set was given: there is no figure 9.",)
    if study.main.test is not None:
        text = ()
        absent = study.main.absent_classes
        empty = f" The set has no images of {', '.join(absent)}: empty row." if absent else ""
        plates.append(
            _plate(
                study,
                lambda fold: list((fold.test_confusions or {}).values()),
                name="figure-9",
                title=f"Figure 9: confusion matrices, {study.main.test.name}",
                caption=f"Summed over {trained}, so that each image counts "
                f"{_often(protocol.folds * protocol.seeds)}.{empty}",
            )
        )
    return Section(title="Confusion matrices", text=text, items=tuple(plates))


def _often(times: int) -> str:
    return "once" if times == 1 else f"{times} times"


def _plate(
    study: Study,
    matrices: Callable[[FoldRecord], list[Confusion]],
    *,
    name: str,
    title: str,
    caption: str,
) -> Plate:
    classes = study.main.data.classes
    pictures, frames, failed = [], [], []
    for number, module in enumerate(study.main.modules):
        folds = complete_folds(module, study.main)
        total = summed([matrix for fold in folds for matrix in matrices(fold)])
        if total is None:
            failed.append(module.label)
            continue
        pictures.append(
            Picture(
                name=f"{name}-{number + 1}-{slug(module.label)}",
                alt=f"Confusion matrix of {module.label}; its numbers are in data/{name}.csv.",
                draw=partial(draw_confusion, total, classes, module.label),
            )
        )
        frames.append(_tidy(total, classes, module.label))
    without = f" Not trained on all folds: {', '.join(failed)}." if failed else ""
    return Plate(
        name=name,
        title=title,
        caption=f"{caption} Rows: true classes; columns: predicted ones. Above the count, below "
        "the per cent of the row, which is also the shade. Blank: none. The paper shows AGFER and "
        f"CBAM.{without}",
        pictures=tuple(pictures),
        data=pd.concat(frames, ignore_index=True) if frames else None,
    )


def _tidy(total: Matrix, classes: tuple[str, ...], label: str) -> pd.DataFrame:
    images = total.sum(axis=1)
    rows: list[dict[str, Any]] = [
        {
            "module": label,
            "true": true,
            "predicted": predicted,
            "images": int(total[i, j]),
            "row_percent": 100 * int(total[i, j]) / int(images[i]) if images[i] else None,
        }
        for i, true in enumerate(classes)
        for j, predicted in enumerate(classes)
    ]
    return pd.DataFrame(rows)
