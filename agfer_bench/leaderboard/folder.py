"""The folder of a site: what the leaderboard wrote there is replaced, and nothing else.

A site says in `MARKER` which files are its own. A `.git`, a `CNAME` or anything else that somebody
put beside them stays. A new site is whole, in a draft beside the former one, before it takes its
place.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from agfer_bench.errors import UserError
from agfer_bench.files import draft_of, drafts_of

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

MARKER = "made-by-agfer-bench.txt"
"""File that tells a site from any other folder, and lists its files."""
_MARKED = "Made by `agfer-bench leaderboard`, which replaces these files and leaves all others:"
_MOMENT = 1.0
"""Seconds between making a draft and holding it, at most."""
_BEFORE = {
    *("pages", "records", "assets", "index.html", "across.html", "claims.html", ".nojekyll"),
    *("leaderboard.md", "leaderboard.json", MARKER),
}
"""What stood in the sites of earlier versions, whose markers list nothing."""


def check_target(out: Path) -> None:
    """Find out before any work whether a site may be put there.

    Raises:
        UserError: It is a file, or a folder that is neither empty nor a site.
    """
    if not out.exists():
        return
    if not out.is_dir():
        raise UserError(f"--out {out} is a file; name a folder")
    if any(out.iterdir()) and not (out / MARKER).is_file():
        raise UserError(
            f"--out {out} holds files that are no site of agfer-bench, and would be replaced; "
            "name another folder, or empty this one"
        )


@contextmanager
def replacing_site(out: Path) -> Iterator[Path]:
    """Yield a folder beside `out` whose files take the place of the former site's at the end."""
    out.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(out)
    new = draft_of(out)
    new.mkdir()
    try:
        with _held(new):
            yield new
            _mark(new)
            foreign = _foreign(out) if out.exists() else []
            if foreign:
                _replace_each(new, out)
            else:
                _swap(new, out)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _mark(site: Path) -> None:
    names = sorted(path.relative_to(site).as_posix() for path in _files(site))
    _list(site / MARKER, [*names, MARKER])


def _list(marker: Path, names: Iterable[str]) -> None:
    marker.write_text("\n".join([_MARKED, *names]) + "\n", encoding="utf-8", newline="\n")


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_symlink() or not path.is_dir():
            yield path


def _own(site: Path) -> set[str]:
    """Return the files of a site: those that it lists, or that earlier versions made."""
    text = (site / MARKER).read_text(encoding="utf-8", errors="replace")
    first, *names = text.splitlines()
    if first == _MARKED:
        return set(names)
    found = (path.relative_to(site) for path in _files(site))
    return {path.as_posix() for path in found if path.parts[0] in _BEFORE}


def _foreign(site: Path) -> list[str]:
    """Return what stands in a site's folder and is not the site's."""
    if not any(site.iterdir()):
        return []
    own = _own(site)
    found = (path.relative_to(site).as_posix() for path in _files(site))
    empty = [path.name for path in site.iterdir() if path.is_dir() and not any(path.iterdir())]
    return [*(name for name in found if name not in own), *empty]


def _swap(new: Path, out: Path) -> None:
    """Put a folder in the place of another; an interrupt leaves one of the two there."""
    old = draft_of(out)
    try:
        if out.exists():
            out.rename(old)
        new.rename(out)
    except BaseException:
        if old.exists() and not out.exists():
            old.rename(out)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _replace_each(new: Path, out: Path) -> None:
    """Put the new files into the folder one by one, and take the former ones away."""
    before = _own(out)
    names = {path.relative_to(new).as_posix() for path in _files(new)}
    # Until all is done, the files of both are the site's own.
    marker = out / MARKER
    both = draft_of(marker)
    _list(both, sorted(before | names))
    both.replace(marker)
    for name in sorted(names - {MARKER}):
        target = out / name
        if target.is_dir() and not target.is_symlink():
            raise UserError(f"--out {out}: {name} is a folder of somebody else; move it away")
        target.parent.mkdir(parents=True, exist_ok=True)
        (new / name).replace(target)
    for name in before - names:
        gone = out / name
        with suppress(OSError):
            if out.resolve() in gone.resolve().parents:
                gone.unlink()
                gone.parent.rmdir()  # where it was the last
    (new / MARKER).replace(marker)


@contextmanager
def _held(draft: Path) -> Iterator[None]:
    """Hold a draft for as long as this process lives: the system lets go when it is killed."""
    if fcntl is None:
        yield
        return
    descriptor = os.open(draft, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _remove_abandoned(out: Path) -> None:
    """Remove the drafts of builds that were killed: those that nobody holds."""
    for draft in drafts_of(out):
        if fcntl is None or draft.is_symlink() or not draft.is_dir():
            continue
        if time.time() - draft.stat().st_mtime < _MOMENT:  # its builder may be about to hold it
            continue
        try:
            descriptor = os.open(draft, os.O_RDONLY)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not out.exists() and (draft / MARKER).is_file():
                draft.rename(out)  # killed between the two renames: this is the former site
            else:
                shutil.rmtree(draft, ignore_errors=True)
        except OSError:
            continue  # its builder lives
        finally:
            os.close(descriptor)
