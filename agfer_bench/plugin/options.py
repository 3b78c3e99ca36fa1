"""Options of plugins: read off a function's typed keyword arguments, set from text.

`agfer:reduction=8` names the block `agfer` with one option. The options that exist, their types
and their defaults are those of the plugin's own function, so there is nothing to declare twice.
"""

from __future__ import annotations

import functools
import inspect
import math
import re
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from agfer_bench.errors import UserError
from agfer_bench.text import nearest, typed

RESIDUAL = "residual"
"""An option of every attention block, which the harness sees to: x + block(x) in place of block(x).
"""

NEUTRAL = "neutral"
"""Another: the block's output divided by the mean gate that it starts with."""

CONTROL = "control"
"""Another: a twin of the block, which does not attend to the image, in its place."""

_TEXT = re.compile(r"(?P<name>[^:=]+)(?P<options>(?::[^:=]+=[^:=]*)*)(?:=(?P<folder>.*))?", re.S)


@dataclass(frozen=True, kw_only=True)
class Option:
    """One typed keyword argument of a plugin's function."""

    name: str
    """Name of the argument."""
    annotation: Any
    """Its type; `Any` where the plugin gives none."""
    default: Any
    """Its default value."""

    @property
    def choices(self) -> tuple[Any, ...]:
        """The values of a `Literal`; empty for any other type."""
        is_literal = typing.get_origin(self.annotation) is typing.Literal
        return typing.get_args(self.annotation) if is_literal else ()

    @property
    def type_name(self) -> str:
        """The type as a reader expects it: `int`, or `one of mean, max`."""
        if self.choices:
            return f"one of {', '.join(map(str, self.choices))}"
        return getattr(self.annotation, "__name__", None) or str(self.annotation)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A name with options as a user typed it, not yet checked."""

    name: str
    """Name of the block or data set."""
    options: tuple[tuple[str, str], ...] = ()
    """Option names and values, as text, in the order typed."""
    folder: str | None = None
    """What stands after the closing `=`, for data sets, detectors and trackers."""

    @property
    def text(self) -> str:
        """The choice as users type it, without the folder."""
        return ":".join([self.name, *(f"{name}={value}" for name, value in self.options)])


HARNESS_OPTIONS = (
    Option(name=RESIDUAL, annotation=bool, default=False),
    Option(name=NEUTRAL, annotation=bool, default=False),
    Option(name=CONTROL, annotation=typing.Literal["none", "scale", "blind"], default="none"),
)
"""The options that the harness sees to itself, of every attention block."""


def parse_choice(text: str, *, folder: bool = False) -> Choice:
    """Take apart `NAME[:option=value]...` and, where there may be one, `=FOLDER` at its end.

    Raises:
        UserError: The text is not of that form.

    >>> parse_choice("cbam:shared_mlp=true:reduction=8").options
    (('shared_mlp', 'true'), ('reduction', '8'))
    >>> parse_choice("image-folder=C:/my faces", folder=True).folder
    'C:/my faces'
    """
    form = "NAME[:option=value]..." + ("=FOLDER" if folder else "")
    match = _TEXT.fullmatch(text.strip())
    if match is None or (match["folder"] is not None and not folder):
        raise UserError(f"cannot read {text!r}: expected {form}")
    pairs = [part.split("=", 1) for part in match["options"].split(":")[1:]]
    return Choice(
        name=match["name"].strip(),
        options=tuple((name.strip(), value.strip()) for name, value in pairs),
        folder=match["folder"],
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
            f"{function!r} takes no argument; its first must be slot, seed, place, file or folder"
        )
    hints = _type_hints(function)
    options = []
    for parameter in parameters[1:]:
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        if parameter.default is parameter.empty:
            raise UserError(f"option {parameter.name!r} of {function!r} needs a default value")
        if not _is_plain(parameter.default):
            raise UserError(
                f"option {parameter.name!r} has the default {parameter.default!r}; options are "
                "numbers, text, true or false, or None, since records keep them"
            )
        guess = Any if parameter.default is None else type(parameter.default)
        annotation = hints.get(parameter.name, guess)
        options.append(
            Option(name=parameter.name, annotation=annotation, default=parameter.default)
        )
    return tuple(options)


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


def _is_plain(value: Any) -> bool:
    """Tell whether a record can keep an option's value."""
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, bool | int | str)


def resolve_options(owner: str, known: Iterable[Option], choice: Choice) -> dict[str, Any]:
    """Return every option's value: the default, or what the user typed, converted to its type.

    Args:
        owner: Name of the block or data set, for messages.
        known: The options that exist.
        choice: What the user typed.

    Raises:
        UserError: An option is unknown, stands twice, or has a value of the wrong type.
    """
    from pydantic import TypeAdapter, ValidationError

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
            values[name] = TypeAdapter(options[name].annotation).validate_strings(text)
        except ValidationError:
            kind = "" if options[name].choices else "of type "
            raise UserError(
                f"{owner}:{name} must be {kind}{options[name].type_name}, not {text!r}"
            ) from None
        if not _is_plain(values[name]):
            raise UserError(f"{owner}:{name} must be a finite number or text, not {text!r}")
    return values


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
            parts.append(f"{option.name}={typed(value)}")
    return ":".join(parts)
