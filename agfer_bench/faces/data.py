"""The data of a run: read, cropped, numbered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agfer_bench.faces.crop_cache import CropSet, CropSettings
from agfer_bench.faces.decode import opencv
from agfer_bench.faces.detector import Detector
from agfer_bench.faces.drawn import is_drawn
from agfer_bench.faces.official import IN_BOTH, divide, in_both
from agfer_bench.faces.prepare import prepare
from agfer_bench.faces.table import read_table
from agfer_bench.plugin.catalogue import Chosen, Entry
from agfer_bench.plugin.specs import EMOTIONS, DatasetSpec, Place
from agfer_bench.progress import Reporter
from agfer_bench.protocol import OFFICIAL, Protocol
from agfer_bench.records.run import DataRecord


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
    detector: Detector | None = None
    """What finds faces in place of the cascades; the protocol's `crop` names it."""


@dataclass(frozen=True, kw_only=True)
class FaceData:
    """Crops with labels, and the record of where they come from."""

    root: Path
    """The folder that names of images are relative to."""
    crops: CropSet
    """Pixels and table."""
    labels: NDArray[np.int64]
    """(N,) index into `record.classes`."""
    names: tuple[str, ...]
    """(N,) names of the images."""
    subjects: tuple[str | None, ...]
    """(N,) who is shown."""
    record: DataRecord
    """What a run keeps of the data."""
    parts: tuple[str | None, ...]
    """(N,) the part of the data set that each image belongs to, where its authors divided it."""
    left_out: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """Images of `crops` that are neither trained on nor judged, ascending; `record` does not count
    them as kept."""


def excluded_of(crops: CropSet, classes: Collection[str]) -> dict[str, int]:
    """Count the images of some classes that gave no crop, per reason."""
    table = crops.excluded
    reasons = Counter(table.loc[table["emotion"].isin(classes), "reason"])
    return {str(reason): int(number) for reason, number in sorted(reasons.items())}


def load_data(
    source: DataSource, protocol: Protocol, reporter: Reporter, *, to_test: bool = False
) -> FaceData:
    """Read and crop a data set, or take the crops from the cache.

    With `split=official` these are the images of the training part and of the judged part.

    Args:
        source: Where the photographs come from.
        protocol: How they are cropped, and whether the official split counts.
        reporter: Hears of the progress.
        to_test: Whether this is a second data set, which is tested on as a whole.

    Raises:
        UserError: OpenCV or the data cannot be read, nothing remains, or the cache cannot be
            written.
        PluginError: The data set's plugin is at fault.
    """
    opencv()  # before a reader draws for minutes, or stumbles over half an OpenCV
    spec = source.chosen.entry.spec
    place = Place(
        folder=source.folder,
        cache=source.cache,
        workers=source.workers,
        progress=reporter.progress,
    )
    table = read_table(source.chosen, place, source.readers)
    official = protocol.split == OFFICIAL and not to_test
    if official:
        table = divide(table, spec.name)
    settings = CropSettings(image_size=protocol.image_size, method=protocol.crop)
    crops = prepare(
        table,
        settings,
        cascades_folder=source.cascades,
        cache=source.cache,
        workers=source.workers,
        progress=reporter.progress,
        detector=source.detector,
    )
    part_of = {table.name(image): image.part for image in table.images}
    parts = tuple(part_of[name] for name in crops.table["name"])
    left_out = in_both(crops, parts) if official else np.zeros(0, dtype=np.int64)
    emotions = crops.table["emotion"].tolist()
    used = np.ones(len(emotions), dtype=np.bool_)
    used[left_out] = False
    kept = Counter(emotion for emotion, counts in zip(emotions, used, strict=True) if counts)
    known = EMOTIONS if table.classes is None else table.classes
    classes = tuple(name for name in known if kept[name])
    numbers = {name: number for number, name in enumerate(classes)}
    subjects = tuple(s if isinstance(s, str) else None for s in crops.table["subject"])
    people = {subject for subject in subjects if subject is not None}
    read = Counter(image.emotion for image in table.images)
    lost = [name for name in known if read[name] and not kept[name]]
    gone = tuple(f"No image of {name} is left: it is no class of this run." for name in lost)
    excluded = excluded_of(crops, classes=known)
    if len(left_out):
        first = crops.table["name"].iloc[left_out[0]]
        excluded[IN_BOTH] = len(left_out)
        gone = (
            *gone,
            f"{len(left_out)} images of the train part are also in the part that is judged, byte "
            f"by byte: they are not trained on; first {first}.",
        )
    record = DataRecord(
        name=spec.name,
        options=source.chosen.values,
        drawn=spec.drawn or is_drawn(table),
        licence=spec.licence,
        pictures_may_be_published=spec.pictures_may_be_published,
        fingerprint=crops.fingerprint,
        pixels_sha256=crops.pixels_sha256,
        classes=classes,
        labels="emotions" if table.classes is None else "any",
        images_read={name: read[name] for name in known if read[name]},
        images_kept={name: kept[name] for name in known if read[name]},
        excluded=excluded,
        subjects=len(people) or None,
        notes=(*table.notes, *crops.notes, *gone),
    )
    return FaceData(
        root=table.root,
        crops=crops,
        # An image that is left out may be the last of its class, which then has no number.
        labels=np.asarray([numbers.get(emotion, -1) for emotion in emotions], dtype=np.int64),
        names=tuple(crops.table["name"]),
        subjects=subjects,
        record=record,
        parts=parts,
        left_out=left_out,
    )
