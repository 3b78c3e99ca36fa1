"""The public surface as data: commands and options, hooks, environment variables, records.

`python -m tests.surface > tests/surface-0.1.0.json` writes what `tests/test_surface.py` compares.
"""

from __future__ import annotations

import inspect
import json
import sys
import typing
from enum import Enum
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import typer
from typer.models import ParameterInfo
from typer.utils import get_params_from_function

import agfer_bench
import agfer_bench.testing
from agfer_bench.cli.app import app

ROOT = Path(__file__).resolve().parents[1]
GROUP = "agfer_bench"


def surface() -> dict[str, Any]:
    """Return all that users, plugins and readers of records rely on."""
    listed = _commands((), app)
    return {
        "commands": listed,
        "environment": sorted({name for one in listed.values() for name in _variables(one)}),
        "hooks": _hooks(),
        "exports": {
            module.__name__: {name: _described(module, name) for name in sorted(module.__all__)}
            for module in (agfer_bench, agfer_bench.testing)
        },
        "entry_points": {
            GROUP: sorted(
                f"{point.name} = {point.value}"
                for point in entry_points(group=GROUP)
                if point.dist is not None and point.dist.name == "agfer-bench"
            )
        },
        "records": {
            kind: json.loads((ROOT / "docs" / "schema" / f"{kind}-record.json").read_text("utf-8"))
            for kind in ("run", "speed")
        },
    }


def _commands(words: tuple[str, ...], group: typer.Typer) -> dict[str, Any]:
    found = {}
    if group.registered_callback is not None and group.registered_callback.callback is not None:
        found[" ".join(words)] = _options(group.registered_callback.callback)
    for command in group.registered_commands:
        assert command.name is not None
        assert command.callback is not None
        found[" ".join((*words, command.name))] = _options(command.callback)
    for inner in group.registered_groups:
        assert inner.name is not None
        assert inner.typer_instance is not None
        found |= _commands((*words, inner.name), inner.typer_instance)
    return found


def _options(function: Any) -> list[dict[str, Any]]:
    """Describe what Typer makes of a function's signature, whatever stands behind it."""
    return [_option(one) for one in get_params_from_function(function).values()]


def _option(one: Any) -> dict[str, Any]:
    info, default, annotation = one.default, one.default, one.annotation
    if isinstance(info, ParameterInfo):
        default = info.default
    kind = type(info).__name__
    return {
        "name": one.name,
        "kind": kind if kind.endswith("Info") else "Context",
        "flags": list(getattr(info, "param_decls", None) or ()),
        "type": _type(annotation),
        "bounds": [getattr(info, "min", None), getattr(info, "max", None)],
        "default": "required" if default in (..., one.empty) else _plain(default),
        "metavar": getattr(info, "metavar", None),
        "panel": getattr(info, "rich_help_panel", None),
        "variable": getattr(info, "envvar", None),
    }


def _type(annotation: Any) -> str:
    """Name a type; of a choice its values, whatever the type that holds them is called."""
    choices: list[str] = []
    for one in (annotation, *typing.get_args(annotation)):
        if inspect.isclass(one) and issubclass(one, Enum):
            choices = [str(value.value) for value in one]
        elif typing.get_origin(one) is typing.Literal:
            choices = list(typing.get_args(one))
    if typing.get_origin(annotation) is typing.Literal:
        choices = list(typing.get_args(annotation))
    if choices:
        optional = type(None) in typing.get_args(annotation)
        return "|".join(sorted(choices)) + (" | None" if optional else "")
    return annotation.__name__ if inspect.isclass(annotation) else str(annotation)


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _variables(options: list[dict[str, Any]]) -> list[str]:
    return [one["variable"] for one in options if one["variable"]]


def _hooks() -> dict[str, list[str]]:
    """Return the hooks by name, each with the parameters that an implementation may take."""
    for name in ("agfer_bench.plugin.hookspecs", "agfer_bench.hookspecs"):
        try:
            module = __import__(name, fromlist=["_"])
        except ModuleNotFoundError:
            continue
        return {
            hook: sorted(inspect.signature(function).parameters)
            for hook, function in vars(module).items()
            if hasattr(function, f"{GROUP}_spec")
        }
    raise AssertionError("no module of hook specifications")


def _described(module: Any, name: str) -> Any:
    value = getattr(module, name)
    if inspect.isclass(value) and not issubclass(value, Exception):
        members = sorted(one for one in dir(value) if not one.startswith("_"))
        return {"signature": _signature(value), "members": members}
    return _signature(value) if callable(value) else type(value).__name__


def _signature(value: Any) -> str:
    try:
        found = inspect.signature(value)
    except (TypeError, ValueError):
        return "?"
    return ", ".join(
        f"{one.kind.name.lower()} {one.name}" + ("" if one.default is one.empty else "=")
        for one in found.parameters.values()
    )


if __name__ == "__main__":
    sys.stdout.write(json.dumps(surface(), indent=1, sort_keys=True) + "\n")
