"""The public surface is that of 0.1.0: nothing that users or plugins rely on has gone or changed.

What is added since is no concern of this test, an option, a hook or a field of a record say.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.surface import surface

BEFORE = json.loads((Path(__file__).parent / "surface-0.1.0.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def now() -> dict[str, Any]:
    return surface()


@pytest.mark.parametrize("command", BEFORE["commands"])
def test_options(command: str, now: dict[str, Any]) -> None:
    options = {one["name"]: one for one in now["commands"][command]}
    assert [options.get(one["name"]) for one in BEFORE["commands"][command]] == (
        BEFORE["commands"][command]
    )


@pytest.mark.parametrize("part", ["hooks", "exports", "records"])
def test_what_plugins_and_readers_rely_on(part: str, now: dict[str, Any]) -> None:
    assert missing(BEFORE[part], now[part]) == []


def test_variables_and_entry_points(now: dict[str, Any]) -> None:
    assert set(BEFORE["environment"]) <= set(now["environment"])
    assert set(BEFORE["entry_points"]["agfer_bench"]) <= set(now["entry_points"]["agfer_bench"])


def test_what_has_gone_is_found() -> None:
    assert missing({"a": [1, 2], "b": {"c": 1}}, {"a": [1], "b": {}}) == ["a: 2", "b.c"]
    assert missing({"a": {"b": 1}}, {"a": {"b": 2}}) == ["a.b: 1"]


def missing(before: Any, now: Any, where: str = "") -> list[str]:
    """Return what stands in one tree and not in the other; descriptions may be reworded."""
    if isinstance(before, dict) and isinstance(now, dict):
        found = []
        for key, value in before.items():
            name = f"{where}.{key}" if where else key
            if key not in now:
                found.append(name)
            elif key != "description" or not isinstance(value, str):
                found += missing(value, now[key], name)
        return found
    if isinstance(before, list) and isinstance(now, list):
        return [f"{where}: {one}" for one in before if one not in now]
    return [] if before == now else [f"{where}: {before}"]
