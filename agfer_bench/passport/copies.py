"""Copies among pictures: the same bytes, then nearly the same picture, confirmed by pixels.

Shapes in names: N pictures, S pixels a side, P pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from agfer_bench.passport.hashes import Hashes, hash_looks
from agfer_bench.passport.same_picture import UNLIKE, unlike

CANDIDATE = 0.96
"""Least correlation of two hashes for which pixels are compared."""

NEIGHBOURS, PAIRS = 16, 16_000
"""Most pictures that each is compared with by pixels: the ones with the nearest hashes. In a small
set it is as many as make so many pairs."""

_ROWS = 512


def _silent(done: int, total: int) -> None:
    """Report progress to nobody."""


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """What the search for copies needs of each picture; all of length N."""

    names: Sequence[str]
    """Names, for messages and tables."""
    sha256: Sequence[str]
    """Hashes of the files."""
    sequences: Sequence[str | None]
    """The recording that a frame belongs to."""
    looks_NSS: NDArray[np.uint8]
    """(N, 64, 64) grey copies."""

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Pairs of pictures that are one; of two sets, `first` counts in one and `second` in the other.

    Of several pictures with the same bytes only the first stands for all in near pairs.
    """

    first: NDArray[np.int64]
    """(P,) indices."""
    second: NDArray[np.int64]
    """(P,) indices; larger than `first` within one set."""
    exact: NDArray[np.bool_]
    """(P,) whether their bytes are the same."""
    mirrored: NDArray[np.bool_]
    """(P,) whether one is the other mirrored."""
    unlike: NDArray[np.float64]
    """(P,) how unlike they are, as a share of contrast; 0 where bytes are the same."""
    crowded: int = 0
    """Pictures with more neighbours than are compared: copies of them may have been missed."""

    def __len__(self) -> int:
        return len(self.first)


def find_copies(pictures: Pictures, progress: Callable[[int, int], None] = _silent) -> Pairs:
    """Find the copies within one set.

    Frames of one recording are no copies of each other unless their bytes are the same: that they
    look alike is known of them.

    Args:
        pictures: The set.
        progress: Called with pictures done, of how many.
    """
    leader_N = _first_of_each(pictures.sha256)
    own = leader_N == np.arange(len(pictures))
    twins, unique = np.flatnonzero(~own), np.flatnonzero(own)
    recordings = _numbered(pictures.sequences)[unique]
    looks = pictures.looks_NSS[unique]
    hashes = hash_looks(looks)

    def other(rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.bool_]:
        differs: NDArray[np.bool_] = recordings[rows] != recordings[columns]
        return differs

    found, near, crowded = _candidates(hashes, hashes, other, progress)
    # Either may be a crop of the other, so each pair was met twice: the nearer way is kept.
    found = _best(found, -near, np.sort(found[:, :2], axis=1))
    kept, left = _confirmed(found, looks, looks)
    ends = np.sort(unique[kept[:, :2]], axis=1)
    return _pairs(np.stack([leader_N[twins], twins], axis=1), ends, kept[:, 2], left, crowded)


def find_shared(
    first: Pictures, second: Pictures, progress: Callable[[int, int], None] = _silent
) -> Pairs:
    """Find the pictures of one set that are copies of some of another; progress as above."""
    places: dict[str, int] = {}
    for place, digest in enumerate(first.sha256):
        places.setdefault(digest, place)
    same = np.asarray([places.get(digest, -1) for digest in second.sha256], dtype=np.int64)
    exact = np.flatnonzero(same >= 0)
    # What has a twin there by its bytes needs no search, and of several equal files one will do.
    rows = np.flatnonzero(_first_of_each(first.sha256) == np.arange(len(first)))
    columns = np.flatnonzero((same < 0) & (_first_of_each(second.sha256) == np.arange(len(second))))
    looks = first.looks_NSS[rows], second.looks_NSS[columns]
    hashes = hash_looks(looks[0]), hash_looks(looks[1])
    one_way, _, crowded = _candidates(*hashes, _all, progress)
    kept, left = _confirmed(one_way, *looks)
    back, _, more = _candidates(hashes[1], hashes[0], _all, _silent)
    kept_back, left_back = _confirmed(back, *reversed(looks))
    ends = np.concatenate([kept[:, :2], kept_back[:, 1::-1]])
    whole = np.concatenate([ends, np.concatenate([kept, kept_back])[:, 2:]], axis=1)
    left = np.concatenate([left, left_back])
    order = _best(np.arange(len(whole)), left, ends)
    whole, left = whole[order], left[order]
    ends = np.stack([rows[whole[:, 0]], columns[whole[:, 1]]], axis=1)
    twins = np.stack([same[exact], exact], axis=1)
    return _pairs(twins, ends, whole[:, 2], left, crowded + more)


def groups_of(pairs: Pairs, count: int) -> NDArray[np.int64]:
    """Number the groups of pictures that are copies of each other.

    Args:
        pairs: Copies within one set.
        count: Pictures N of the set.

    Returns:
        (N,) number of each picture's group, in the order of their first pictures.
    """
    return joined(pairs.first, pairs.second, count)


def members_of(groups: NDArray[np.int64]) -> list[list[int]]:
    """Return the images of each group of two or more, in the order of their first images."""
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    return [part.tolist() for part in np.split(order, starts[1:]) if len(part) > 1]


def joined(first: NDArray[np.int64], second: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Number the connected parts of a graph of `count` nodes, in the order of their first nodes."""
    edges = np.ones(len(first), dtype=np.int8)
    graph = coo_array((edges, (first, second)), shape=(count, count))
    _, labels = connected_components(graph, directed=False)
    _, starts, groups = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(starts))[groups].astype(np.int64)


def _first_of_each(values: Sequence[str]) -> NDArray[np.int64]:
    places: dict[str, int] = {}
    found = [places.setdefault(value, place) for place, value in enumerate(values)]
    return np.asarray(found, dtype=np.int64)


def _numbered(values: Sequence[str | None]) -> NDArray[np.int64]:
    """Number texts; each None differs from all others."""
    numbers: dict[str, int] = {}
    found = [
        -1 - place if value is None else numbers.setdefault(value, len(numbers))
        for place, value in enumerate(values)
    ]
    return np.asarray(found, dtype=np.int64)


_Allowed = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.bool_]]


def _all(rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.ones(len(rows), dtype=bool)


def _candidates(
    rows: Hashes, columns: Hashes, allowed: _Allowed, progress: Callable[[int, int], None]
) -> tuple[NDArray[np.int64], NDArray[np.float32], int]:
    """Return pairs whose hashes are near: (P, 3) row, column, variant of the column; how near.

    Memory grows with the number of columns, not of pairs. The last value counts the rows that
    have more than `NEIGHBOURS`.
    """
    total, crowded = len(rows.plain_ND), 0
    parts, nearness = [np.zeros((0, 3), dtype=np.int64)], [np.zeros(0, dtype=np.float32)]
    for at in range(0, total, _ROWS):
        found, near = _near(rows.plain_ND[at : at + _ROWS], columns.variants_VND)
        found[:, 0] += at
        kept = allowed(found[:, 0], found[:, 1])
        found, near = found[kept], near[kept]
        best = _best(np.arange(len(found)), -near, found[:, :2])
        found, near = found[best], near[best]
        order = np.lexsort((-near, found[:, 0]))
        found, near = found[order], near[order]
        starts = np.searchsorted(found[:, 0], found[:, 0])
        kept = np.arange(len(found)) - starts < max(NEIGHBOURS, PAIRS // total)
        crowded += len(np.unique(found[~kept, 0]))
        parts.append(found[kept])
        nearness.append(near[kept])
        progress(min(at + _ROWS, total), total)
    return np.concatenate(parts), np.concatenate(nearness), crowded


def _near(
    rows_ND: NDArray[np.float32], variants_VND: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    parts, nearness = [np.zeros((0, 3), dtype=np.int64)], [np.zeros(0, dtype=np.float32)]
    for variant, columns_ND in enumerate(variants_VND):
        correlation = rows_ND @ columns_ND.T
        row, column = np.nonzero(correlation >= CANDIDATE)
        parts.append(np.stack([row, column, np.full(len(row), variant)], axis=1))
        nearness.append(correlation[row, column])
    return np.concatenate(parts), np.concatenate(nearness)


def _best(
    values: NDArray[np.int64], cost: NDArray[np.floating], key: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return of all values with the same key (P, 2) the one of least cost, ordered by key."""
    order = np.lexsort((cost, key[:, 1], key[:, 0]))
    key = key[order]
    new = np.ones(len(key), dtype=bool)
    new[1:] = (key[1:] != key[:-1]).any(axis=1)
    return values[order][new]


def _confirmed(
    found: NDArray[np.int64], rows_NSS: NDArray[np.uint8], columns_NSS: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the pairs whose pixels agree, and how unlike they are."""
    step = 4096  # so that looks are copied for so many pairs at once, not for all
    parts = [
        unlike(rows_NSS[some[:, 0]], columns_NSS[some[:, 1]], some[:, 2])
        for at in range(0, len(found), step)
        if len(some := found[at : at + step])
    ]
    left = np.concatenate(parts) if parts else np.zeros(0)
    return found[left < UNLIKE], left[left < UNLIKE]


def _pairs(
    twins: NDArray[np.int64],
    near: NDArray[np.int64],
    variants: NDArray[np.int64],
    left: NDArray[np.float64],
    crowded: int,
) -> Pairs:
    whole = np.concatenate([twins, near])
    exact = np.arange(len(whole)) < len(twins)
    mirrored = np.concatenate([np.zeros(len(twins), dtype=bool), variants % 2 == 1])
    order = np.lexsort((whole[:, 1], whole[:, 0]))
    return Pairs(
        first=whole[order, 0],
        second=whole[order, 1],
        exact=exact[order],
        mirrored=mirrored[order],
        unlike=np.concatenate([np.zeros(len(twins)), left])[order],
        crowded=crowded,
    )
