"""Words for people: nearest known names, lists in a sentence, text that is safe to show."""

from __future__ import annotations

import codecs
import difflib
import json
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_NEAR = 3
"""Names that are offered in place of an unknown one."""
_ALL = 12
"""Most names that are listed where none is near."""


_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Characters of no width that Python calls printable: fillers, and selectors of variants."""

_FORMULA = re.compile(r"[=+\-@\t\r]")
"""What a cell begins with that a spreadsheet computes."""

_PLAIN = {
    **{"–": "-", "−": "-", "—": "-", "×": "x", "±": "+-", "…": "...", "·": "|", "²": "2"},
    **{"≥": ">=", "≤": "<=", "≈": "~", "→": "->", "✓": "ok", "✗": "no", "Δ": "d", "µ": "u"},
    **{"“": '"', "”": '"', "‘": "'", "’": "'", "°": " deg", "‹": "<", "›": ">"},
}
"""What stands for our own characters where an output takes ASCII alone."""


def visible(text: str) -> str:
    r"""Return text in which nothing acts on what shows it: escapes stand for what is not seen.

    Controls, marks of direction, characters of no width and halves of characters; line ends and
    tabs stay.

    >>> visible("a\x1b[2J\u202eb\n")
    'a\\x1b[2J\\u202eb\n'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in "\n\t" or _is_seen(c) else _escaped(c) for c in text)


def _is_seen(character: str) -> bool:
    return character.isprintable() and not _UNSEEN.match(character)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def visible_json(value: Any) -> str:
    """Write JSON in which characters that are not seen stand as JSON's own escapes.

    Raises:
        ValueError: A number is not finite.
    """
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    return "".join(c if c == "\n" or _is_seen(c) else json.dumps(c)[1:-1] for c in text)


def to_csv(frame: pd.DataFrame) -> str:
    """Write a frame as CSV: cells that a spreadsheet would compute begin with an apostrophe."""
    texts = frame.select_dtypes(exclude=["number", "bool", "datetime"]).columns
    safe = frame.assign(**{name: frame[name].map(_cell) for name in texts})
    text: str = safe.rename(columns=_cell).to_csv(index=False, lineterminator="\n")
    return text


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    shown = visible(value)
    return f"'{shown}" if _FORMULA.match(shown) and not _is_number(shown) else shown


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    """Replace characters that an output cannot take, as a handler of encoding errors."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    plain = "".join(_PLAIN[c] if c in _PLAIN else _escaped(c) for c in text)
    return plain, error.end


STAND_INS = "agfer-bench"
"""Name of the handler of encoding errors that writes ASCII for our own characters."""

codecs.register_error(STAND_INS, _stand_in)


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
