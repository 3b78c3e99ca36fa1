"""Claims from TOML files: those that the package ships, and the user's own."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from agfer_bench.claims.model import Claim, Design, Row
from agfer_bench.errors import UserError
from agfer_bench.files import read_whole
from agfer_bench.text import nearest

_MOST_BYTES = 1_000_000
"""Size of a file from which it is no claim."""


_PLAIN = {
    "dict_type": "give a table",
    "model_type": 'give a table, as in { name = "AGFER", mean = 89.19 }',
    "string_pattern_mismatch": "give one line of text",
    "string_too_short": "give a text",
    "tuple_type": "give a list",
}
"""What is said in place of pydantic's words, by the type of the error."""


def find_claim(text: str) -> tuple[str, Claim]:
    """Return a claim with its name: a file of the user's, or one that the package ships.

    Args:
        text: Path of a TOML file, or the name of a shipped claim.

    Raises:
        UserError: There is no such file or claim, or the file is not a valid claim.
    """
    path = Path(text)
    if not path.exists() and text in names():
        return text, shipped(text)
    if not path.exists() and path.suffix != ".toml":
        raise UserError(f"{text!r} is neither a file nor a shipped claim{nearest(text, names())}")
    return path.stem, load_claim(path)


def load_claim(path: Path) -> Claim:
    """Read a claim.

    Raises:
        UserError: The file cannot be read, is not TOML, or is not a valid claim.
    """
    try:
        content = read_whole(path, _MOST_BYTES).decode("utf-8")
    except OSError as error:
        raise UserError(f"cannot read claim {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"claim {path} is not valid TOML: {error}") from None
    return _parse(content, where=f"claim {path}")


@cache
def names() -> tuple[str, ...]:
    """Return the names of the claims that the package ships, sorted."""
    found = [path.name for path in (files("agfer_bench.claims") / "entries").iterdir()]
    return tuple(sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml")))


@cache
def shipped(name: str) -> Claim:
    """Return a claim that the package ships."""
    file = files("agfer_bench.claims") / "entries" / f"{name}.toml"
    return _parse(file.read_text(encoding="utf-8"), where=f"claim {name}")


def _parse(content: str, *, where: str) -> Claim:
    try:
        values = tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{where} is not valid TOML: {error}") from None
    if not values:
        raise UserError(f"{where} is empty: docs/claims.md shows what it holds")
    try:
        return Claim.model_validate(values)
    except ValidationError as error:
        complaints = [_complaint(one, values) for one in error.errors()]
        raise UserError(f"{where}: {'; '.join(complaints)}") from None


def _complaint(error: Any, values: dict[str, Any]) -> str:
    """Say in words what is wrong with one value."""
    path = error["loc"]
    name = ".".join(str(part) for part in path if not isinstance(part, int))
    if not name:
        return str(error["msg"]).removeprefix("Value error, ")
    where = _row_of(path, values)
    if error["type"] == "extra_forbidden":
        layouts: dict[str, type[BaseModel]] = {"design": Design, "rows": Row}
        known = layouts.get(path[0], Claim)
        return f"unknown key {path[-1]!r}{where}{nearest(str(path[-1]), known.model_fields)}"
    if error["type"] == "missing":
        return f"{name} is missing{where}"
    said = _PLAIN.get(error["type"], error["msg"][:1].lower() + error["msg"][1:])
    return f"{name} = {_shown(error['input'])}{where}: {said}"


def _row_of(path: tuple[Any, ...], values: dict[str, Any]) -> str:
    """Name the row that a complaint is about."""
    if path[0] != "rows" or len(path) < 2:
        return ""
    row = values["rows"][path[1]]
    named = isinstance(row, dict) and isinstance(row.get("name"), str)
    return f" in row {row['name']!r}" if named else f" in row {path[1] + 1}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
