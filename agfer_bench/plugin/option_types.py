"""Types of options: text read as a value of a type, and a value kept as records can.

What a record keeps is plain: a member of an `Enum` by its name, of a `StrEnum` or `IntEnum` by its
value; a list as a tuple; all else as it is.
"""

from __future__ import annotations

import collections.abc
import enum
import math
import types
import typing
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from agfer_bench.bounds import LARGEST_REAL, LARGEST_WHOLE
from agfer_bench.grammar import Item, Word, read_item, write

_NONE = ("None", "none")
"""How None is typed."""

_LISTS = (list, tuple, collections.abc.Sequence, collections.abc.Iterable)
"""Types, bare or of something, that take a list."""


_WITHOUT_SLASH = (bool, int, float, None, type(None))
"""Types of which no value is written with a slash."""


class Unreadable(ValueError):
    """A text does not stand for a value of the type."""


class Unkept(Unreadable):
    """A value is of the type, and no record can keep it."""


def takes_text(annotation: Any) -> bool:
    """Tell whether any text will do, so that nothing in it has a meaning of its own."""
    kind = typing.get_origin(annotation)
    if kind is typing.Annotated:
        return takes_text(typing.get_args(annotation)[0])
    if _is_union(annotation):
        return any(map(takes_text, typing.get_args(annotation)))
    return annotation in (Any, str, object)


def takes_slash(annotation: Any) -> bool:
    """Tell whether a slash may be part of a value, so that it cannot divide slots."""
    if annotation in _WITHOUT_SLASH or _takes_list(annotation):
        return False
    if typing.get_origin(annotation) is typing.Annotated:
        return takes_slash(typing.get_args(annotation)[0])
    if _is_union(annotation):
        return any(map(takes_slash, typing.get_args(annotation)))
    choices = choices_of(annotation)
    return not choices or any("/" in text for one in choices for text in _spellings(one))


def choices_of(annotation: Any) -> tuple[Any, ...]:
    """Return the values of a `Literal`, or the members of an `Enum`; empty for any other type."""
    if typing.get_origin(annotation) is typing.Literal:
        return typing.get_args(annotation)
    return tuple(annotation) if _is_enum(annotation) else ()


def told(annotation: Any) -> str:
    """Say a type as a reader expects it: `int`, or `one of mean, max`."""
    if choices := choices_of(annotation):
        return f"one of {', '.join(write(kept(choice)) for choice in choices)}"
    if typing.get_origin(annotation) is None:
        return getattr(annotation, "__name__", None) or str(annotation)
    return str(annotation).replace("typing.", "").replace("collections.abc.", "")


def kept(value: Any) -> Any:
    """Return a value as records keep it; one that they cannot keep is returned as it is."""
    if isinstance(value, enum.Enum):
        return value.value if isinstance(value, int | str) else value.name
    if isinstance(value, list | tuple):
        return tuple(map(kept, value))
    return value


def is_plain(value: Any, lists: int = 2) -> bool:
    """Tell whether a record can keep a value, as `records.base.OptionValue` has it.

    Args:
        value: Any value.
        lists: How many lists within each other are left.
    """
    if isinstance(value, tuple):
        return lists > 0 and all(is_plain(one, lists - 1) for one in value)
    if isinstance(value, bool) or value is None:
        return True
    if isinstance(value, int):
        return abs(value) <= LARGEST_WHOLE
    if isinstance(value, float):
        return math.isfinite(value) and abs(value) <= LARGEST_REAL
    return isinstance(value, str) and _encodes(value)


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half a character, which no file of UTF-8 holds
        return False
    return True


def of_default(default: Any) -> Any:
    """Guess the type of an option that has none, from its default."""
    if default is None:
        return Any
    kinds = {type(one) for one in default} if isinstance(default, list | tuple) else set()
    if len(kinds) != 1:
        return type(default)
    (kind,) = kinds
    return list[kind] if isinstance(default, list) else tuple[kind, ...]  # type: ignore[valid-type]


def read_text(annotation: Any, text: str) -> Any:
    """Read an option's text as one value of its type, as the author's function takes it.

    Raises:
        Unreadable: It stands for none.
        UserError: A quote or a bracket is not closed.
    """
    item = read_item(text)
    if takes_text(annotation) and isinstance(item, tuple):
        if any(map(_takes_list, _members(annotation))):
            return read(annotation, item)
        return text.strip()
    return read(annotation, item)


def read(annotation: Any, item: Item) -> Any:
    """Read an item as a value of a type.

    Raises:
        Unreadable: It stands for none.
    """
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _annotated(annotation, arguments[0], item)
    if _is_union(annotation):
        # Text last, since everything is text.
        members = sorted(arguments, key=lambda one: (one is not type(None), takes_text(one)))
        return _first([partial(read, member, item) for member in members])
    if choices := choices_of(annotation):
        return _choice(choices, item)
    if _takes_list(annotation):
        return _list(origin or annotation, arguments, item)
    if isinstance(item, tuple):
        raise Unreadable("a list")
    if annotation in (type(None), None):
        if item.quoted or item.text not in _NONE:
            raise Unreadable(item.text)
        return None
    return item.text if takes_text(annotation) else _scalar(annotation, item.text)


def item_of(value: Any) -> Item:
    """Return the item that stands for a value of a record."""
    if isinstance(value, tuple):
        return tuple(map(item_of, value))
    return Word(text=value, quoted=True) if isinstance(value, str) else Word(text=write(value))


def differs(annotation: Any) -> bool:
    """Tell whether what a record keeps is not what the author's function takes."""
    if _is_enum(annotation) or _takes_list(annotation):
        return True
    return any(map(differs, typing.get_args(annotation))) or any(
        isinstance(choice, enum.Enum) for choice in choices_of(annotation)
    )


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)


def _is_enum(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, enum.Enum)


def _members(annotation: Any) -> tuple[Any, ...]:
    return typing.get_args(annotation) if _is_union(annotation) else (annotation,)


def _takes_list(annotation: Any) -> bool:
    return annotation in _LISTS or typing.get_origin(annotation) in _LISTS


def _first(readings: Sequence[Callable[[], Any]]) -> Any:
    for reading in readings[:-1]:
        try:
            return reading()
        except Unreadable:
            continue
    return readings[-1]()


def _choice(choices: tuple[Any, ...], item: Item) -> Any:
    """Find the choice that is so written: in quotes one of text, else any, text last."""
    if isinstance(item, tuple):
        raise Unreadable("a list")
    text = [choice for choice in choices if isinstance(kept(choice), str)]
    others = [] if item.quoted else [choice for choice in choices if choice not in text]
    for choice in (*others, *text):
        if item.text in _spellings(choice):
            return choice
    raise Unreadable(item.text)


def _spellings(choice: Any) -> tuple[str, ...]:
    """Return how a choice may be typed: a member of an `Enum` by its name, or a plain value."""
    if choice is None:
        return _NONE
    value = choice.value if isinstance(choice, enum.Enum) else choice
    known = [value] if isinstance(value, bool | int | float | str) else []
    names = [choice.name] if isinstance(choice, enum.Enum) else []
    return tuple(one if isinstance(one, str) else write(one) for one in (*names, *known))


def _list(origin: Any, arguments: tuple[Any, ...], item: Item) -> Any:
    if not isinstance(item, tuple):
        raise Unreadable(item.text)
    kinds: Sequence[Any] = arguments or (Any,)
    if origin is tuple and arguments and arguments[-1] is not Ellipsis:
        if len(item) != len(kinds):
            raise Unreadable(f"{len(item)} values")
    else:
        kinds = [kinds[0]] * len(item)
    values = [read(kind, one) for kind, one in zip(kinds, item, strict=True)]
    return values if origin is list else tuple(values)


def _scalar(annotation: Any, text: str) -> Any:
    from pydantic import PydanticUserError, TypeAdapter, ValidationError

    try:
        return TypeAdapter(annotation).validate_strings(text)
    except (ValidationError, PydanticUserError):  # the latter where nothing is known of the type
        raise Unreadable(text) from None


def _annotated(annotation: Any, kind: Any, item: Item) -> Any:
    """Read a value of a type that is bound further, as in `Annotated[int, Gt(0)]`."""
    from pydantic import PydanticUserError, TypeAdapter, ValidationError

    try:
        return TypeAdapter(annotation).validate_python(read(kind, item))
    except (ValidationError, PydanticUserError):
        raise Unreadable(item) from None
