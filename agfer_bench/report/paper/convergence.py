"""Head start or higher ceiling: curves to the cap, verdicts, and base trained for long."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from agfer_bench.comparison.contrasts import between_protocols
from agfer_bench.comparison.convergence import Convergence, NetworkCurves
from agfer_bench.comparison.outcomes import Entrant
from agfer_bench.records.run import BASE, RunRecord
from agfer_bench.report.convergence_table import (
    caption_of,
    frame_of,
    label_columns,
    notes_of,
    tables_of,
)
from agfer_bench.report.notes import DRAWN_NOTICE
from agfer_bench.report.paper.document import Picture, Plate, Section, Table
from agfer_bench.report.paper.draw_convergence import Band, draw_convergence
from agfer_bench.report.paper.measured import NONE, over_folds, signed
from agfer_bench.report.paper.published import published
from agfer_bench.report.paper.study import Study

_NOT_RUN = (
    "Whether blocks are ahead sooner or for good was not asked: `agfer-bench paper --converge` "
    "trains until nothing more comes, and --base-epochs 450 trains base as long as the paper did."
)


def convergence_section(study: Study) -> Section:
    """Whether the blocks are ahead sooner or for good, and what base reaches when it has time."""
    found, long_base = study.convergence, study.long_base
    text: list[str] = [study.no_convergence] if study.no_convergence else []
    items: list[Table | Plate] = []
    if found is not None:
        items = [curve_plate(found), *_tables(found)]
    if long_base is not None:
        known = published().fitting
        text.append(
            f"The paper ({known.reference}) says of base: {known.base_accuracy} % after "
            f"{known.epochs} epochs, and after {known.base_long_epochs} an accuracy similar to "
            "that of the networks with attention. It prints no number for the latter."
        )
        items.append(_long_base(study, long_base))
    if not text and not items:
        text.append(_NOT_RUN)
    return Section(title="Head start or higher ceiling", text=tuple(text), items=tuple(items))


def _tables(found: Convergence) -> list[Table]:
    """Return the tables, the sentences below the first."""
    notes = tuple(note for note in notes_of(found) if note != DRAWN_NOTICE)
    frame = frame_of(found)
    return [
        Table(
            name=f"convergence-{number}",
            title=heading,
            columns=tuple(columns),
            rows=tuple(map(tuple, lines)),
            labels=label_columns(columns),
            notes=notes if number == 1 else (),
            data=frame,
        )
        for number, (heading, (columns, *lines)) in enumerate(tables_of(found), start=1)
    ]


def _long_base(study: Study, record: RunRecord) -> Table:
    """Return base after many epochs beside all networks after the study's."""
    base = record.modules[0]
    epochs = record.protocol.epochs
    long = Entrant(label=BASE, module=base, record=record)
    entries = [(study.main, one) for one in study.main.modules if one.kind == "attention"]
    rows, data = [], []
    for run, module in [(record, base), *entries]:
        mean = over_folds(module, run, lambda fold: fold.accuracy, 100)
        difference = None
        if module is not base and module.complete(run.protocol) and base.complete(record.protocol):
            other = Entrant(label=module.label, module=module, record=run)
            difference = between_protocols(long, other)
        low, high = (difference.interval() if difference else None) or (None, None)
        cell = NONE if difference is None else signed(100 * difference.estimate, 1)
        if low is not None and high is not None:
            cell += f" [{signed(100 * low, 1)}, {signed(100 * high, 1)}]"
        mean_text = mean.text() if mean else NONE
        rows.append((module.label, str(run.protocol.epochs), mean_text, cell))
        data.append(
            {
                "module": module.label,
                "epochs": run.protocol.epochs,
                "accuracy_percent": mean.mean if mean else None,
                "sd_points": mean.sd if mean else None,
                "long_base_less_it": 100 * difference.estimate if difference else None,
                "low": None if low is None else 100 * low,
                "high": None if high is None else 100 * high,
            }
        )
    return Table(
        name="long-base",
        title=f"Base after {epochs} epochs",
        columns=("Module", "Epochs", "Accuracy % ± SD", f"Base at {epochs} less it [95 %]"),
        rows=tuple(rows),
        notes=(
            f"Base was trained anew for {epochs} epochs, all else as in the protocol; a schedule "
            "or warm-up stretches with it. ± is the sample standard deviation over folds. "
            "Intervals are in points, over new people and new trainings, not adjusted for the "
            "number of lines; a dash stands where folds were trained once (--seeds 3) or people "
            "are not known.",
        ),
        data=pd.DataFrame(data),
    )


def curve_plate(found: Convergence) -> Plate:
    """Return the learning curves as a figure."""
    bands = [_band(one) for one in found.networks]
    data = [
        {
            "module": band.label,
            "epoch": epoch,
            "operations": epoch * band.operations,
            "accuracy_percent": mean,
            "sd_points": sd,
        }
        for band in bands
        for epoch, (mean, sd) in enumerate(zip(band.mean_E, band.sd_E, strict=True), start=1)
    ]
    decides = None if found.decides is None else 100 * found.decides
    return Plate(
        name="convergence",
        title="Learning curves until nothing more comes",
        caption=caption_of(found),
        pictures=(
            Picture(
                name="convergence",
                alt="Validation accuracy against epochs and against operations, a line for each "
                "network; below, each block with base.",
                draw=partial(
                    draw_convergence,
                    bands,
                    chance=100 * found.base.chance,
                    epochs=found.epochs,
                    decides=decides,
                ),
            ),
        ),
        data=pd.DataFrame(data),
    )


def _band(one: NetworkCurves) -> Band:
    smooth_TE = 100 * np.array([curve.smooth for fold in one.curves for curve in fold])
    several = len(smooth_TE) > 1
    plateau = float(one.plateau_KS.mean())
    return Band(
        label=one.label,
        operations=one.operations,
        mean_E=smooth_TE.mean(axis=0),
        sd_E=smooth_TE.std(axis=0, ddof=1) if several else np.zeros(smooth_TE.shape[1]),
        plateau=None if np.isnan(plateau) else plateau,
    )
