"""Names that a new block may have: as a block, as a distribution and as a Python package."""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution

from agfer_bench.errors import UserError

_FORM = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
"""What a catalogue takes, an installer takes, and with `_` for `-` Python takes."""

LONGEST = 40
"""Characters of a name: it is a column of tables, and stands in lines of the templates."""

_SUBCOMMANDS = ("check", "compare", "new", "same", "show")
"""`agfer-bench modules NAME` would take these for something else."""

_IN_THE_WAY = ("conftest", "tests")
"""Names that a distribution's own tests have a use for."""


def package_of(name: str, taken: Mapping[str, str]) -> str:
    """Return the name of the Python package for a block of that name.

    Args:
        name: What users will type.
        taken: Names of the installed modules, and the distribution of each.

    Raises:
        UserError: The name has another form, or cannot be had.

    >>> package_of("my-gate", taken={})
    'my_gate'
    """
    if not _FORM.fullmatch(name):
        raise UserError(
            f"{name!r} is no name for a module: use lower-case letters, digits and single dashes, "
            "starting with a letter and ending with a letter or digit, say my-gate"
        )
    if len(name) > LONGEST:
        raise UserError(f"{name!r} has {len(name)} characters; a name has at most {LONGEST}")
    if name in taken:
        raise UserError(f"the name {name!r} is taken by {taken[name]}; choose another")
    package = name.replace("-", "_")
    if fault := _fault(name, package):
        raise UserError(f"{name!r} cannot be the name: {fault}; choose another")
    return package


def _fault(name: str, package: str) -> str | None:
    if name in _SUBCOMMANDS:
        return f"`agfer-bench modules {name}` is a command"
    if keyword.iskeyword(package):
        return f"{package} is a keyword of Python"
    if package in sys.stdlib_module_names:
        return f"{package} is a module of Python's standard library"
    if package in _IN_THE_WAY or _is_importable(package):
        return f"a Python module {package} is there already"
    try:
        return f"the distribution {distribution(name).name} is installed"
    except PackageNotFoundError:
        return None


def _is_importable(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ValueError:  # loaded, and made by hand
        return True
