"""A report as plain data: sections of tables and figures, without a word of HTML or Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table as people read it, and the numbers behind it."""

    name: str
    """Stem of its data file."""
    title: str
    """Begins with the paper's number, where the paper has such a table."""
    columns: tuple[str, ...]
    """Headings."""
    rows: tuple[tuple[str, ...], ...]
    """Cells, each row as long as `columns`."""
    labels: int = 1
    """How many leading columns hold words; the others hold numbers."""
    notes: tuple[str, ...] = ()
    """What a reader must know beside the table, a sentence or two each."""
    data: pd.DataFrame
    """The same numbers at full precision, one observation a row."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One file of a figure."""

    name: str
    """Stem of its files."""
    alt: str
    """What it shows, for those who cannot see it."""
    draw: Callable[[], Figure]
    """Draws it."""


@dataclass(frozen=True, kw_only=True)
class Plate:
    """A figure: one picture or several that belong together."""

    name: str
    """Stem of its data file."""
    title: str
    """Begins with the paper's number, where the paper has such a figure."""
    caption: str
    """What is drawn, of how many, in which unit."""
    pictures: tuple[Picture, ...]
    """What is drawn."""
    data: pd.DataFrame | None
    """The drawn numbers at full precision; None where there are none."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the report."""

    title: str
    """Heading."""
    text: tuple[str, ...] = ()
    """Paragraphs before the tables and figures."""
    items: tuple[Table | Plate, ...] = ()
    """Tables and figures."""

    @property
    def anchor(self) -> str:
        """Name for links within a page."""
        return slug(self.title.lower())


@dataclass(frozen=True, kw_only=True)
class Document:
    """A whole report."""

    title: str
    """Heading."""
    notice: str | None
    """What must stand at every table and figure; None where nothing must."""
    short_notice: str | None
    """The same in as few words as the narrowest picture holds."""
    facts: tuple[tuple[str, str], ...]
    """What was done, on what and with what: names and values."""
    notes: tuple[str, ...]
    """What a reader must know."""
    sections: tuple[Section, ...]
    """In order."""


def slug(text: str) -> str:
    """Make a file name or anchor of any text.

    >>> slug("cbam:shared_mlp=true"), slug("<script>"), slug("é")
    ('cbam-shared_mlp-true', 'script', 'x')
    """
    return re.sub(r"[^A-Za-z0-9_]+", "-", text)[:60].strip("-") or "x"


def printable(text: str) -> str:
    """Replace what is no printable character, such as a line break in a file's name."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
