"""The data of a run: read, cropped, numbered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agfer_bench.faces.copies import copies_in, copies_notes, describe_copies, group_copies
from agfer_bench.faces.crop_cache import CropSet, CropSettings
from agfer_bench.faces.drawn import is_drawn
from agfer_bench.faces.folds import first_copies
from agfer_bench.faces.prepare import prepare
from agfer_bench.faces.table import read_table
from agfer_bench.plugin.catalogue import Chosen, Entry
from agfer_bench.plugin.specs import EMOTIONS, DatasetSpec, Place
from agfer_bench.progress import Reporter
from agfer_bench.protocol import Protocol
from agfer_bench.records.run import DataRecord

COPY = "copy"
"""Why an image is left out that gave a crop: it is a copy of one before it (`duplicates=drop`)."""


@dataclass(frozen=True, kw_only=True)
class DataSource:
    """Where the photographs of a run come from."""

    chosen: Chosen[DatasetSpec]
    """The data set and its options."""
    folder: Path | None
    """The user's folder, for data sets that need one."""
    readers: Mapping[str, Entry[DatasetSpec]]
    """All data sets on offer: drawn ones are read by the readers of their layouts."""
    cascades: Path | None
    """A folder with the user's own cascade files; None for OpenCV's."""
    cache: Path
    """Where crops and drawn faces are kept between runs."""
    workers: int
    """Threads or processes for reading and cropping."""


@dataclass(frozen=True, kw_only=True)
class FaceData:
    """Crops with labels, and the record of where they come from."""

    root: Path
    """The folder that names of images are relative to."""
    crops: CropSet
    """Pixels and table."""
    labels: NDArray[np.int64]
    """(N,) index into `record.classes`; -1 where all images of a class are dropped copies."""
    names: tuple[str, ...]
    """(N,) names of the images."""
    subjects: tuple[str | None, ...]
    """(N,) who is shown."""
    copies: NDArray[np.int64] | None
    """(N,) group of each image, equal for copies of one picture; None where there are no copies."""
    left_out: NDArray[np.bool_]
    """(N,) copies that are dropped, by the protocol's `duplicates`."""
    record: DataRecord
    """What a run keeps of the data."""


def excluded_of(
    crops: CropSet, classes: Collection[str], left_out: NDArray[np.bool_]
) -> dict[str, int]:
    """Count the images of some classes that gave no crop, or are dropped as copies, per reason."""
    table = crops.excluded
    reasons = Counter(table.loc[table["emotion"].isin(classes), "reason"])
    dropped = int(crops.table.loc[left_out, "emotion"].isin(classes).sum())
    if dropped:
        reasons[COPY] = dropped
    return {str(reason): int(number) for reason, number in sorted(reasons.items())}


def load_data(source: DataSource, protocol: Protocol, reporter: Reporter) -> FaceData:
    """Read and crop a data set, or take the crops from the cache.

    Raises:
        UserError: The data cannot be read, nothing remains, or the cache cannot be written.
        PluginError: The data set's plugin is at fault.
    """
    spec = source.chosen.entry.spec
    place = Place(
        folder=source.folder,
        cache=source.cache,
        workers=source.workers,
        progress=reporter.progress,
    )
    table = read_table(source.chosen, place, source.readers)
    settings = CropSettings(image_size=protocol.image_size, method=protocol.crop)
    crops = prepare(
        table,
        settings,
        cascades_folder=source.cascades,
        cache=source.cache,
        workers=source.workers,
        progress=reporter.progress,
    )
    emotions = crops.table["emotion"].tolist()
    subjects = tuple(s if isinstance(s, str) else None for s in crops.table["subject"])
    pairs = copies_in(crops, reporter.progress)
    groups = group_copies(pairs, len(emotions))
    left_out = np.zeros(len(emotions), dtype=bool)
    if groups is not None and protocol.duplicates == "drop":
        left_out[:] = True
        left_out[first_copies(groups)] = False
    copies = describe_copies(
        pairs, groups, emotions=emotions, subjects=subjects, duplicates=protocol.duplicates
    )
    kept = Counter(emotion for emotion, gone in zip(emotions, left_out, strict=True) if not gone)
    classes = tuple(name for name in EMOTIONS if kept[name])
    numbers = {name: number for number, name in enumerate(classes)}
    known = {
        subject
        for subject, gone in zip(subjects, left_out, strict=True)
        if subject is not None and not gone
    }
    read = Counter(image.emotion for image in table.images)
    lost = [name for name in EMOTIONS if read[name] and not kept[name]]
    gone = tuple(f"No image of {name} is left: it is no class of this run." for name in lost)
    record = DataRecord(
        name=spec.name,
        options=source.chosen.values,
        drawn=spec.drawn or is_drawn(table),
        fingerprint=crops.fingerprint,
        pixels_sha256=crops.pixels_sha256,
        classes=classes,
        images_read={name: read[name] for name in EMOTIONS if read[name]},
        images_kept={name: kept[name] for name in EMOTIONS if read[name]},
        excluded=excluded_of(crops, EMOTIONS, left_out),
        subjects=len(known) or None,
        notes=(*table.notes, *gone, *copies_notes(copies)),
        copies=copies,
    )
    return FaceData(
        root=table.root,
        crops=crops,
        labels=np.asarray([numbers.get(emotion, -1) for emotion in emotions], dtype=np.int64),
        names=tuple(crops.table["name"]),
        subjects=subjects,
        copies=groups,
        left_out=left_out,
        record=record,
    )
