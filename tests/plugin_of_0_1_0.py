"""A plugin as a stranger wrote it for 0.1.0, with one of each hook. Frozen: it must keep running.

`test_old_plugin` installs this file as a distribution of its own.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from agfer_bench import (
    EMOTIONS,
    AttentionSpec,
    ClassifierSpec,
    DatasetSpec,
    EpochEvent,
    FaceImage,
    FaceTable,
    Place,
    Slot,
    TrackerSpec,
    UserError,
    hookimpl,
)


class Gate(nn.Module):
    def __init__(self, channels: int, start: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels, 1, 1), start))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(self.weight)


def build_gate(slot: Slot, *, start: float = 0.0) -> Gate:
    if slot.channels < 1 or slot.height < 1 or slot.width < 1 or slot.classes < 2 or slot.stage < 1:
        raise UserError("a slot must have room")
    return Gate(slot.channels, start)


class Nearest:
    """The mean picture of each class."""

    def __init__(self, seed: int, power: int) -> None:
        self.seed, self.power = seed, power

    def fit(self, pixels: Any, labels: Any, weights: Any) -> None:
        del weights
        images = pixels.astype(np.float32)
        self.means = [images[labels == one].mean(axis=0) for one in range(int(labels.max()) + 1)]

    def predict(self, pixels: Any) -> Any:
        far = [(np.abs(pixels - mean) ** self.power).sum(axis=(1, 2, 3)) for mean in self.means]
        return np.eye(len(far))[np.argmin(far, axis=0)]


def build_nearest(seed: int, *, power: int = 2) -> Nearest:
    return Nearest(seed, power)


def read(place: Place, *, ending: str = "png") -> FaceTable:
    if place.folder is None:
        raise UserError("the faces lie in a folder")
    images = [
        FaceImage(path=path, emotion=path.parent.name, subject=path.stem.split("_")[0])
        for path in sorted(place.folder.rglob(f"*.{ending}"))
        if path.parent.name in EMOTIONS
    ]
    return FaceTable(root=place.folder, images=tuple(images), notes=("read by a plugin of 0.1.0",))


class Log:
    def __init__(self, file: Path) -> None:
        self.file = file

    def put(self, **what: Any) -> None:
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(what) + "\n")

    @hookimpl
    def epoch_finished(self, event: EpochEvent) -> None:
        self.put(module=event.module, fold=event.fold, epoch=event.epoch, loss=event.loss)

    @hookimpl
    def run_finished(self, record: Any, folder: Path) -> None:
        self.put(labels=[row.label for row in record.modules], folder=folder.is_dir())


def start_log(file: str) -> Log:
    return Log(Path(file))


@hookimpl
def attention_modules() -> list[AttentionSpec]:
    return [
        AttentionSpec(name="old-gate", build=build_gate, source="arXiv:1", summary="A gate"),
    ]


@hookimpl
def face_classifiers() -> list[ClassifierSpec]:
    return [
        ClassifierSpec(name="old-nearest", build=build_nearest, source="arXiv:2", summary="Means"),
    ]


@hookimpl
def face_datasets() -> list[DatasetSpec]:
    return [DatasetSpec(name="old-faces", read=read, summary="Faces in folders")]


@hookimpl
def run_trackers() -> list[TrackerSpec]:
    return [TrackerSpec(name="old-log", start=start_log, summary="Lines in a file")]


@hookimpl
def epoch_finished(event: EpochEvent) -> None:
    if event.epoch > event.epochs:
        raise AssertionError("an epoch after the last")


@hookimpl
def run_finished(record: Any, folder: Path) -> None:
    (folder / "old-plugin.txt").write_text(f"{len(record.modules)} modules\n", encoding="utf-8")
