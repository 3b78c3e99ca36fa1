"""Small studies with numbers chosen by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from agfer_bench.protocol import Protocol
from agfer_bench.records.run import (
    DataRecord,
    EnvironmentRecord,
    EpochRecord,
    FoldRecord,
    ModuleRecord,
    RunRecord,
    SizeRecord,
)
from agfer_bench.records.timing import ModeRecord, SpeedRecord, StreamRepeat
from agfer_bench.report.paper.study import Example, Study, StudyRun

CLASSES = ("anger", "neutral", "surprise")
Matrix = tuple[tuple[int, ...], ...]


def diagonal(*right: int, of: int = 10) -> Matrix:
    """Count `right` of `of` images of each class as recognised, the others as the next class."""
    n = len(right)
    matrix = np.diag(right) + np.roll(np.diag([of - k for k in right]), 1, axis=1)
    return tuple(tuple(int(v) for v in row) for row in matrix[:n])


def fold(
    number: int,
    confusion: Matrix,
    *,
    train: Matrix | None = None,
    curve: Sequence[float | None] = (),
    seconds: float = 2.0,
    test: dict[str, Matrix] | None = None,
) -> FoldRecord:
    return FoldRecord(
        fold=number,
        job=f"job{number}",
        train_images=60,
        validation_images=30,
        confusion=confusion,
        train_confusion=train or confusion,
        masked_confusion=None,
        class_weights=None,
        channel_mean=(0, 0, 0),
        channel_std=(1, 1, 1),
        history=tuple(
            EpochRecord(loss=1, seconds=seconds, validation_accuracy=value) for value in curve
        ),
        peak_memory_bytes=1_000_000 * (number + 1),
        peak_memory_method="tensor-tracker",
        host_weights_sha256="w",
        batch_order_sha256="b",
        split_sha256=f"split{number}",
        test_confusions=test,
    )


def speed(*repeats: tuple[tuple[float, ...], ...]) -> SpeedRecord:
    """Return a record of eager fp32 with these rounds in each repeat."""
    mode = ModeRecord(
        precision="fp32",
        memory_format="channels_last",
        execution="eager",
        stream=tuple(StreamRepeat(rounds_ms=rounds) for rounds in repeats),
    )
    return SpeedRecord(modes={"eager-fp32": mode})


def module(label: str, folds: Sequence[FoldRecord], **changes: Any) -> ModuleRecord:
    values: dict[str, Any] = {
        "label": label,
        "name": label.split(":")[0],
        "options": {},
        "distribution": "agfer-bench",
        "version": "0",
        "package_sha256": "p",
        "memory_format": "channels_last",
        "source": "",
        "folds": tuple(folds),
        "size": SizeRecord(parameters=1000, block_parameters=10, macs=5000, layers=41),
        "speed": speed(((10.0, 20.0), (20.0, 30.0))),
    }
    return ModuleRecord(**{**values, **changes})


def data(name: str, classes: tuple[str, ...], **changes: Any) -> DataRecord:
    values: dict[str, Any] = {
        "name": name,
        "options": {},
        "drawn": False,
        "fingerprint": "f",
        "pixels_sha256": "p",
        "classes": classes,
        "images_read": dict.fromkeys(classes, 12),
        "images_kept": dict.fromkeys(classes, 10),
        "excluded": {"no face": 2 * len(classes)},
        "subjects": 5,
        "notes": (),
    }
    return DataRecord(**{**values, **changes})


def record(
    modules: Sequence[ModuleRecord],
    *,
    stride: int = 16,
    folds: int = 2,
    drawn: bool = False,
    test: DataRecord | None = None,
    classes: tuple[str, ...] = CLASSES,
) -> RunRecord:
    return RunRecord(
        protocol=Protocol.model_validate({"folds": folds, "stride": stride, "image_size": 32}),
        data=data("drawn-oulu", classes, drawn=drawn),
        test=test,
        environment=EnvironmentRecord(
            device="cpu",
            device_name="a processor",
            threads=1,
            platform="Linux",
            python="3.11",
            packages={"torch": "2"},
            revision=None,
            dirty=None,
        ),
        modules=tuple(modules),
        problems=(),
        finished="2026-01-01T00:00:00+00:00",
    )


def counts(classes: Sequence[str], *, read: int = 12, kept: int = 10) -> pd.DataFrame:
    frame = pd.DataFrame({"photographs": read, "kept": kept, "no face": read - kept}, list(classes))
    frame.loc["all"] = frame.sum()
    return frame


def study(*records: RunRecord, examples: tuple[Example, ...] = ()) -> Study:
    test = records[0].test
    return Study(
        runs=tuple(StudyRun(record=one) for one in records),
        counts=counts(records[0].data.classes),
        test_counts=counts(test.classes, kept=9) if test else None,
        mask=np.eye(32, dtype=np.bool_),
        examples=examples,
    )


def example(name: str = "a.jpg", *, cropped: bool = True) -> Example:
    grey = np.full((40, 50, 3), 120, dtype=np.uint8)
    names = ("face", "eye", "pair", "mouth", "crop") if cropped else ("crop",)
    return Example(
        name=name,
        data="drawn-oulu",
        emotion="anger",
        photograph=grey,
        boxes=dict.fromkeys(names, (-3, 5, 20, 20)),
        crop=grey[:32, :32],
        fused=grey[:32, :32] // 2,
    )


def usual(*, drawn: bool = False, with_test: bool = True, stride: int = 16) -> RunRecord:
    """Build a run of base, agfer and cbam over two folds, with round numbers.

    Validation accuracies: base 0.5, 0.7; agfer 0.8, 0.9; cbam 0.9, 0.9 (training 1.0).
    """
    test = (
        data("drawn-faces", CLASSES[:2], groups={"young": 20, "old": 20}, drawn=drawn)
        if with_test
        else None
    )

    def tested(young: Matrix, old: Matrix) -> dict[str, Matrix] | None:
        return {"young": young, "old": old} if with_test else None

    return record(
        [
            module(
                "base",
                [
                    fold(
                        0,
                        diagonal(5, 5, 5),
                        curve=(0.1, 0.4, 0.5),
                        test=tested(
                            ((5, 5, 0), (5, 5, 0), (0, 0, 0)), ((10, 0, 0),) * 2 + ((0,) * 3,)
                        ),
                    ),
                    fold(
                        1,
                        diagonal(7, 7, 7),
                        curve=(0.3, 0.5, 0.7),
                        test=tested(
                            ((5, 5, 0), (5, 5, 0), (0, 0, 0)), ((10, 0, 0),) * 2 + ((0,) * 3,)
                        ),
                    ),
                ],
            ),
            module(
                "agfer",
                [
                    fold(
                        0,
                        diagonal(8, 8, 8),
                        train=diagonal(9, 9, 9),
                        curve=(0.2, 0.5, 0.8),
                        test=tested(
                            ((8, 1, 1), (0, 6, 4), (0, 0, 0)), ((4, 6, 0), (0, 10, 0), (0, 0, 0))
                        ),
                    ),
                    fold(
                        1,
                        diagonal(9, 9, 9),
                        curve=(None, 0.6, 0.9),
                        seconds=4.0,
                        test=tested(
                            ((9, 0, 1), (0, 9, 1), (0, 0, 0)), ((5, 5, 0), (0, 5, 5), (0, 0, 0))
                        ),
                    ),
                ],
                size=SizeRecord(parameters=2000, block_parameters=1000, macs=5000, layers=80),
            ),
            module(
                "cbam",
                [
                    fold(
                        number,
                        diagonal(9, 9, 9),
                        train=diagonal(10, 10, 10),
                        curve=(0.9, 0.9, 0.9),
                        test=tested(
                            ((10, 0, 0), (0, 10, 0), (0,) * 3), ((10, 0, 0),) * 2 + ((0,) * 3,)
                        ),
                    )
                    for number in range(2)
                ],
                size=SizeRecord(parameters=2010, block_parameters=1010, macs=6000, layers=92),
            ),
        ],
        drawn=drawn,
        test=test,
        stride=stride,
    )
