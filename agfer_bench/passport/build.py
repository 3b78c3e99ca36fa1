"""A passport: what is known of a set's pictures, as plain data that JSON can hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agfer_bench.passport.copies import Pairs, members_of


@dataclass(frozen=True, kw_only=True)
class Group:
    """Pictures that are copies of each other."""

    names: tuple[str, ...]
    """In the order of the table."""
    exact: bool
    """Whether all have the same bytes."""
    mirrored: bool
    """Whether some are mirrored."""
    emotions: tuple[str, ...]
    """Labels of the pictures; more than one contradict each other."""
    subjects: tuple[str, ...]
    """Who they are said to show; more than one are one picture under two names."""


@dataclass(frozen=True, kw_only=True)
class Shared:
    """Pictures that two sets share."""

    name: str
    """The other set."""
    classes: tuple[str, ...]
    """Classes of both sets; none where the sets cannot be tested on each other."""
    pairs: tuple[tuple[str, str], ...]
    """Name in this set and in the other."""
    exact: int
    """Pairs of the same bytes."""
    conflicts: int
    """Pairs whose labels differ."""


@dataclass(frozen=True, kw_only=True)
class Passport:
    """What is known of a set's pictures."""

    name: str
    """The data set."""
    drawn: bool
    """Whether the faces are drawn."""
    fingerprint: str
    """SHA-256 of images, labels and crop settings."""
    images: int
    """Images that gave a crop."""
    excluded: Mapping[str, int]
    """Images that gave none, per reason."""
    classes: Mapping[str, int]
    """Images per class."""
    subjects: Mapping[str, int]
    """Images per subject; empty where none is known."""
    without_subject: int
    """Images of nobody that is known."""
    classes_of_subjects: Mapping[str, int]
    """Subjects per class."""
    sizes: Mapping[str, int]
    """Images per width and height in pixels, the most frequent first."""
    colour: int
    """Images with colour; the rest are grey."""
    groups: tuple[Group, ...]
    """Copies within the set."""
    crowded: int
    """Images with so many neighbours that copies of them may have been missed."""
    across_folds: int | None
    """Images with a copy on the other side of a fold, were copies not kept together
    (`duplicates=keep`); None where the set cannot be divided into the protocol's folds."""
    faults: Mapping[str, tuple[str, ...]]
    """Names of crops that tell little, per fault (`passport.quality`)."""
    shared: Shared | None
    """What it shares with another set; None where none was named."""
    notes: tuple[str, ...]
    """What the reader of the set left out or found odd; copies are told above."""

    @property
    def copies(self) -> int:
        """Images that are copies of another; the first of each group is none."""
        return sum(len(group.names) - 1 for group in self.groups)

    @property
    def conflicts(self) -> tuple[Group, ...]:
        """Groups whose labels contradict each other."""
        return tuple(group for group in self.groups if len(group.emotions) > 1)

    @property
    def two_subjects(self) -> tuple[Group, ...]:
        """Groups that bear more than one subject."""
        return tuple(group for group in self.groups if len(group.subjects) > 1)


def describe_groups(
    pairs: Pairs,
    groups: NDArray[np.int64] | None,
    *,
    names: Sequence[str],
    emotions: Sequence[str],
    subjects: Sequence[str | None],
) -> tuple[Group, ...]:
    """Describe the groups of copies of a set; lists are of its images, N each."""
    if groups is None:
        return ()
    of_pairs = groups[pairs.first]
    near = set(of_pairs[~pairs.exact].tolist())
    mirrored = set(of_pairs[pairs.mirrored].tolist())
    return tuple(
        Group(
            names=tuple(names[i] for i in one),
            exact=int(groups[one[0]]) not in near,
            mirrored=int(groups[one[0]]) in mirrored,
            emotions=tuple(sorted({emotions[i] for i in one})),
            subjects=tuple(sorted({who for i in one if (who := subjects[i]) is not None})),
        )
        for one in members_of(groups)
    )


def counted(values: Iterable[str]) -> dict[str, int]:
    """Count values, the most frequent first, then by name."""
    found = Counter(values)
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
