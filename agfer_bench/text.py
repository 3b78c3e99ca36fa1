"""Words for people: nearest known names, lists in a sentence."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

_NEAR = 3
"""Names that are offered in place of an unknown one."""
_ALL = 12
"""Most names that are listed where none is near."""


def nearest(name: str, names: Iterable[str]) -> str:
    """End an error about an unknown name: the three nearest, or all where none is near.

    >>> nearest("agfr", ["agfer", "se"])
    "; did you mean 'agfer'?"
    >>> nearest("cbm", ["cbam", "bam", "timm-cbam", "se"])
    "; did you mean 'cbam', 'bam' or 'timm-cbam'?"
    """
    known = sorted(names)
    close = difflib.get_close_matches(name, known, n=_NEAR, cutoff=0.5)
    if close:
        return f"; did you mean {either(close)}?"
    if len(known) > _ALL:
        return f"; nearest: {either(difflib.get_close_matches(name, known, n=_NEAR, cutoff=0.0))}"
    return f"; known: {', '.join(known)}" if known else "; it has none"


def either(names: Sequence[str]) -> str:
    """Name things of which one is meant.

    >>> either(["a", "b", "c"])
    "'a', 'b' or 'c'"
    """
    *most, last = map(repr, names)
    return f"{', '.join(most)} or {last}" if most else last


def some(names: Iterable[object], most: int = 3) -> str:
    """Name the first few of many things in one line.

    >>> some(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    texts = [str(name) for name in names]
    rest = len(texts) - most
    return ", ".join(texts[:most]) + (f" and {rest} more" if rest > 0 else "")
