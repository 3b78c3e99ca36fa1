"""Files written whole or not at all, with errors that say what the user can do."""

from __future__ import annotations

import errno
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agfer_bench.errors import UserError

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all.

    Raises:
        UserError: The folder cannot be written.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; what was written to it takes its place at the end."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        try:
            yield temporary
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the user can mend about writing to a path into a UserError."""
    try:
        yield
    except OSError as error:
        advice = "free space" if error.errno in _NO_SPACE else "choose another folder with --out"
        raise UserError(f"cannot write {path}: {error.strerror or error}; {advice}") from error
