"""A table of an image folder's pictures: `metadata.csv` or `metadata.jsonl`.

The convention is Hugging Face's: `file_name` is relative to the folder, and a row may give more.
Names are taken as people have them: with backslashes, absolute, in other letters or with accents
composed otherwise than on the disk.
"""

from __future__ import annotations

import csv
import json
import posixpath
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from agfer_bench import UserError
from agfer_bench_databases.tree import Notes, entries, files_below, shown, some

NAMES = ("metadata.csv", "metadata.jsonl")
"""Names of the table, the first that is there counts; capitals do not matter."""

COLUMNS = ("file_name", "emotion", "subject", "sequence", "frame", "age_group", "sex", "take")

_TABLES = frozenset({".csv", ".jsonl", ".parquet", ".tsv", ".xls", ".xlsx"})
_PLAIN = {column.replace("_", ""): column for column in COLUMNS}
_DRIVE = re.compile(r"[A-Za-z]:[/\\]")

Row = dict[str, str | None]


def find_metadata(folder: Path, notes: Notes) -> Path | None:
    """Return the folder's table, or None; note other tables, which are not read."""
    files = [path for path in entries(folder) if path.suffix.lower() in _TABLES and path.is_file()]
    lower = {path.name.lower(): path for path in reversed(files)}
    found = next((lower[name] for name in NAMES if name in lower), None)
    others = [path.name for path in files if path != found]
    if others:
        taken = f"{found.name} is" if found is not None else f"the reader takes {NAMES[0]}"
        notes.say(f"tables that are not read ({taken}): {some(others)}")
    return found


def read_rows(table: Path, notes: Notes) -> Iterator[tuple[str, Row]]:
    """Yield each row with where it stands; cells by the names in `COLUMNS`.

    Raises:
        UserError: It is no such table, or a row does not fit it.
    """
    unused: dict[str, None] = {}
    rows = _json_rows if table.suffix.lower() == ".jsonl" else _csv_rows
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            for line, pairs in rows(table, file):
                where = f"{table}, line {line}"
                row = _row(pairs, where, unused)
                if not row.get("file_name"):
                    raise UserError(f"{where}: file_name is empty")
                yield where, row
    except (UnicodeDecodeError, csv.Error) as error:
        what = "JSON lines" if rows is _json_rows else "CSV"
        raise UserError(f"{table} is not a {what} file in UTF-8: {error}") from None
    if unused:
        notes.say(f"columns of {table.name} that are not used: {some(unused, 8)}")


def _csv_rows(table: Path, file: Iterable[str]) -> Iterator[tuple[int, list[tuple[str, Any]]]]:
    reader = csv.reader(file, strict=True)
    header = next(reader, [])
    columns = [_column(name) for name in header]
    if "file_name" not in columns:
        found = shown(",".join(header)[:80]) or "nothing"
        raise UserError(
            f"{table} has no column file_name in its first line, but {found}; separate columns by "
            "commas"
        )
    for column in COLUMNS:
        if columns.count(column) > 1:
            raise UserError(
                f"{table} has {columns.count(column)} columns called {column}; keep one"
            )
    for row in reader:
        if len(row) > len(header):
            raise UserError(
                f"{table}, line {reader.line_num}: {len(row)} cells, but {len(header)} columns; "
                "put cells with commas in double quotes"
            )
        if row:
            yield reader.line_num, list(zip(header, row, strict=False))


def _json_rows(table: Path, file: Iterable[str]) -> Iterator[tuple[int, list[tuple[str, Any]]]]:
    for line, text in enumerate(file, start=1):
        if not text.strip():
            continue
        try:
            pairs = json.loads(text, object_pairs_hook=_Pairs)
        except (ValueError, RecursionError):
            pairs = None
        if not isinstance(pairs, _Pairs):
            raise UserError(f"{table}, line {line}: no JSON object; a line is one picture")
        yield line, pairs


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as it is written: names that stand twice are seen."""


def _column(name: str) -> str:
    """Return a column's name in `COLUMNS`, or as it is: capitals, blanks and dashes are no matter.

    >>> _column("File-Name"), _column(" ageGroup"), _column("race")
    ('file_name', 'age_group', 'race')
    """
    return _PLAIN.get(re.sub(r"[\s_-]", "", name).lower(), name.strip())


def _row(pairs: Iterable[tuple[str, Any]], where: str, unused: dict[str, None]) -> Row:
    row: Row = {}
    for name, value in pairs:
        column = _column(name)
        if column not in COLUMNS:
            unused[shown(column) or "(no name)"] = None
            continue
        if column in row:
            raise UserError(f"{where}: {column} stands twice")
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool | list | dict):
            raise UserError(f"{where}: {column} is neither text nor a number")
        row[column] = None if value is None else str(value).strip() or None
    return row


class Pictures:
    """Finds the files that a table names."""

    def __init__(self, folder: Path, table: Path, notes: Notes) -> None:
        self._folder = folder
        self._notes = notes
        self._other_place = f"absolute names in {table.name} that were found in the folder"
        self._respelled = f"names in {table.name} that are spelled otherwise than the files"

    @cached_property
    def files(self) -> list[str]:
        """Names of all files in the folder, relative to it."""
        return [path.relative_to(self._folder).as_posix() for path in files_below(self._folder)]

    def find(self, name: str, where: str) -> str | None:
        """Return the name of the file that is meant, relative to the folder; None if there is none.

        Raises:
            UserError: It lies outside the folder.
        """
        if name.startswith("/") or _DRIVE.match(name):
            return self._absolute(name, where)
        plain = posixpath.normpath(name)
        if self.is_there(plain):
            return plain
        slashed = posixpath.normpath(name.replace("\\", "/"))
        if plain.split("/")[0] == ".." or slashed.split("/")[0] == "..":
            raise UserError(f"{where}: {shown(name)} lies outside the folder")
        found = slashed if self.is_there(slashed) else self._other_spelling(slashed)
        if found is not None:
            self._notes.count(self._respelled, shown(name))
        return found

    def _absolute(self, name: str, where: str) -> str | None:
        """Find an absolute name: within the folder, or by its end if it is another machine's."""
        for folder in (self._folder.absolute(), self._folder.resolve()):
            inside = posixpath.relpath(posixpath.normpath(name), folder.as_posix())
            if not inside.startswith("..") and self.is_there(inside):
                return inside
        if name.startswith("/") and Path(name).exists():
            raise UserError(f"{where}: {shown(name)} lies outside the folder")
        parts = [part for part in re.split(r"[/\\]", name)[1:] if part not in ("", ".")]
        if ".." not in parts:
            for first in range(len(parts)):
                end = "/".join(parts[first:])
                found = end if self.is_there(end) else self._other_spelling(end)
                if found is not None:
                    self._notes.count(self._other_place, shown(name))
                    return found
        return None

    def is_there(self, name: str) -> bool:
        """Tell whether a name that is relative to the folder is that of a file in it."""
        # Links may lead anywhere: stores of DVC and git-annex lie beside the folder.
        return name.split("/")[0] != ".." and (self._folder / name).is_file()

    def _other_spelling(self, name: str) -> str | None:
        """Find the only file whose name is the same but for accents' coding, or for capitals."""
        for form, by_form in ((_composed, self._by_composed), (_folded, self._by_folded)):
            found = by_form.get(form(name), [])
            if found:
                return found[0] if len(found) == 1 and self.is_there(found[0]) else None
        return None

    @cached_property
    def _by_composed(self) -> dict[str, list[str]]:
        return _by(_composed, self.files)

    @cached_property
    def _by_folded(self) -> dict[str, list[str]]:
        return _by(_folded, self.files)


def _by(form: Any, names: list[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(form(name), []).append(name)
    return groups


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _folded(name: str) -> str:
    return _composed(_composed(name).casefold())
