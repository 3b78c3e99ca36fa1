"""Words for people: nearest known names, values as users type them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


def typed(value: Any) -> str:
    """Write an option's value as users type it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def nearest(name: str, names: Iterable[str]) -> str:
    """End an error about an unknown name: the nearest known one, or all there are.

    >>> nearest("agfr", ["agfer", "se"])
    "; did you mean 'agfer'?"
    """
    known = sorted(names)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(known)}" if known else "; it has none"


def some(names: Iterable[object], most: int = 3) -> str:
    """Name the first few of many things in one line.

    >>> some(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    texts = [str(name) for name in names]
    rest = len(texts) - most
    return ", ".join(texts[:most]) + (f" and {rest} more" if rest > 0 else "")
