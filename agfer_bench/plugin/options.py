"""Options of plugins: read off a function's typed keyword arguments, set from text, written again.

`agfer:reduction=8` names the block `agfer` with one option. The options that exist, their types
and their defaults are those of the plugin's own function, so there is nothing to declare twice.
"""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from agfer_bench.errors import UserError
from agfer_bench.grammar import end_of, split, write
from agfer_bench.plugin.option_types import (
    Unkept,
    Unreadable,
    choices_of,
    differs,
    is_plain,
    item_of,
    kept,
    of_default,
    read,
    read_text,
    takes_slash,
    told,
)
from agfer_bench.text import nearest

RESIDUAL = "residual"
"""An option of every attention block, which the harness sees to: x + block(x) in place of block(x).
"""

NEUTRAL = "neutral"
"""Another: the block's output divided by the mean gate that it starts with."""

CONTROL = "control"
"""Another: a twin of the block, which does not attend to the image, in its place."""


Places = tuple[tuple[int, int], tuple[int, int]]
"""Number of a slot, from 0, and of how many; number of its stage among those that have slots, from
0, and of how many. Values for each are told apart by how many there are."""


@dataclass(frozen=True, kw_only=True)
class Option:
    """One typed keyword argument of a plugin's function."""

    name: str
    """Name of the argument."""
    annotation: Any
    """Its type; `Any` where the plugin gives none."""
    default: Any
    """Its default value, as records keep it."""
    own_default: Any = None
    """The default as the plugin has it, where records cannot keep that: an `Enum` or a list."""
    per_slot: bool = False
    """Whether it may be given a value for each slot of the host, or each stage: `4/8/16`."""

    @property
    def choices(self) -> tuple[Any, ...]:
        """The values of a `Literal` or an `Enum`; empty for any other type."""
        return choices_of(self.annotation)

    @property
    def type_name(self) -> str:
        """The type as a reader expects it: `int`, or `one of mean, max`."""
        return told(self.annotation)

    def slot_texts(self, text: str) -> list[str]:
        """Return the texts for each slot, or the one for all slots.

        Raises:
            UserError: A quote or a bracket is not closed.
        """
        return split(text, "/") if self.per_slot else [text]

    def resolve(self, text: str) -> Any:
        """Return the value of what a user typed, as records keep it.

        Raises:
            Unreadable: It is none of the type, or no record can keep it (`Unkept`).
            UserError: A quote or a bracket is not closed.
        """
        texts = self.slot_texts(text)
        values = [kept(read_text(self.annotation, one)) for one in texts]
        if not all(map(is_plain, values)):
            raise Unkept(text)
        return values[0] if len(values) == 1 else "/".join(map(self.write, values))

    def write(self, value: Any) -> str:
        """Write a value so that it is read as the same again; values of slots are written so."""
        if self._of_slots(value):
            return str(value)
        plain = write(value)
        try:
            same = repr(kept(read_text(self.annotation, plain))) == repr(value)
        except (Unreadable, UserError):
            same = False
        return plain if same else write(value, quoted=True)

    def argument(self, value: Any, place: Places | None = None) -> Any:
        """Return a value of a record as the plugin's function takes it.

        Args:
            value: As records keep it.
            place: Where the slot is; None where there is no slot.

        Raises:
            UserError: There are values for more or fewer slots, and for more or fewer stages.
        """
        if self._of_slots(value) and place is not None:
            texts = self.slot_texts(value)
            numbers = [number for number, many in place if many == len(texts)]
            if not numbers:
                raise UserError(
                    f"{self.name}={value} has {len(texts)} values for {_told_places(place)} of the "
                    "host: give one for each, or one for all"
                )
            return read_text(self.annotation, texts[numbers[0]])
        if value == self.default and self.own_default is not None:
            return self.own_default
        if value is None or not differs(self.annotation):
            return value
        return read(self.annotation, item_of(value))

    def _of_slots(self, value: Any) -> bool:
        return self.per_slot and isinstance(value, str) and len(split(value, "/")) > 1


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A name with options as a user typed it, not yet checked."""

    name: str
    """Name of the block or data set."""
    options: tuple[tuple[str, str], ...] = ()
    """Option names and values, as text with its quotes, in the order typed."""
    folder: str | None = None
    """What stands after the closing `=`, for data sets, detectors and trackers."""

    @property
    def text(self) -> str:
        """The choice as users type it, without the folder."""
        return ":".join([self.name, *(f"{name}={value}" for name, value in self.options)])


HARNESS_OPTIONS = (
    Option(name=RESIDUAL, annotation=bool, default=False, per_slot=True),
    Option(name=NEUTRAL, annotation=bool, default=False, per_slot=True),
    Option(name=CONTROL, annotation=typing.Literal["none", "scale", "blind"], default="none"),
)
"""The options that the harness sees to itself, of every attention block."""


def parse_choice(text: str, *, folder: bool = False) -> Choice:
    """Take apart `NAME[:option=value]...` and, where there may be one, `=FOLDER` at its end.

    What stands behind that last `=` is taken as it is.

    Raises:
        UserError: The text is not of that form.

    >>> parse_choice("cbam:shared_mlp=true:reduction=8").options
    (('shared_mlp', 'true'), ('reduction', '8'))
    >>> parse_choice("image-folder=C:/my faces", folder=True).folder
    'C:/my faces'
    """
    text = text.strip()
    end = end_of(text, 0, ":=")
    name, pairs = text[:end].strip(), []
    while text[end : end + 1] == ":":
        begin, end = end + 1, end_of(text, end + 1, ":=")
        option = text[begin:end].strip()
        if not option or text[end : end + 1] != "=":
            raise _malformed(text, folder)
        begin, end = end + 1, end_of(text, end + 1, ":=")
        pairs.append((option, text[begin:end].strip()))
    rest = text[end + 1 :] if end < len(text) else None
    if not name or (rest is not None and not folder):
        raise _malformed(text, folder)
    return Choice(name=name, options=tuple(pairs), folder=rest)


def _malformed(text: str, folder: bool) -> UserError:
    form = "NAME[:option=value]..." + ("=FOLDER" if folder else "")
    return UserError(
        f"cannot read {text!r}: expected {form}, with quotes around values that hold , : or ="
    )


def options_of(function: Callable[..., Any]) -> tuple[Option, ...]:
    """Read a function's options: all its arguments but the first.

    Raises:
        UserError: An argument has no default, or the function takes no first argument.
    """
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError) as error:
        raise UserError(f"cannot read the options of {function!r}: {error}") from None
    if not parameters:
        raise UserError(
            f"{_name_of(function)} takes no argument; its first must be slot, seed, place, file or "
            "folder"
        )
    hints = _type_hints(function)
    options = []
    for parameter in parameters[1:]:
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        if parameter.default is parameter.empty:
            raise UserError(
                f"option {parameter.name!r} of {_name_of(function)} needs a default value: the "
                "harness gives the first argument, and others only where users set them"
            )
        options.append(_option(parameter, hints))
    return tuple(options)


def _option(parameter: inspect.Parameter, hints: Mapping[str, Any]) -> Option:
    default = kept(parameter.default)
    if not is_plain(default):
        raise UserError(
            f"option {parameter.name!r} has the default {parameter.default!r}; options are "
            "numbers, text, true or false, None, members of an Enum, or lists of these, since "
            "records keep them"
        )
    guess = of_default(parameter.default)
    annotation = hints.get(parameter.name, guess)
    if annotation in (list, tuple):
        annotation = guess
    same = default is parameter.default
    return Option(
        name=parameter.name,
        annotation=annotation,
        default=default,
        own_default=None if same else parameter.default,
    )


def for_blocks(options: Iterable[Option]) -> tuple[Option, ...]:
    """Return a block's options: each may differ from slot to slot where a slash can tell it."""
    own = [replace(one, per_slot=not takes_slash(one.annotation)) for one in options]
    return (*own, *HARNESS_OPTIONS)


def _name_of(function: Callable[..., Any]) -> str:
    """Name a function without its address, which is another in each process."""
    return getattr(function, "__qualname__", None) or type(function).__name__


def _type_hints(function: Callable[..., Any]) -> dict[str, Any]:
    target: Any = function
    while isinstance(target, functools.partial):
        target = target.func
    if inspect.isclass(target):
        target = target.__init__
    try:
        return typing.get_type_hints(target)
    except Exception:  # a stranger's annotations may name anything
        return {}


def resolve_options(owner: str, known: Iterable[Option], choice: Choice) -> dict[str, Any]:
    """Return every option's value: the default, or what the user typed, converted to its type.

    Args:
        owner: Name of the block or data set, for messages.
        known: The options that exist.
        choice: What the user typed.

    Raises:
        UserError: An option is unknown, stands twice, or has a value of the wrong type.
    """
    options = {option.name: option for option in known}
    values = {name: option.default for name, option in options.items()}
    seen: set[str] = set()
    for name, text in choice.options:
        if name not in options:
            raise UserError(f"{owner} has no option {name!r}{nearest(name, options)}")
        if name in seen:
            raise UserError(f"{owner}: option {name!r} stands twice")
        seen.add(name)
        try:
            values[name] = options[name].resolve(text)
        except Unreadable as error:
            wanted = _expected(options[name], text, kept=not isinstance(error, Unkept))
            raise UserError(f"{owner}:{name} must be {wanted}, not {text!r}") from None
        except UserError as error:
            raise UserError(f"{owner}:{name}: {error}") from None
    return values


def arguments_of(
    known: Iterable[Option], values: Mapping[str, Any], place: Places | None = None
) -> dict[str, Any]:
    """Return values of a record as a plugin's function takes them, which may have others too.

    Raises:
        UserError: As `Option.argument`.
    """
    options = {option.name: option for option in known}
    return {
        name: options[name].argument(value, place) if name in options else value
        for name, value in values.items()
    }


def _told_places(place: Places) -> str:
    """Say how many slots there are, and how many stages where some have several slots."""
    (_, slots), (_, stages) = place
    told = f"{slots} slot{'s' * (slots != 1)}"
    return told if stages in (1, slots) else f"{told} in {stages} stage{'s' * (stages != 1)}"


def _expected(option: Option, text: str, *, kept: bool) -> str:
    """Say what an option's value should have been."""
    if not kept:
        return "a finite number or text"
    kind = option.type_name if option.choices else f"of type {option.type_name}"
    return f"{kind} for each slot" if len(option.slot_texts(text)) > 1 else kind


def label(name: str, values: Mapping[str, Any], known: Iterable[Option]) -> str:
    """Name a block in tables: its name and the options that differ from their defaults.

    >>> known = options_of(lambda slot, reduction=16, shared=False: None)
    >>> label("cbam", {"reduction": 8, "shared": False}, known)
    'cbam:reduction=8'
    """
    parts = [name]
    for option in known:
        value = values[option.name]
        if value != option.default:
            parts.append(f"{option.name}={option.write(value)}")
    return ":".join(parts)
