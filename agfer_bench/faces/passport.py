"""The passport of a data set: its pictures as `faces.data` reads them, described."""

from __future__ import annotations

import numpy as np

from agfer_bench.errors import UserError
from agfer_bench.faces.copies import copies_across, copies_in, copies_notes
from agfer_bench.faces.data import FaceData, excluded_of
from agfer_bench.faces.folds import make_folds
from agfer_bench.passport.build import Passport, Shared, counted, describe_groups
from agfer_bench.passport.manifest import Manifest, Meeting, make_manifest, meet
from agfer_bench.passport.quality import Measures, faults
from agfer_bench.progress import Reporter
from agfer_bench.protocol import OFFICIAL, Protocol
from agfer_bench.seeds import derive_seed


def make_passport(
    data: FaceData, protocol: Protocol, reporter: Reporter, other: FaceData | None = None
) -> Passport:
    """Describe a data set, and what it shares with another.

    Args:
        data: The set.
        protocol: How it was cropped, and how it is divided into folds.
        reporter: Hears of progress.
        other: Another set.
    """
    table, names = data.crops.table, data.names
    emotions = table["emotion"].tolist()
    pairs = copies_in(data.crops, reporter.progress)
    boxes = table[[f"crop_{side}" for side in ("x", "y", "width", "height")]]
    sizes = table[["photograph_width", "photograph_height"]].to_numpy(np.int64)
    measures = Measures(
        contrast_N=table["contrast"].to_numpy(),
        sharpness_N=table["sharpness"].to_numpy(),
        boxes_N4=boxes.to_numpy(np.int64),
        sizes_N2=sizes,
    )
    detected = protocol.crop == "viola-jones"
    found = faults(measures, side=protocol.image_size, detected=detected)
    told = copies_notes(data.record.copies) if data.record.copies else []
    nothing = np.zeros(len(names), dtype=bool)
    people: dict[str, set[str]] = {}
    for who, emotion in zip(data.subjects, emotions, strict=True):
        if who is not None:
            people.setdefault(emotion, set()).add(who)
    classes = tuple(data.record.images_read)
    return Passport(
        name=data.record.name,
        drawn=data.record.drawn,
        fingerprint=data.record.fingerprint,
        images=len(names),
        excluded=excluded_of(data.crops, classes, nothing),
        classes={name: emotions.count(name) for name in classes if name in emotions},
        subjects=counted(who for who in data.subjects if who is not None),
        without_subject=sum(who is None for who in data.subjects),
        classes_of_subjects={name: len(people[name]) for name in classes if name in people},
        sizes=counted(f"{width}x{height}" for width, height in sizes.tolist()),
        colour=int(table["colour"].sum()),
        groups=describe_groups(
            pairs, data.copies, names=names, emotions=emotions, subjects=data.subjects
        ),
        crowded=pairs.crowded,
        across_folds=_across_folds(data, protocol),
        faults={fault: tuple(names[i] for i in places) for fault, places in found.items()},
        shared=None if other is None else _shared(data, other, reporter),
        notes=tuple(note for note in data.record.notes if note not in told),
    )


def _across_folds(data: FaceData, protocol: Protocol) -> int | None:
    """Count validation images with a copy among the training images, were copies not grouped."""
    copies = data.copies
    if protocol.split == OFFICIAL:  # its parts are the authors': `in_both` counts these copies
        return None
    try:
        folds = make_folds(
            data.labels,
            data.subjects,
            split=protocol.split,
            folds=protocol.folds,
            seed=derive_seed(protocol.seed, "folds"),
            classes=data.record.classes,
            duplicates="keep",
        )
    except UserError:  # one class, too few images, no subjects: a run would say which
        return None
    if copies is None:
        return 0
    return sum(int(np.isin(copies[f.validation], copies[f.train]).sum()) for f in folds)


def _shared(data: FaceData, other: FaceData, reporter: Reporter) -> Shared:
    pairs = copies_across(data.crops, other.crops, reporter.progress)
    emotions = [one.crops.table["emotion"].tolist() for one in (data, other)]
    ends = list(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
    return Shared(
        name=other.record.name,
        classes=tuple(name for name in data.record.classes if name in other.record.classes),
        pairs=tuple((data.names[a], other.names[b]) for a, b in ends),
        exact=int(pairs.exact.sum()),
        conflicts=sum(emotions[0][a] != emotions[1][b] for a, b in ends),
    )


def manifest_of(data: FaceData, salt: str) -> Manifest:
    """Return the manifest of a set."""
    return make_manifest(data.crops.table["sha256"].tolist(), data.crops.looks, salt)[0]


def meet_manifest(data: FaceData, other: Manifest) -> Meeting:
    """Find a set's pictures in another's manifest; indices count `data.names`."""
    sha256 = data.crops.table["sha256"].tolist()
    return meet(make_manifest(sha256, data.crops.looks, other.salt)[1], other)
