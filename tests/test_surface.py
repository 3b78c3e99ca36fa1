"""The public surface is that of 0.1.0: nothing that users or plugins rely on has gone or changed.

What is added since is no concern of this test, an option, a hook or a field of a record say. What
was changed on purpose is named in `CHANGED`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.surface import surface

_FACE_IMAGE = (
    "keyword_only path, keyword_only emotion, keyword_only subject=, keyword_only sequence=, "
    "keyword_only frame=, keyword_only age_group=, keyword_only sex=, keyword_only take="
)
_PART = "keyword_only part="
_TABLE = "keyword_only root, keyword_only images, keyword_only notes="
_CLASSES = "keyword_only classes="
_SLOT = (
    "keyword_only channels, keyword_only height, keyword_only width, keyword_only classes, "
    "keyword_only stage"
)
_CHECK = "keyword_only says, keyword_only look, keyword_only required=, keyword_only everywhere="
_PLACE = (
    "keyword_only number=, keyword_only position=, keyword_only place=, keyword_only slots=, "
    "keyword_only host=, keyword_only image_size=, keyword_only stages=, "
    "keyword_only stage_number=, keyword_only previous=, keyword_only entering=, "
    "keyword_only replaces="
)
_ATTENTION = (
    "keyword_only name, keyword_only build, keyword_only source, keyword_only summary, "
    "keyword_only formula="
)
_DATASET = (
    "keyword_only name, keyword_only read, keyword_only summary, keyword_only source=, "
    "keyword_only needs_folder=, keyword_only drawn=, keyword_only layout=, keyword_only draw="
)
_TERMS = (
    "keyword_only faces=, keyword_only settings=, keyword_only licence=, keyword_only "
    "pictures_may_be_published=, keyword_only fits="
)

# What was changed on purpose since, by its place: what it was, and what it has become.
CHANGED: dict[tuple[str, ...], tuple[Any, Any]] = {
    # Trainings run side by side by default, on as many cores as pay.
    **{
        ("commands", command, "jobs", key): was_and_is
        for command in ("run", "ablate", "paper")
        for key, was_and_is in {"default": (1, None), "type": ("int", "int | None")}.items()
    },
    # Baselines without a network stand in the default table.
    ("commands", "run", "modules", "default"): (
        "agfer,se,cbam",
        "agfer,se,cbam,linear,hog-svm",
    ),
    # McNemar's test over images was one of two trainings, not of blocks.
    ("commands", "compare", "over", "type"): (
        "auto|folds|images|subjects",
        "auto|folds|subjects",
    ),
    # A data set's own split is one division.
    **{
        ("commands", command, "split", "type"): (
            "image|subject | None",
            "image|official|subject | None",
        )
        for command in ("run", "ablate", "paper")
    },
    **{
        ("records", record, "$defs", "Protocol", "properties", "folds", "minimum"): (2, 1)
        for record in ("run", "speed")
    },
    # Readers tell parts, terms, and how well a folder fits; arguments are by name, so that more of
    # them take nothing away.
    ("exports", "agfer_bench", "FaceImage", "signature"): (_FACE_IMAGE, f"{_FACE_IMAGE}, {_PART}"),
    ("exports", "agfer_bench", "DatasetSpec", "signature"): (_DATASET, f"{_DATASET}, {_TERMS}"),
    # A check tells what must work before it.
    ("exports", "agfer_bench.testing", "Check", "signature"): (
        _CHECK,
        f"{_CHECK}, keyword_only needs=, keyword_only measures=",
    ),
    # A block may stand elsewhere than at the end of a stage.
    ("exports", "agfer_bench", "Slot", "signature"): (_SLOT, f"{_SLOT}, {_PLACE}"),
    # It may be told what else it is given, or to stand for a stage.
    ("exports", "agfer_bench", "AttentionSpec", "signature"): (
        _ATTENTION,
        f"{_ATTENTION}, keyword_only replaces=",
    ),
    # A detector of a plugin may crop as well, and is named with the hash of its weights.
    **{
        ("records", kind, "$defs", "Protocol", "properties", "crop"): (
            {
                "default": "viola-jones",
                "description": "How a photograph becomes a face: the paper's cascades, or the "
                "whole image as it is.",
                "enum": ["viola-jones", "none"],
                "title": "Crop",
                "type": "string",
            },
            {"default": "viola-jones", "title": "Crop", "type": "string"},
        )
        for kind in ("run", "speed")
    },
    ("exports", "agfer_bench", "FaceTable", "signature"): (_TABLE, f"{_TABLE}, {_CLASSES}"),
    # Operations are null where an operator has no count, where they were too few before.
    **{
        ("records", kind, "$defs", "SizeRecord", "properties", "macs"): (
            {
                "description": "Multiply-accumulates of convolutions and matrix products for one "
                "image.",
                "title": "Macs",
                "type": "integer",
            },
            {"anyOf": [{"type": "integer"}, {"type": "null"}], "title": "Macs"},
        )
        for kind in ("run", "speed")
    },
    # `modules NAME` takes several.
    ("commands", "modules show", "name", "type"): ("str", "list[str]"),
    ("commands", "modules show", "name", "metavar"): (None, "NAME..."),
    ("commands", "modules show", "name", "name"): ("name", "names"),
    # Records are of version 9; earlier ones are still read.
    **{
        ("records", "run", "properties", "schema_version", key): (4, 9)
        for key in ("const", "default")
    },
}

BEFORE = json.loads((Path(__file__).parent / "surface-0.1.0.json").read_text(encoding="utf-8"))


def _change(before: Any, place: tuple[str, ...], was: Any, now: Any) -> None:
    """Put what has become of something in the place of what it was."""
    for key in place[:-1]:
        if isinstance(before, list):
            before = next(one for one in before if one["name"] == key)
        else:
            before = before[key]
    assert before[place[-1]] == was
    before[place[-1]] = now


for _place, (_was, _now) in CHANGED.items():
    _change(BEFORE, _place, _was, _now)


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
