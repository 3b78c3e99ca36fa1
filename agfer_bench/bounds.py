"""What a record may hold: how large numbers are, and what may be a name."""

from __future__ import annotations

import re

LARGEST_WHOLE = 2**53
"""Largest whole number: what JavaScript holds as well."""

LARGEST_REAL = 1e100
"""Largest number: sums and squares of it are finite."""

LONGEST_NAME = 1_000
"""Most characters of a name in a record, labels of modules included."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CLIMBS = re.compile(r"(^|[/\\])\.\.($|[/\\])")
_ABSOLUTE = re.compile(r"[/\\]|[A-Za-z]:[/\\]")


def fault_of_name(name: str, longest: int = LONGEST_NAME) -> str | None:
    """Say why a text is no name that a record may hold; None where it is one.

    Names may become names of files, links or columns.
    """
    if not name.strip():
        return "is empty"
    if len(name) > longest:
        return f"has more than {longest:,} characters"
    if _CONTROL.search(name):
        return "holds control characters"
    if _CLIMBS.search(name):
        return "climbs out of a folder"
    if _ABSOLUTE.match(name):
        return "is a path from the root"
    return None
