"""The copies among a set's photographs: looked for once, kept beside the crops, and told of."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from agfer_bench.faces.crop_cache import CropSet
from agfer_bench.files import draft_of
from agfer_bench.passport.copies import (
    Pairs,
    Pictures,
    find_copies,
    find_shared,
    groups_of,
    members_of,
)
from agfer_bench.protocol import Duplicates
from agfer_bench.records.run import CopiesRecord

VERSION = 1
"""Version of what the search finds: raise it when hashes or the check of pixels change."""


def pictures_of(crops: CropSet) -> Pictures:
    """Return what the search for copies needs of a set."""
    sequences = [one if isinstance(one, str) else None for one in crops.table["sequence"]]
    return Pictures(
        names=crops.table["name"].tolist(),
        sha256=crops.table["sha256"].tolist(),
        sequences=sequences,
        looks_NSS=crops.looks,
    )


def copies_in(crops: CropSet, progress: Callable[[str, int, int], None]) -> Pairs:
    """Return the copies within a set, from beside the crops where they were looked for before."""
    return _once(
        crops.folder / f"copies-{VERSION}.npz",
        lambda: find_copies(pictures_of(crops), _named(progress, "looking for copies")),
    )


def copies_across(
    first: CropSet, second: CropSet, progress: Callable[[str, int, int], None]
) -> Pairs:
    """Return the copies between two sets: `Pairs.first` counts in one, `second` in the other."""
    return _once(
        second.folder / f"shared-{VERSION}-{first.folder.name}.npz",
        lambda: find_shared(
            pictures_of(first),
            pictures_of(second),
            _named(progress, "looking for copies across sets"),
        ),
    )


def _named(progress: Callable[[str, int, int], None], what: str) -> Callable[[int, int], None]:
    return lambda done, total: progress(what, done, total)


def _once(path: Path, find: Callable[[], Pairs]) -> Pairs:
    """Read pairs, or find them and keep them where the folder can be written."""
    with suppress(OSError, ValueError, KeyError, BadZipFile), np.load(path) as kept:
        return Pairs(
            **{name: kept[name] for name in _ARRAYS},
            crowded=int(kept["crowded"]),
        )
    found = find()
    content = io.BytesIO()
    np.savez(content, **{one.name: getattr(found, one.name) for one in fields(Pairs)})
    draft = draft_of(path)
    try:
        draft.write_bytes(content.getvalue())
        draft.replace(path)
    except OSError:  # a folder of others, or a full disk: the next run looks again
        with suppress(OSError):
            draft.unlink(missing_ok=True)
    return found


_ARRAYS = ("first", "second", "exact", "mirrored", "unlike")


def group_copies(pairs: Pairs, count: int) -> NDArray[np.int64] | None:
    """Return the group of each of `count` images; None where there are no copies."""
    return groups_of(pairs, count) if len(pairs) else None


def describe_copies(
    pairs: Pairs,
    groups: NDArray[np.int64] | None,
    *,
    emotions: Sequence[str],
    subjects: Sequence[str | None],
    duplicates: Duplicates,
) -> CopiesRecord:
    """Count the copies in a set.

    Args:
        pairs: The copies.
        groups: (N,) group of each image; None where there are no copies.
        emotions: (N,) labels.
        subjects: (N,) who is shown.
        duplicates: What is done with copies.
    """
    if groups is None:
        return CopiesRecord(duplicates=duplicates, crowded=pairs.crowded)
    members = members_of(groups)
    images = sum(map(len, members))
    exact = int(pairs.exact.sum())
    return CopiesRecord(
        duplicates=duplicates,
        groups=len(members),
        exact=exact,
        near=images - len(members) - exact,
        conflicts=sum(len({emotions[i] for i in one}) > 1 for one in members),
        two_subjects=sum(len({subjects[i] for i in one} - {None}) > 1 for one in members),
        crowded=pairs.crowded,
    )


def copies_notes(found: CopiesRecord) -> list[str]:
    """Say how many copies a set holds, and what is done with them; nothing where there are none."""
    lines = []
    if found.copies:
        what = {
            "group": "all of a group stand on one side of each fold",
            "keep": "kept as any other images, so that they may stand on both sides of a fold and "
            "be recognised by heart",
            "drop": "all but the first of each group are left out",
        }[found.duplicates]
        lines.append(
            f"{found.copies} images are copies of others ({found.exact} of the same bytes, "
            f"{found.near} nearly the same picture), in {found.groups} groups: {what} "
            f"(duplicates={found.duplicates})."
        )
    if found.conflicts:
        lines.append(
            f"In {found.conflicts} groups of copies the labels contradict each other: "
            "`agfer-bench data passport` names them."
        )
    if found.two_subjects:
        lines.append(
            f"In {found.two_subjects} groups of copies one picture bears two subjects: "
            "`agfer-bench data passport` names them."
        )
    if found.crowded:
        lines.append(
            f"{found.crowded} images look like so many others that they were not compared with "
            "all: copies of them may be missed."
        )
    return lines
