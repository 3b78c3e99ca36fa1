"""A label always parses back to the same options, and passes what records are held to."""

from __future__ import annotations

import enum
import inspect
import shlex
from collections.abc import Callable
from types import GenericAlias
from typing import Any, Literal

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from agfer_bench.bounds import LARGEST_REAL, LARGEST_WHOLE, fault_of_name
from agfer_bench.grammar import split
from agfer_bench.plugin.option_types import kept
from agfer_bench.plugin.options import (
    Option,
    arguments_of,
    for_blocks,
    label,
    options_of,
    parse_choice,
    resolve_options,
)
from agfer_bench.records.run import ModuleRecord
from agfer_bench.submissions.audit import _named


class Pool(enum.Enum):
    MEAN = enum.auto()
    MAX = "a/b"


class Kind(enum.StrEnum):
    PLAIN = "a,b"
    NONE = "None"


class Size(enum.IntEnum):
    SMALL = 4
    LARGE = 16


Typed = tuple[Any, st.SearchStrategy[Any]]

TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=8) | st.sampled_from(
    ["None", "none", "true", "1", "a,b", "x=1", "a:b", "[3]", "'", '"', "it's", "4/8", " a ", "["]
)
SCALARS: list[Typed] = [
    (int, st.integers(-LARGEST_WHOLE, LARGEST_WHOLE)),
    (float, st.floats(-LARGEST_REAL, LARGEST_REAL, allow_nan=False)),
    (bool, st.booleans()),
    (str, TEXT.map(str.strip) | TEXT),
    (Literal[1, 2, 16], st.sampled_from([1, 2, 16])),
    (Literal[0.5, "auto", None, "None"], st.sampled_from([0.5, "auto", None, "None"])),
    (Literal["a,b", "c=d", "1", 1, ""], st.sampled_from(["a,b", "c=d", "1", 1, ""])),
    (Pool, st.sampled_from(Pool)),
    (Kind, st.sampled_from(Kind)),
    (Size, st.sampled_from(Size)),
]


def _or_none(one: Typed) -> Typed:
    return one[0] | None, st.none() | one[1]


def _lists(one: Typed) -> list[Typed]:
    kind, values = one
    several = st.lists(values, max_size=3)
    return [
        (GenericAlias(tuple, (kind, ...)), several.map(tuple)),
        (GenericAlias(list, (kind,)), several),
        (GenericAlias(tuple, (kind, bool)), st.tuples(values, st.booleans())),
    ]


NOT_NONE = [one for one in SCALARS if one[0] is not SCALARS[5][0]]
KINDS = [*SCALARS, *map(_or_none, NOT_NONE)]
KINDS += [kind for one in KINDS for kind in _lists(one)]
KINDS += [kind for one in _lists(SCALARS[0])[:2] for kind in _lists(one)]


def _function(kinds: list[Any], defaults: list[Any]) -> Callable[..., None]:
    """Return a function of a slot and of options o0, o1, ..."""

    def build(*arguments: Any, **options: Any) -> None: ...

    names = [f"o{number}" for number in range(len(kinds))]
    build.__annotations__ = dict(zip(names, kinds, strict=True))
    slot = inspect.Parameter("slot", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    build.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            slot,
            *(
                inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
                for name, default in zip(names, defaults, strict=True)
            ),
        ]
    )
    return build


@st.composite
def chosen(draw: st.DrawFn) -> tuple[tuple[Option, ...], dict[str, Any]]:
    """Draw a signature, and values as its author has them."""
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=3))
    defaults = [draw(values) for _, values in kinds]
    known = for_blocks(options_of(_function([kind for kind, _ in kinds], defaults)))
    values = [draw(values) for _, values in kinds]
    return known, {f"o{number}": value for number, value in enumerate(values)}


def _everything(known: tuple[Option, ...], values: dict[str, Any]) -> dict[str, Any]:
    return {option.name: option.default for option in known} | values


@settings(max_examples=400, deadline=None)
@given(chosen())
def test_a_label_parses_back_to_the_same_options(
    drawn: tuple[tuple[Option, ...], dict[str, Any]],
) -> None:
    known, own = drawn
    values = _everything(known, {name: kept(value) for name, value in own.items()})
    text = label("b", values, known)
    assert split(f"se,{text},cbam", ",") == ["se", text, "cbam"]
    (word,) = shlex.split(shlex.quote(text))
    again = resolve_options("b", known, parse_choice(word))
    assert again == values
    assert label("b", again, known) == text
    assert {name: arguments_of(known, again)[name] for name in own} == own


@settings(max_examples=200, deadline=None)
@given(chosen())
def test_a_record_keeps_what_a_label_says(
    drawn: tuple[tuple[Option, ...], dict[str, Any]],
) -> None:
    known, own = drawn
    values = _everything(known, {name: kept(value) for name, value in own.items()})
    text = label("b", values, known)
    assume(fault_of_name(text) is None)  # such a row is refused when it is named
    record = ModuleRecord(
        label=text,
        name="b",
        options=values,
        distribution="mine",
        version="1",
        package_sha256="unknown",
        memory_format=None,
        source="",
    )
    again = ModuleRecord.model_validate_json(record.model_dump_json())
    assert again == record
    assert again.options == values
    assert not list(_named(again))
    changed = again.model_copy(update={"label": f"{text}:o0=other"})
    assert list(_named(changed))


@st.composite
def by_slot(draw: st.DrawFn) -> tuple[tuple[Option, ...], list[Any]]:
    """Draw an option that may differ from slot to slot, and a value for each of three slots."""
    kind, values = draw(st.sampled_from(KINDS))
    known = for_blocks(options_of(_function([kind], [draw(values)])))
    assume(known[0].per_slot)
    return known, draw(st.lists(values, min_size=3, max_size=3))


@settings(max_examples=300, deadline=None)
@given(by_slot())
def test_values_of_slots_parse_back_and_reach_their_slots(
    drawn: tuple[tuple[Option, ...], list[Any]],
) -> None:
    known, own = drawn
    text = "/".join(known[0].write(kept(value)) for value in own)
    values = resolve_options("b", known, parse_choice(f"b:o0={text}"))
    again = resolve_options("b", known, parse_choice(label("b", values, known)))
    assert again == values == _everything(known, {"o0": text})
    for places in (lambda n: ((n, 3), (0, 1)), lambda n: ((2 * n, 6), (n, 3))):
        assert [arguments_of(known, again, places(n))["o0"] for n in range(3)] == own
