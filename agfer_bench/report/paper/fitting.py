"""How the networks fitted: over-fit, learning curves, epochs and seconds to an accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import Any

import pandas as pd

from agfer_bench.records.run import OVERFIT_POINTS, FoldRecord, RunRecord
from agfer_bench.report.paper.document import Picture, Plate, Section, Table
from agfer_bench.report.paper.draw_curves import Curve, draw_curves
from agfer_bench.report.paper.measured import NONE, over_folds, spread
from agfer_bench.report.paper.published import published
from agfer_bench.report.paper.study import Study
from agfer_bench.report.paper.welch import Spread

THRESHOLDS = (30, 50, 70, 80, 90)
"""Validation accuracies in per cent whose first crossing is looked for."""

_COLUMNS = (
    "threshold_percent",
    "module",
    "epochs_mean",
    "seconds_mean",
    "folds_reached",
    "folds",
)


def overfit_section(study: Study) -> Section:
    """The over-fit criterion, module by module."""
    rows, data = [], []
    for module in study.main.modules:
        train = over_folds(module, study.main, lambda fold: fold.train_accuracy, 100)
        judged = over_folds(module, study.main, lambda fold: fold.accuracy, 100)
        gap = over_folds(module, study.main, lambda fold: fold.train_accuracy - fold.accuracy, 100)
        fits = not module.overfit if gap else None
        verdict = NONE if fits is None else "yes" if fits else "no"
        rows.append((module.label, _text(train), _text(judged), _text(gap), verdict))
        data.append(
            {
                "module": module.label,
                "training_accuracy": train.mean if train else None,
                "validation_accuracy": judged.mean if judged else None,
                "gap_points": gap.mean if gap else None,
                "gap_sd": gap.sd if gap else None,
                "within_limit": fits,
            }
        )
    table = Table(
        name="over-fit",
        title="Section 2.6: the over-fit criterion",
        columns=(
            "Module",
            "Training % ± SD",
            "Validation % ± SD",
            "Gap, points ± SD",
            f"Below {OVERFIT_POINTS:g} points",
        ),
        rows=tuple(rows),
        notes=(
            "Training accuracy is measured like the validation accuracy: in evaluation mode, "
            "unmasked, after the last epoch. ± is the sample standard deviation (SD) over "
            f"{study.main.protocol.folds} folds. The paper states the criterion and no numbers.",
        ),
        data=pd.DataFrame(data),
    )
    return Section(title="Over-fit", items=(table,))


def fitting_section(study: Study) -> Section:
    """Learning curves, and how soon an accuracy is reached."""
    known, record = published().fitting, study.main
    text: tuple[str, ...] = (
        f"The paper ({known.reference}): after {known.epochs} epochs base reaches "
        f"{known.base_accuracy} %, far below the networks with attention; after "
        f"{known.base_long_epochs} epochs its accuracy is similar to theirs. It prints no curves. "
        f"This study: {record.protocol.epochs} epochs.",
    )
    points = curve_points(record)
    if not points:
        text += ("No learning curves were recorded (curve_every=0).",)
        return Section(title="Speed of fitting", text=text)
    return Section(
        title="Speed of fitting", text=text, items=(_plate(record, points), _table(record, points))
    )


@dataclass(frozen=True, kw_only=True)
class Point:
    """One validation of one network during training."""

    module: str
    """Label of the module."""
    fold: int
    """Number of the fold, counted from 1."""
    epoch: int
    """Epochs trained, from 1."""
    seconds: float
    """Training time until then."""
    accuracy: float
    """Validation accuracy in per cent."""


def curve_points(record: RunRecord) -> list[Point]:
    """All validations during training, of all folds that were trained."""
    return [
        point for module in record.modules for fold in module.folds for point in _of(fold, module)
    ]


def _of(fold: FoldRecord, module: Any) -> list[Point]:
    times = accumulate(epoch.seconds for epoch in fold.history)
    return [
        Point(
            module=module.label,
            fold=fold.fold + 1,
            epoch=number,
            seconds=seconds,
            accuracy=100 * epoch.validation_accuracy,
        )
        for number, (epoch, seconds) in enumerate(zip(fold.history, times, strict=True), start=1)
        if epoch.validation_accuracy is not None
    ]


def _plate(record: RunRecord, points: list[Point]) -> Plate:
    curves = []
    for module in record.modules:
        own = [point for point in points if point.module == module.label]
        epochs = sorted({point.epoch for point in own})
        spreads = [spread([p.accuracy for p in own if p.epoch == epoch]) for epoch in epochs]
        kept = tuple(one for one in spreads if one is not None)
        curves.append(Curve(module=module.label, epochs=tuple(epochs), values=kept))
    partly = [m.label for m in record.modules if 0 < len(m.folds) < record.protocol.folds]
    without = f" Over fewer folds: {', '.join(partly)}, which failed." if partly else ""
    seed = " Of the first seed alone." if record.protocol.seeds > 1 else ""
    return Plate(
        name="learning-curves",
        title="Learning curves (not in the paper)",
        caption=f"Mean recall on the validation folds of {record.data.name} after an epoch, mean "
        f"over {record.protocol.folds} folds; bands: ± one sample standard deviation over folds. "
        f"Dotted: chance.{without}{seed}",
        pictures=(
            Picture(
                name="learning-curves",
                alt="Validation accuracy against epochs, a line for each module.",
                draw=partial(draw_curves, curves, chance=100 / len(record.data.classes)),
            ),
        ),
        data=pd.DataFrame([vars(point) for point in points]),
    )


def _table(record: RunRecord, points: list[Point]) -> Table:
    highest = max(point.accuracy for point in points)
    thresholds = [one for one in THRESHOLDS if one <= highest]
    rows, data = [], []
    networks = [module for module in record.modules if module.kind == "attention"]
    for threshold in thresholds:
        for module in networks:
            own = [point for point in points if point.module == module.label]
            first = first_crossings(own, threshold)
            epochs, seconds = (
                spread(getattr(point, name) for point in first) for name in ("epoch", "seconds")
            )
            reached = f"{len(first)} of {record.protocol.folds} folds"
            cells = (_text(epochs, 1), _text(seconds, 1), reached)
            rows.append((f"{threshold} %", module.label, *cells))
            means = (one.mean if one else None for one in (epochs, seconds))
            data.append((threshold, module.label, *means, len(first), record.protocol.folds))
    every = record.protocol.curve_every
    return Table(
        name="fitting-speed",
        title="Epochs and seconds to reach an accuracy (not in the paper)",
        columns=("Reaches", "Module", "Epochs ± SD", "Training s ± SD", "Reached in"),
        rows=tuple(rows),
        labels=2,
        notes=(
            "First epoch whose validation accuracy is at least the threshold; mean ± sample "
            "standard deviation (SD) over the folds that reached it, so that means over few "
            f"folds flatter. Of {', '.join(map(str, THRESHOLDS))} % those that any network "
            f"reached. Judged after every {'epoch' if every == 1 else f'{every} epochs'}; seconds "
            f"are of training alone, on {record.environment.device_name}.",
        ),
        data=pd.DataFrame(data, columns=_COLUMNS),
    )


def first_crossings(points: list[Point], threshold: float) -> list[Point]:
    """The first point of each fold at or above a threshold in per cent; folds without drop out."""
    first: dict[int, Point] = {}
    for point in points:
        # 1e-9: a share of exactly the threshold must not miss it by rounding.
        if point.accuracy >= threshold - 1e-9:
            first.setdefault(point.fold, point)
    return list(first.values())


def _text(value: Spread | None, digits: int = 2) -> str:
    return value.text(digits) if value else NONE
