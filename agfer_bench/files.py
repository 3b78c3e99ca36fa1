"""Files written whole or not at all, with errors that say what the user can do."""

from __future__ import annotations

import errno
import glob
import os
import re
import shutil
import stat
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
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


def read_whole(path: Path, most: int = 2**20) -> bytes:
    """Read a small file that a user named; never waits for a pipe, nor reads a device without end.

    Args:
        path: The file; a link to one will do.
        most: Bytes that it may hold.

    Raises:
        OSError: It cannot be read, is no plain file, or is larger.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    try:
        refuse_odd(os.fstat(descriptor), path, most)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(most + 1)
    finally:
        os.close(descriptor)
    if len(content) > most:  # it grew meanwhile
        raise OSError(errno.EFBIG, f"it is larger than {most:,} bytes", str(path))
    return content


def refuse_odd(found: os.stat_result, path: Path, most: int) -> None:
    """Refuse what is no plain file, or too large, before it is opened by somebody else.

    Raises:
        OSError: So it is.
    """
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is a pipe or a device, and no file", str(path))
    if found.st_size > most:
        raise OSError(errno.EFBIG, f"it is larger than {most:,} bytes", str(path))


_DRAFT = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{32}")
"""Names of what is not whole yet."""


def draft_of(path: Path) -> Path:
    """Return a new name beside `path` for what is to take its place."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex}")


def drafts_of(path: Path) -> list[Path]:
    """Return what was to take the place of `path`, and is beside it still."""
    found = path.parent.glob(f".{glob.escape(path.name)}.*")
    return [one for one in found if _DRAFT.fullmatch(one.name)]


def sweep(folder: Path, name: str | None = None) -> None:
    """Remove drafts that killed processes left; the caller knows that nobody writes there.

    Args:
        folder: Where to look; it may be absent.
        name: What they were to become; None for whatever it was.
    """
    with suppress(OSError):
        for path in folder.glob(".*" if name is None else f".{glob.escape(name)}.*"):
            found = _DRAFT.fullmatch(path.name)
            if found is None or name not in (None, found["name"]):
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def settle(path: Path) -> None:
    """Have a file on the disk before it takes its place: else a power cut leaves an empty one."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; what was written to it takes its place at the end."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = draft_of(path)
        try:
            yield temporary
            settle(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def replacing_all(folder: Path) -> Iterator[Callable[[str], Path]]:
    """Yield what gives a temporary path for each name; all take their places together at the end.

    The first that was asked for comes last: where it is new, so are the others. A folder in which
    nothing came to lie is removed.
    """
    try:
        with ExitStack() as stack:
            yield lambda name: stack.enter_context(replacing(folder / name))
    finally:
        with suppress(OSError):
            folder.rmdir()


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the user can mend about writing to a path into a UserError."""
    try:
        yield
    except OSError as error:
        advice = "free space" if error.errno in _NO_SPACE else "choose another folder with --out"
        raise UserError(f"cannot write {path}: {error.strerror or error}; {advice}") from error


def at_home(path: Path) -> Path:
    """Return a path with `~` as the user's home, or as it is where there is no such user."""
    try:
        return path.expanduser()
    except RuntimeError:
        return path


CACHE_VARIABLE = "AGFER_BENCH_CACHE"


def cache_folder(cache: Path | None = None) -> Path:
    """Return the cache folder: the user's choice, or the system's place for caches."""
    from platformdirs import user_cache_path

    chosen = cache or os.environ.get(CACHE_VARIABLE)
    return at_home(Path(chosen)) if chosen else user_cache_path("agfer-bench")
