"""The data of a run: read, cropped, numbered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agfer_bench.faces.copies import copies_in, copies_notes, describe_copies, group_copies
from agfer_bench.faces.crop_cache import CropSet, CropSettings
from agfer_bench.faces.decode import opencv
from agfer_bench.faces.detector import Detector
from agfer_bench.faces.drawn import is_drawn
from agfer_bench.faces.folds import first_copies
from agfer_bench.faces.official import IN_BOTH, TRAIN, divide, in_both
from agfer_bench.faces.prepare import prepare
from agfer_bench.faces.table import read_table
from agfer_bench.plugin.catalogue import Chosen, Entry
from agfer_bench.plugin.specs import EMOTIONS, DatasetSpec, Place
from agfer_bench.progress import Reporter
from agfer_bench.protocol import OFFICIAL, Protocol
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
    """(N,) index into `record.classes`; -1 where all images of a class are dropped copies."""
    names: tuple[str, ...]
    """(N,) names of the images."""
    subjects: tuple[str | None, ...]
    """(N,) who is shown."""
    copies: NDArray[np.int64] | None
    """(N,) group of each image, equal for copies of one picture; None where there are no copies."""
    record: DataRecord
    """What a run keeps of the data."""
    parts: tuple[str | None, ...]
    """(N,) the part of the data set that each image belongs to, where its authors divided it."""
    left_out: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """Images of `crops` that are neither trained on nor judged, ascending; `record` does not count
    them as kept."""


def excluded_of(
    crops: CropSet, classes: Collection[str], dropped: NDArray[np.int64]
) -> dict[str, int]:
    """Count the images of some classes that gave no crop, or are dropped as copies, per reason."""
    table = crops.excluded
    reasons = Counter(table.loc[table["emotion"].isin(classes), "reason"])
    copies = int(crops.table["emotion"].iloc[dropped].isin(classes).sum())
    if copies:
        reasons[COPY] = copies
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
    settings = CropSettings(
        image_size=protocol.image_size, method=protocol.crop, colour=protocol.colour
    )
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
    emotions = crops.table["emotion"].tolist()
    known = EMOTIONS if table.classes is None else table.classes
    subjects = tuple(s if isinstance(s, str) else None for s in crops.table["subject"])
    pairs = copies_in(crops, reporter.progress)
    groups = group_copies(pairs, len(emotions))
    copies = describe_copies(
        pairs, groups, emotions=emotions, subjects=subjects, duplicates=protocol.duplicates
    )
    both = dropped = np.zeros(0, dtype=np.int64)
    if official:
        both = in_both(crops, parts, None if protocol.duplicates == "keep" else groups)
    if groups is not None and protocol.duplicates == "drop":
        # Of an official split the judged part stays whole: its copies are those of training alone.
        later = np.setdiff1d(np.arange(len(groups)), first_copies(groups))
        own = [number for number in later if not official or parts[number] == TRAIN]
        dropped = np.setdiff1d(np.asarray(own, dtype=np.int64), both)
    left_out = np.union1d(both, dropped).astype(np.int64)
    used = np.ones(len(emotions), dtype=np.bool_)
    used[left_out] = False
    kept = Counter(emotion for emotion, counts in zip(emotions, used, strict=True) if counts)
    classes = tuple(name for name in known if kept[name])
    numbers = {name: number for number, name in enumerate(classes)}
    people = {
        subject
        for subject, counts in zip(subjects, used, strict=True)
        if subject is not None and counts
    }
    read = Counter(image.emotion for image in table.images)
    lost = [name for name in known if read[name] and not kept[name]]
    gone = tuple(f"No image of {name} is left: it is no class of this run." for name in lost)
    excluded = excluded_of(crops, known, dropped)
    if len(both):
        first = crops.table["name"].iloc[both[0]]
        how = (
            "byte by byte" if protocol.duplicates == "keep" else "as equal or nearly equal pictures"
        )
        excluded[IN_BOTH] = len(both)
        gone = (
            *gone,
            f"{len(both)} images of the train part are also in the part that is judged, {how}: "
            f"they are not trained on; first {first}.",
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
        notes=(*table.notes, *crops.notes, *gone, *copies_notes(copies)),
        copies=copies,
    )
    return FaceData(
        root=table.root,
        crops=crops,
        # An image that is left out may be the last of its class, which then has no number.
        labels=np.asarray([numbers.get(emotion, -1) for emotion in emotions], dtype=np.int64),
        names=tuple(crops.table["name"]),
        subjects=subjects,
        copies=groups,
        record=record,
        parts=parts,
        left_out=left_out,
    )
