"""How much of a stranger's files is read, and their texts made safe to print."""

from __future__ import annotations

from dataclasses import dataclass

from agfer_bench.bounds import LARGEST_REAL, LARGEST_WHOLE, LONGEST_NAME
from agfer_bench.text import visible

_SHOWN = 300
"""Characters of a line that is printed."""


class Refused(ValueError):
    """A file or a record that is not read, and why, in one line that is safe to print."""

    def __init__(self, reason: str) -> None:
        super().__init__(one_line(reason))


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds on what is read; 20 modules on the paper's protocol take less than a third."""

    file_bytes: int = 32 * 2**20
    """Size of a record."""
    all_bytes: int = 2**30
    """Size of all records together."""
    records: int = 10_000
    """Number of records."""
    folders: int = 50_000
    """Number of folders that are looked through."""
    levels: int = 32
    """Folders within folders."""
    path: int = 1_000
    """Characters of a place below the folder."""
    nesting: int = 32
    """Lists and objects within each other."""
    values: int = 1_000_000
    """Numbers, texts, lists and objects of a record; counted by commas and brackets."""
    text: int = 20_000
    """Characters of a text or a key."""
    name: int = LONGEST_NAME
    """Characters of a name: of modules, distributions, data sets, classes."""
    whole: int = LARGEST_WHOLE
    """Largest whole number: what JavaScript holds as well."""
    real: float = LARGEST_REAL
    """Largest number: sums and squares of it are finite."""


def one_line(text: str, length: int = _SHOWN) -> str:
    r"""Return a stranger's text on one line, safe to print: cut, without control characters.

    >>> one_line("a\nb\x1b[2J")
    'a\\nb\\x1b[2J'
    """
    shown = visible(text[: length + 1]).replace("\n", "\\n").replace("\t", "\\t")
    return shown if len(shown) <= length else shown[: length - 1] + "…"
