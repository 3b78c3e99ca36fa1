"""A new distribution: the templates filled in, written whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from agfer_bench import __version__
from agfer_bench.errors import UserError
from agfer_bench.scaffold.names import package_of

_ENDING = ".jinja"


def write_distribution(
    name: str, folder: Path, *, author: str | None = None, taken: Mapping[str, str]
) -> list[Path]:
    """Write a distribution with one small block, its tests and a workflow that checks it.

    Args:
        name: What users will type, and the name of the distribution.
        folder: Where to; new or empty.
        author: Who is named in `pyproject.toml`; nobody where it is None.
        taken: Names of the installed modules, and the distribution of each.

    Returns:
        The files, in order.

    Raises:
        UserError: The name, the folder or the author will not do. Nothing is left behind then.
    """
    package = package_of(name, taken)
    if author is not None and not (author.strip() and author.isprintable()):
        raise UserError("--author must be one line of text")
    _check_empty(folder)
    files = render(name=name, package=package, author=author or "", version=__version__)
    with _all_or_nothing(folder):
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8", newline="\n")
    return [folder / path for path in files]


def render(**values: str) -> dict[Path, str]:
    """Fill in the templates and their names; return texts by path, in order.

    Args:
        values: All that the templates may name.

    Raises:
        jinja2.UndefinedError: A template names something else.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("agfer_bench.scaffold", "template"),
        autoescape=False,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["quoted"] = lambda text: json.dumps(text, ensure_ascii=False)
    files = {}
    for template in environment.list_templates(filter_func=lambda path: path.endswith(_ENDING)):
        path = environment.from_string(template.removesuffix(_ENDING)).render(values)
        files[Path(path)] = environment.get_template(template).render(values)
    return files


def _check_empty(folder: Path) -> None:
    try:
        if os.path.lexists(folder) and not folder.is_dir():
            raise UserError(f"{folder} is no folder; choose a new or an empty one")
        if folder.is_dir() and any(folder.iterdir()):
            raise UserError(f"{folder} is not empty; choose a new or an empty folder")
    except OSError as error:
        raise _cannot_write(folder, error) from error


@contextlib.contextmanager
def _all_or_nothing(folder: Path) -> Iterator[None]:
    """Make a folder, and whatever is above it; take all away again if something goes wrong.

    The folder itself stays if it was there: it may be where the user stands.
    """
    missing = [path for path in (folder, *folder.parents) if not os.path.lexists(path)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException as error:
        for path in missing[-1:] or list(folder.iterdir()):
            shutil.rmtree(path, ignore_errors=True)
            with contextlib.suppress(OSError):
                path.unlink()
        if isinstance(error, OSError):
            raise _cannot_write(folder, error) from error
        raise


def _cannot_write(folder: Path, error: OSError) -> UserError:
    return UserError(f"cannot write {folder}: {error.strerror or error}; choose another folder")
