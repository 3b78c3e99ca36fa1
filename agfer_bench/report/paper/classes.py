"""Table 1: how many photographs of each emotion there are, and how many cropping leaves."""

from __future__ import annotations

from typing import Any

import pandas as pd

from agfer_bench.report.numbers import count
from agfer_bench.report.paper.document import Section, Table
from agfer_bench.report.paper.measured import COMPARED, NONE, Comparison, signed, spread
from agfer_bench.report.paper.published import DataSet, Value, published
from agfer_bench.report.paper.study import Study

_TOTAL = "all"
_STAGES = ("photographs", "kept")
_LABELS = {"photographs": "Before cropping", "kept": "After cropping"}


def class_section(study: Study) -> Section:
    """Table 1 of both data sets."""
    known = published().table_1
    sets = [("training", study.main.data.name, study.counts, known.training)]
    if study.test_counts is not None and study.main.test is not None:
        sets.append(("test", study.main.test.name, study.test_counts, known.test))
    tables = [_class_table(*one) for one in sets]
    text = ("No second data set was given.",) if len(sets) == 1 else ()
    return Section(
        title="Class counts",
        text=text,
        items=(*tables, _loss_table([one[1:] for one in sets])),
    )


def _class_table(part: str, name: str, counts: pd.DataFrame, known: DataSet) -> Table:
    rows, data = [], []
    for emotion in [str(label) for label in counts.index]:
        cells = [emotion]
        for stage in _STAGES:
            measured = _cell(counts, emotion, stage)
            printed = _printed(known, emotion, stage)
            difference = None if printed is None else measured - printed
            if stage == "photographs" and emotion != _TOTAL and _withheld(known):
                difference = None
            cells += [count(measured), count(printed), signed(difference, 0)]
            data.append(
                {
                    "emotion": emotion,
                    "stage": stage,
                    "images": measured,
                    "published": printed,
                    "difference": difference,
                }
            )
        rows.append((*cells, _loss(counts, emotion)))
    role = "training and validation" if part == "training" else "cross-database test"
    columns = [
        heading
        for stage in _STAGES
        for heading in (_LABELS[stage], f"Published {known.name}", "Difference")
    ]
    return Table(
        name=f"table-1-{part}",
        title=f"Table 1: class counts of {name}, {role}",
        columns=("Emotion", *columns, "Lost %"),
        rows=tuple(rows),
        notes=_notes(known),
        data=pd.DataFrame(data),
    )


def _cell(counts: pd.DataFrame, row: str, column: str) -> int:
    return int(counts[column].astype(int)[row])


def _printed(known: DataSet, emotion: str, stage: str) -> int | None:
    before = stage == "photographs"
    if emotion == _TOTAL:
        return known.before_total if before else known.after_total
    return (known.before if before else known.after).get(emotion)


def _withheld(known: DataSet) -> set[str]:
    """Classes without a printed count before cropping, whose images the other counts hold."""
    return set(known.after) - set(known.before)


def _notes(known: DataSet) -> tuple[str, ...]:
    notes = ["A count has no deviation, so its difference has no interval."]
    if _withheld(known):
        missing = ", ".join(sorted(_withheld(known)))
        notes.append(
            f"The paper gives no original count (N/A) of {missing}: its printed originals still "
            "hold the frames that become it, ours do not. Before cropping only the totals are "
            "compared."
        )
    added = sum(known.before.values())
    if added != known.before_total:
        notes.append(
            f"The paper's {len(known.before)} original counts add up to {count(added)}, not to "
            f"the printed total of {count(known.before_total)}."
        )
    return tuple(notes)


def _loss(counts: pd.DataFrame, emotion: str) -> str:
    value = _lost(counts, emotion)
    return NONE if value is None else f"{value:.2f}"


def _lost(counts: pd.DataFrame, emotion: str) -> float | None:
    read, kept = (_cell(counts, emotion, stage) for stage in _STAGES)
    return 100 * (read - kept) / read if read else None


def _loss_table(sets: list[tuple[str, pd.DataFrame, DataSet]]) -> Table:
    """Losses by reason and in all, and how evenly the classes share the images."""
    rows, data = [], []

    def add(name: str, quantity: str, images: int | None, compared: Comparison) -> None:
        rows.append((name, quantity, count(images), *compared.cells()))
        data.append({"data": name, "quantity": quantity, "images": images} | compared.data())

    for name, counts, known in sets:
        read = _cell(counts, _TOTAL, "photographs")
        for reason in [str(column) for column in counts.columns if column not in _STAGES]:
            images = _cell(counts, _TOTAL, reason)
            share = spread([images / read] if read else [], 100)
            compared = Comparison(measured=share, published=None)
            add(name, f"lost: {reason}", images, compared)
        lost = _lost(counts, _TOTAL)
        compared = Comparison(
            measured=spread([] if lost is None else [lost]), published=Value(mean=known.loss)
        )
        add(name, "lost in all", read - _cell(counts, _TOTAL, "kept"), compared)
        # The mean is 100 over the number of classes, so that it always agrees.
        compared = Comparison(measured=spread(_shares(counts)), published=known.share, marked=True)
        add(name, "share of a class", None, compared)
    names = " and ".join(known.name for _, _, known in sets)
    return Table(
        name="table-1-losses",
        title="Section 3.1: what cropping lost, and the shares of the classes",
        columns=("Data", "Quantity", "Images", "%", *_compared(names)),
        rows=tuple(rows),
        labels=2,
        notes=(
            "Losses are per cent of the photographs before cropping. Share of a class: mean ± "
            "sample standard deviation (SD) over the classes, per cent of the images kept; the "
            "mean is 100 over the number of classes, whatever the images. * Only the deviations "
            "can be compared, and they are over classes, not over folds: no interval.",
        ),
        data=_frame(data),
    )


def _compared(names: str) -> tuple[str, ...]:
    return f"Published {names}", *COMPARED[1:]


def _shares(counts: pd.DataFrame) -> list[float]:
    kept = counts.drop(index=_TOTAL)["kept"].to_numpy()
    kept = kept[kept > 0]
    return [100 * float(images) / int(kept.sum()) for images in kept]


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows)
    return frame.assign(images=frame["images"].astype("Int64"))
