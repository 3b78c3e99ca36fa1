"""Options: read off signatures, parsed from text, checked."""

from __future__ import annotations

import functools
from typing import Any, Literal

import pytest

from agfer_bench.errors import UserError
from agfer_bench.plugin.options import label, options_of, parse_choice, resolve_options


def _build(
    slot: Any,
    *,
    reduction: int = 16,
    shared: bool = False,
    rate: float = 0.5,
    pool: Literal["mean", "max"] = "mean",
) -> None: ...


KNOWN = options_of(_build)


def _resolve(text: str) -> dict[str, Any]:
    choice = parse_choice(text)
    return resolve_options(choice.name, KNOWN, choice)


def test_options_come_from_the_signature() -> None:
    assert [(o.name, o.type_name, o.default) for o in KNOWN[:3]] == [
        ("reduction", "int", 16),
        ("shared", "bool", False),
        ("rate", "float", 0.5),
    ]


def test_values_are_converted_to_their_types() -> None:
    values = _resolve("b:reduction=8:shared=true:rate=1e-3:pool=max")
    assert values == {"reduction": 8, "shared": True, "rate": 0.001, "pool": "max"}
    assert type(values["shared"]) is bool
    assert _resolve("b") == {"reduction": 16, "shared": False, "rate": 0.5, "pool": "mean"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("b:reductoin=8", "did you mean 'reduction'"),
        ("b:reduction=eight", "b:reduction must be of type int, not 'eight'"),
        ("b:reduction=8.5", "must be of type int"),
        ("b:shared=perhaps", "must be of type bool"),
        ("b:pool=min", "b:pool must be one of mean, max, not 'min'$"),
        ("b:reduction=8:reduction=4", "stands twice"),
        ("b:reduction", "expected NAME"),
        ("b=8", "expected NAME"),
        (":x=1", "expected NAME"),
    ],
)
def test_wrong_options_are_refused(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        _resolve(text)


def test_a_class_and_a_partial_have_typed_options_too() -> None:
    class Build:
        def __init__(self, slot: Any, reduction: int = 16) -> None: ...

    for function in (
        Build,
        functools.partial(_build, shared=True),
        lambda slot, reduction=16: None,
    ):
        known = options_of(function)
        choice = parse_choice("b:reduction=8")
        assert resolve_options("b", known, choice)["reduction"] == 8


def test_values_that_no_record_can_keep_are_refused() -> None:
    with pytest.raises(UserError, match="b:rate must be a finite number"):
        _resolve("b:rate=nan")


def test_labels_show_what_differs_from_the_defaults() -> None:
    assert label("b", _resolve("b:reduction=16"), KNOWN) == "b"
    assert label("b", _resolve("b:shared=1:reduction=4"), KNOWN) == "b:reduction=4:shared=true"


def test_an_option_without_default_is_the_authors_error() -> None:
    with pytest.raises(UserError, match=r"'depth' of .*<lambda> needs a default"):
        options_of(lambda slot, depth: None)
    with pytest.raises(UserError, match="takes no argument"):
        options_of(lambda: None)


@pytest.mark.parametrize(
    ("text", "name", "options", "folder"),
    [
        ("synthetic", "synthetic", (), None),
        ("image-folder=a b/c", "image-folder", (), "a b/c"),
        ("x=C:/data:1=2", "x", (), "C:/data:1=2"),
        ("oulu:light=Weak=/d=e", "oulu", (("light", "Weak"),), "/d=e"),
        ("synthetic:subjects=4:seed=1", "synthetic", (("subjects", "4"), ("seed", "1")), None),
    ],
)
def test_data_choices(
    text: str, name: str, options: tuple[tuple[str, str], ...], folder: str | None
) -> None:
    choice = parse_choice(text, folder=True)
    assert (choice.name, choice.options, choice.folder) == (name, options, folder)
