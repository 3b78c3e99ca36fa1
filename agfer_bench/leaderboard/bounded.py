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
from pathlib import Path
from typing import Any, Never

from agfer_bench.leaderboard.limits import Limits, Refused

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
    _look_through(value, limits)
    return value


def _read(file: Path, limits: Limits) -> bytes:
    if file.is_symlink():  # said so even where the system cannot open without following
        raise Refused("is a link; links are not followed")
    with os.fdopen(os.open(file, _FLAGS), "rb") as opened:
        found = os.fstat(opened.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise Refused("is no plain file")
        # What grows meanwhile is not read further either.
        if found.st_size > limits.file_bytes or (
            len(content := opened.read(limits.file_bytes + 1)) > limits.file_bytes
        ):
            raise Refused(f"is larger than {limits.file_bytes:,} bytes")
    return content


def _not_finite(name: str) -> Never:
    raise Refused(f"holds {name}, which is no number")


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise Refused(f"has the key {twice[:100]!r} twice")
    return found


def _look_through(value: Any, limits: Limits) -> None:
    """Refuse what is too deep, too long or too large."""
    level: list[Any] = [value]
    for _ in range(limits.nesting + 1):
        below: list[Any] = []
        _check([one for one in level if not isinstance(one, list | dict)], limits)
        for one in level:
            if isinstance(one, dict):
                _check(list(one), limits)
                below.extend(one.values())
            elif isinstance(one, list):
                below.extend(one)
        if not below:
            return
        level = below
    raise Refused(_nested(limits))


def _check(values: list[Any], limits: Limits) -> None:
    """Check texts and numbers, all of a depth at once: that is what makes it quick."""
    texts = [one for one in values if isinstance(one, str)]
    if texts:
        if max(map(len, texts)) > limits.text:
            raise Refused(f"holds a text of more than {limits.text:,} characters")
        if any(not one.isascii() and not _encodes(one) for one in texts):
            raise Refused("holds a text with half a character (a lone surrogate)")
    whole = [one for one in values if isinstance(one, int)]
    if whole and max(max(whole), -min(whole)) > limits.whole:
        raise Refused(f"holds a whole number beyond {limits.whole:,}")
    real = [one for one in values if isinstance(one, float)]
    if real and max(max(real), -min(real)) > limits.real:
        raise Refused(f"holds a number beyond {limits.real:g}")


def _encodes(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _nested(limits: Limits) -> str:
    return f"is nested deeper than {limits.nesting} levels"
