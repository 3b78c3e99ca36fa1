"""How names with options are written: one grammar for command lines, labels and records.

    modules: module, module, ...
    module:  NAME[:option=value]...
    value:   item, or item/item/... with an item for each slot of the host
    item:    "text" or 'text', or [item, item, ...], or plain text

A quote or an opening bracket counts where an item begins; elsewhere it is text like any other.
Between quotes everything is text, and a doubled quote stands for one. Spaces around items are
left out. docs/writing-plugins.md tells it to users.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agfer_bench.errors import UserError

_QUOTES = "\"'"
_ENDS = ",:=/"
"""What may end an item outside of quotes and brackets, so that another begins behind it."""
_SPECIAL = frozenset(",:=[]" + _QUOTES)
"""What plain text does not hold. A slash does: whether it divides depends on the option's type."""


@dataclass(frozen=True, kw_only=True)
class Word:
    """A text, or what is yet to become a number, `None` or the like."""

    text: str
    """Without quotes."""
    quoted: bool = False
    """Whether it stood in quotes, and so is text whatever it looks like."""


Item = Word | tuple["Item", ...]
"""What stands for one value; a list is a tuple."""


def split(text: str, sign: str) -> list[str]:
    """Cut a text at a sign that stands in no quotes and no brackets.

    Raises:
        UserError: A quote or a bracket is not closed.

    >>> split('se,gate:sizes=[3,5]:name="a,b"', ",")
    ['se', 'gate:sizes=[3,5]:name="a,b"']
    """
    parts, begin = [], 0
    while True:
        end = end_of(text, begin, sign)
        parts.append(text[begin:end])
        if end == len(text):
            return parts
        begin = end + 1


def end_of(text: str, begin: int, signs: str) -> int:
    """Return the place of the first of some signs that stands in no quotes and no brackets.

    Returns:
        Its index from `begin` on, or the length of the text.

    Raises:
        UserError: A quote or a bracket is not closed.
    """
    depth, begins, place = 0, True, begin
    while place < len(text):
        sign = text[place]
        if begins and sign in _QUOTES:
            place, begins = _closing(text, place) + 1, False
            behind = text[place:].lstrip()[:1]
            if behind and behind not in f"{_ENDS}]":
                raise UserError(f"cannot read {text!r}: {behind!r} follows a closing quote")
            continue
        if begins and sign == "[":
            depth += 1
        elif depth and sign == "]":
            depth -= 1
            begins = False
        elif not depth and sign in signs:
            return place
        else:
            begins = sign in _ENDS or (begins and sign.isspace())
        place += 1
    if depth:
        raise UserError(f"cannot read {text!r}: a [ is not closed; text that holds one is quoted")
    return place


def _closing(text: str, place: int) -> int:
    """Return the place of the quote that closes the one at `place`."""
    quote, begin = text[place], place + 1
    while (end := text.find(quote, begin)) >= 0:
        if text[end + 1 : end + 2] != quote:
            return end
        begin = end + 2
    raise UserError(f"cannot read {text!r}: a {quote} is not closed")


def read_item(text: str) -> Item:
    """Take one item apart.

    Raises:
        UserError: A quote or a bracket is not closed, or something follows it.

    >>> read_item("[3, [5, 'a,b']]")
    (Word(text='3', quoted=False), (Word(text='5', quoted=False), Word(text='a,b', quoted=True)))
    """
    text = text.strip()
    first = text[:1]
    if first and first in _QUOTES:
        end = _closing(text, 0)
        _nothing_behind(text, end)
        return Word(text=text[1:end].replace(2 * first, first), quoted=True)
    if first != "[":
        return Word(text=text)
    end = 1 + end_of(text[1:], 0, "]")
    if end == len(text):
        raise UserError(f"cannot read {text!r}: a [ is not closed; text that holds one is quoted")
    _nothing_behind(text, end)
    inside = split(text[1:end], ",")
    if not inside[-1].strip():  # nothing at all, or behind a last comma
        inside.pop()
    return tuple(read_item(part) for part in inside)


def _nothing_behind(text: str, end: int) -> None:
    if text[end + 1 :].strip():
        raise UserError(f"cannot read {text!r}: {text[end + 1 :].strip()!r} follows {text[end]}")


def write(value: Any, *, quoted: bool = False) -> str:
    """Write an option's value as users type it.

    Args:
        value: A number, text, true or false, None, or a list or tuple of such.
        quoted: Whether all text is quoted, not only what has to be.

    >>> write((3, "a,b", None, True))
    '[3,"a,b",None,true]'
    """
    if isinstance(value, list | tuple):
        return f"[{','.join(write(one, quoted=quoted or one == '') for one in value)}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and (quoted or _SPECIAL & set(value) or value != value.strip()):
        return quote(value)
    return str(value)


def quote(text: str) -> str:
    """Put a text in quotes: double ones, unless it holds these and no single ones."""
    sign = "'" if '"' in text and "'" not in text else '"'
    return f"{sign}{text.replace(sign, 2 * sign)}{sign}"


def stands_for(item: Item, value: Any) -> bool:
    """Tell whether an item may be how a value of a record is written, whatever the option's type.

    >>> stands_for(read_item("[3,'a']"), (3, "a"))
    True
    """
    if isinstance(value, list | tuple):
        return (
            isinstance(item, tuple)
            and len(item) == len(value)
            and all(map(stands_for, item, value))
        )
    if isinstance(item, tuple) or (item.quoted and not isinstance(value, str)):
        return False
    return item.text == (value if isinstance(value, str) else write(value))
