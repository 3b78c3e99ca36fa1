"""Text that is safe to show, whoever wrote it."""

from __future__ import annotations

import csv
import io
import json
import sys
import unicodedata

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from agfer_bench.cli.safe_console import SafeConsole
from agfer_bench.text import STAND_INS, to_csv, visible, visible_json

ACTS = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Controls, directions and joiners, surrogates, ends of lines and paragraphs."""
NO_WIDTH = "\u034f\u115f\u1160\u17b4\u17b5\u3164\ufe00\ufe0f\uffa0\U000e0100\U000e01ef"

ANYTHING = st.text(st.characters(), max_size=40) | st.text(
    "\x1b[2J\x9b\u202e\u2066ab\n\t=", max_size=20
)


def _acts(text: str, but: str = "") -> list[str]:
    return [c for c in text if c not in but and unicodedata.category(c) in ACTS]


def test_everything_that_acts_is_escaped_and_nothing_else() -> None:
    for number in range(sys.maxunicode + 1):
        character = chr(number)
        category = unicodedata.category(character)
        shown = visible(character)
        if category in ACTS and character not in "\n\t":
            assert shown.isascii(), hex(number)
            assert shown.startswith("\\"), hex(number)
        elif (
            category[0] in "LMNPS" and character not in NO_WIDTH and not 0xFE00 <= number <= 0xFE0F
        ):
            assert shown == character or 0xE0100 <= number <= 0xE01EF, hex(number)
    assert all(visible(c).isascii() for c in NO_WIDTH)


@given(ANYTHING)
def test_a_console_prints_nothing_that_acts(text: str) -> None:
    table = Table(text)
    table.add_row(Text(text))
    file = io.StringIO()
    console = SafeConsole(file=file, width=60, force_terminal=False)
    for one in (text, Text(text), table, Panel(Text(text)), Group(Text(text), text)):
        console.print(one, markup=False, emoji=False)
    assert not _acts(file.getvalue(), "\n")


def test_colours_of_our_own_stay() -> None:
    file = io.StringIO()
    console = SafeConsole(file=file, width=60, force_terminal=True, color_system="standard")
    console.print(Text("a\x1b[31mb", style="bold red"))
    assert file.getvalue() == "\x1b[1;31ma\\x1b[31mb\x1b[0m\n"


@given(st.recursive(ANYTHING | st.integers() | st.none(), lambda one: st.lists(one, max_size=3)))
def test_json_is_the_same_and_acts_on_nothing(value: object) -> None:
    text = visible_json({"a": value})
    assert not _acts(text, "\n\t")
    assert json.loads(text) == {"a": value}


@settings(deadline=None)  # pandas is slow the first time
@given(ANYTHING, ANYTHING)
def test_no_cell_is_computed(label: str, column: str) -> None:
    frame = pd.DataFrame({"module": [label, "se"], f"x{column}": [-1.5, 2.0]})
    text = to_csv(frame)
    assert not _acts(text, "\n\t")
    for row in csv.reader(io.StringIO(text)):
        assert not row[0].startswith(("=", "+", "@")), row
        assert not row[0].startswith("-") or float(row[0]) <= 0


def test_numbers_are_no_formulas() -> None:
    frame = pd.DataFrame({"=a": [-1.5], "b": ["-2"], "c": ["-2+cmd"], "d": [None]})
    assert to_csv(frame) == "'=a,b,c,d\n-1.5,-2,'-2+cmd,\n"


@pytest.mark.parametrize(
    ("text", "plain"), [("86.8 ± 1.7 − –", "86.8 +- 1.7 - -"), ("ж\udcff", "\\u0436\\udcff")]
)
def test_an_output_of_ascii_gets_stand_ins(text: str, plain: str) -> None:
    assert text.encode("ascii", STAND_INS) == plain.encode()
