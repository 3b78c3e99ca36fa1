"""A stranger's JSON file read within limits: no links, no more bytes, values or depth than allowed.

The standard parser takes what JSON does not know (NaN), keeps the last of equal keys, and knows no
bounds; what it returns is looked through here.
"""

from __future__ import annotations

import json
import os
import stat
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Never

from agfer_bench.submissions.limits import Limits, Refused

# Neither a link at the end of the path is followed, nor is a pipe waited for.
_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def read_json(file: Path, limits: Limits) -> Any:
    """Return a file's content, parsed.

    Raises:
        Refused: It is no plain file, beyond a limit, or no JSON.
        OSError: It cannot be read.
    """
    return parse_json(_read(file, limits), limits)


def parse_json(content: bytes, limits: Limits) -> Any:
    """Parse JSON within limits.

    Raises:
        Refused: It is beyond a limit, or no JSON.
    """
    # Counted first: a parsed list takes thirty times the bytes of its text.
    if sum(map(content.count, (b",", b"[", b"{"))) > limits.values:
        raise Refused(f"holds more than {limits.values:,} values")
    try:
        value = json.loads(
            content.decode("utf-8"), parse_constant=_not_finite, object_pairs_hook=_object
        )
    except Refused:
        raise
    except RecursionError:
        raise Refused(_nested(limits)) from None
    except UnicodeDecodeError:
        raise Refused("is no text in UTF-8") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise Refused(f"is no JSON: {error.msg} ({place})") from None
    except ValueError:  # Python converts no numbers of thousands of digits
        raise Refused("holds a number that is too large") from None
    look_through(value, limits)
    return value


def _read(file: Path, limits: Limits) -> bytes:
    if file.is_symlink():  # said so even where the system cannot open without following
        raise Refused("is a link; links are not followed")
    descriptor = os.open(file, _FLAGS)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise Refused("is no plain file")
        content = b""
        if found.st_size <= limits.file_bytes:
            with os.fdopen(descriptor, "rb", closefd=False) as opened:
                content = opened.read(limits.file_bytes + 1)  # it may grow meanwhile
        if max(found.st_size, len(content)) > limits.file_bytes:
            raise Refused(f"is larger than {limits.file_bytes:,} bytes")
    finally:
        os.close(descriptor)
    return content


def _not_finite(name: str) -> Never:
    raise Refused(f"holds {name}, which is no number")


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise Refused(f"has the key {twice[:100]!r} twice")
    return found


def look_through(value: Any, limits: Limits) -> None:
    """Refuse what is too deep, too long or too large.

    Raises:
        Refused: It is beyond a limit.
    """
    level, leaves = [value], _Leaves(texts=[], whole=[], real=[])
    for _ in range(limits.nesting + 1):
        level = _below(level, leaves)
        if not level:
            break
    else:
        raise Refused(_nested(limits))
    # All texts at once, all numbers at once: one by one they would take most of the time.
    if max(map(len, leaves.texts), default=0) > limits.text:
        raise Refused(f"holds a text of more than {limits.text:,} characters")
    if not all(map(str.isascii, leaves.texts)) and not all(map(_encodes, leaves.texts)):
        raise Refused("holds a text with half a character (a lone surrogate)")
    if _largest(leaves.whole) > limits.whole:
        raise Refused(f"holds a whole number beyond {limits.whole:,}")
    if _largest(leaves.real) > limits.real:
        raise Refused(f"holds a number beyond {limits.real:g}")


@dataclass(frozen=True, kw_only=True)
class _Leaves:
    """Everything in a file but its lists and objects."""

    texts: list[str]
    whole: list[int]
    real: list[float]


def _below(level: list[Any], leaves: _Leaves) -> list[Any]:
    """Return all that the lists and objects of a level hold; keep the rest."""
    below: list[Any] = []
    for one in level:
        kind = type(one)
        if kind is int:
            leaves.whole.append(one)
        elif kind is float:
            leaves.real.append(one)
        elif kind is list or kind is tuple:
            below += one
        elif kind is dict:
            leaves.texts.extend(one)
            below += one.values()
        elif kind is str:
            leaves.texts.append(one)
    return below


def _largest(numbers: Sequence[float]) -> float:
    return max(max(numbers), -min(numbers)) if numbers else 0


def _encodes(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _nested(limits: Limits) -> str:
    return f"is nested deeper than {limits.nesting} levels"
