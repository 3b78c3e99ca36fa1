"""The files that a plugin's code consists of."""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path


def sources_of(module: str) -> list[Path]:
    """Return the package that a loaded module is of, and those that it imports beside it.

    Packages elsewhere, and all that lies in site-packages beside it, are other people's.

    Returns:
        Folders, or files of modules without a folder, all in one folder, the module's own first;
        none where nobody can tell where it comes from.
    """
    origin = _origin(module)
    return [] if origin is None else sources_from(origin)


def sources_from(origin: Path) -> list[Path]:
    """Return what `sources_of` does of the package, or single module, whose file this is."""
    start = origin.parent if origin.name == "__init__.py" else origin
    if start.parent.name in ("site-packages", "dist-packages"):
        return [start]
    found = [start]
    for path in found:  # grows as it is gone through
        for name in {name for file in files(path) for name in _imported(file)}:
            for beside in (start.parent / name, start.parent / f"{name}.py"):
                if beside.exists() and beside not in found:
                    found.append(beside)
    return found


def files(path: Path) -> list[Path]:
    """Return a file, or all files below a folder, compiled ones of Python's own aside."""
    if path.is_file():
        return [path]
    return [file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts]


@cache
def hash_sources(module: str) -> str:
    """SHA-256 (hex) of the files of `sources_of`; ``unknown`` where there are none."""
    sources = sources_of(module)
    if not sources:
        return "unknown"
    return hash_files({file for path in sources for file in files(path)}, sources[0].parent)


def hash_files(found: Iterable[Path], root: Path) -> str:
    """SHA-256 (hex) of files: their names below a folder, and their contents."""
    digest = hashlib.sha256()
    for file in sorted(found):
        digest.update(file.relative_to(root).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _origin(name: str) -> Path | None:
    """Return the file of the topmost package of a dotted name that is no namespace."""
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        ancestor = ".".join(parts[:end])
        origin = getattr(sys.modules.get(ancestor), "__file__", None)
        if origin is not None:
            return Path(origin)
    return None


def _imported(file: Path) -> set[str]:
    """Return the top names that a Python file imports."""
    if file.suffix != ".py":
        return set()
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return set()
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
    return names
