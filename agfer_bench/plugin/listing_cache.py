"""Answers that hold for as long as what is installed stays as it is, kept on disk.

An answer that has to load all plugins takes seconds, since most of them import torch. Beside it
stands what it came from, as beside a target of make: every file that was loaded for it, all files
of the plugins' packages and of the harness, the metadata of the installed distributions, and the
names in the folders that Python imports from. It is given again while all of that is the same; to
tell, nothing is imported.

An answer that reports a failure is kept too, or one broken plugin would make every list slow. What
failed may have missed what no file shows: a variable, a driver, a licence. So such an answer holds
only in the same environment, and no longer than ten minutes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from importlib.machinery import ModuleSpec, all_suffixes
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from agfer_bench.errors import UserError
from agfer_bench.files import write_text
from agfer_bench.plugin.hookspecs import PROJECT
from agfer_bench.plugin.sources import files, sources_from, sources_of

_ABOUT = (".dist-info", ".egg-info")
"""How the folders, or files, end that describe an installed distribution."""

_METADATA = ("METADATA", "PKG-INFO", "entry_points.txt")
"""Files of a distribution that say its name, its version and its entry points."""

_COARSEST_CLOCK = 2_000_000_000
"""Nanoseconds between which file systems tell two changes apart, at worst: two seconds on FAT."""

_RETRIED = 600.0
"""Seconds after which what failed is tried again."""

_PASSING = frozenset({"_", "PWD", "OLDPWD", "SHLVL", "COLUMNS", "LINES"})
"""Variables that a shell sets by itself, from one command to the next."""

_State = list[int] | None
"""Size in bytes and time of change in nanoseconds; None where there is no such file."""


def while_unchanged(
    file: Path, make: Callable[[], dict[str, Any]], lasts: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """Return an answer kept before, or make it and keep it.

    A file that cannot be read, or not written, costs time and changes nothing else.

    Args:
        file: Where the answer is kept.
        make: Loads the plugins and makes the answer, of what JSON can say; anything else becomes
            its text.
        lasts: Tells whether an answer may be kept for ever. One that reports a failure is not: it
            is kept for ten minutes, and while the environment's variables are the same.
    """
    kept = _read(file)
    if kept is not None:
        return kept
    # Before it is made: libraries set variables of their own when they are loaded.
    began, places, environment = time.time_ns(), _places(), _environment()
    text = json.dumps(answer := make(), default=str)
    _write(file, text, began, places, None if lasts(answer) else environment)
    return json.loads(text)  # type: ignore[no-any-return]


def _read(file: Path) -> dict[str, Any] | None:
    """Return what a file keeps, if it is whole and still holds."""
    try:
        digest, body = file.read_text(encoding="utf-8").split("\n", 1)
    except (OSError, ValueError):
        return None
    if digest != _sha256(body):
        return None
    match json.loads(body):
        case {
            "places": places,
            "files": dict(seen),
            "folders": dict(folders),
            "answer": dict(answer),
            "while": held,
        } if (
            _holds(held)
            and places == _places()
            and all(was == _state(path) for path, was in seen.items())
            and all(was == _states(files(Path(path))) for path, was in folders.items())
        ):
            return answer
    return None


def _holds(held: Any) -> bool:
    """Tell whether an answer still holds by what no file shows."""
    match held:
        case None:
            return True
        case [str(environment), float(made)]:
            return environment == _environment() and 0 <= time.time() - made < _RETRIED
    return False


def _environment() -> str:
    """Hash the environment's variables, but for those that change by themselves."""
    kept = {name: value for name, value in os.environ.items() if name not in _PASSING}
    return _sha256(json.dumps(kept, sort_keys=True))


def _write(file: Path, answer: str, began: int, places: str, environment: str | None) -> None:
    """Keep an answer, unless a file may have changed after it was loaded.

    Args:
        file: Where.
        answer: As JSON.
        began: When it was begun to be made, in nanoseconds since 1970.
        places: As `_places` was then.
        environment: What an answer depends on that does not last; None for one that does.
    """
    seen = _states([*_loaded(), *_metadata()])
    folders = {str(path): _states(files(path)) for path in _packages()}
    changes = [was[1] for states in (seen, *folders.values()) for was in states.values() if was]
    if max(changes) > began - _COARSEST_CLOCK:
        return
    known = {
        "places": places,
        "files": seen,
        "folders": folders,
        "answer": json.loads(answer),
        "while": None if environment is None else [environment, time.time()],
    }
    body = json.dumps(known)
    with contextlib.suppress(UserError):  # a folder that cannot be written: next time as slow
        write_text(file, f"{_sha256(body)}\n{body}")


def _places() -> str:
    """Hash the interpreter and the names in all folders that it imports from.

    A distribution, or a module that was missing, shows as a new name.
    """
    names = [[str(path), _names(path)] for path in _paths()]
    return _sha256(json.dumps([sys.version, sys.prefix, names]))


def _metadata() -> list[Path]:
    """Return the files that describe installed distributions, and archives to import from."""
    found = []
    for path in _paths():
        names = _names(path)
        about = [path / name for name in names if name.endswith(_ABOUT)]
        found += [*about, *(one / file for one in about for file in _METADATA)]
        if not names:
            found.append(path)
    return found


def _paths() -> list[Path]:
    return [Path(path).absolute() for path in sys.path]


def _names(folder: Path) -> list[str]:
    """Return the names in a folder that can be imported, or describe a distribution."""
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError:
        return []
    return [
        name
        for name in names
        if (name.isidentifier() and name != "__pycache__")
        or name.endswith((*_ABOUT, *all_suffixes()))
    ]


def _loaded() -> list[str]:
    """Return the files of all modules that are loaded."""
    specs = [getattr(module, "__spec__", None) for module in list(sys.modules.values())]
    found = [spec for spec in specs if isinstance(spec, ModuleSpec) and spec.has_location]
    return [spec.origin for spec in found if spec.origin]


def _packages() -> set[Path]:
    """Return the packages of the harness and of the plugins."""
    modules = {point.module for point in entry_points(group=PROJECT)}
    found = {path for module in modules for path in sources_of(module) or _unloaded(module)}
    return found | {Path(__file__).resolve().parents[1]}


def _unloaded(module: str) -> list[Path]:
    """Return where a module would come from that did not load; its mending must show."""
    try:
        spec = find_spec(module.partition(".")[0])  # of a name without a dot nothing is imported
    except (ImportError, ValueError):
        return []
    return sources_from(Path(spec.origin)) if spec is not None and spec.origin else []


def _states(paths: Iterable[Path | str]) -> dict[str, _State]:
    return {str(path): _state(path) for path in paths}


def _state(path: Path | str) -> _State:
    try:
        found = os.stat(path)  # noqa: PTH116 (there are thousands of paths)
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
