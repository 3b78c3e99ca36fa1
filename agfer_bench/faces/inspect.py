"""What a folder looks like, and which reader takes it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agfer_bench.errors import UserError, describe
from agfer_bench.grammar import write
from agfer_bench.plugin.catalogue import Entry
from agfer_bench.plugin.glance import Fit, Glance, glance
from agfer_bench.plugin.specs import DatasetSpec


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A reader, and how well a folder fits its layout."""

    name: str
    """The data set's name."""
    fit: Fit
    """How well."""

    @property
    def reads(self) -> bool:
        """Whether the reader takes the folder."""
        return self.fit.share >= 1

    def data(self, folder: Path) -> str:
        """Return what is to be written behind `--data`, quoted for a shell."""
        options = "".join(f":{name}={write(value)}" for name, value in self.fit.options.items())
        where = folder / self.fit.below if self.fit.below else folder
        return shlex.quote(f"{self.name}{options}={where}")


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """A folder, looked at."""

    glance: Glance
    """What was seen."""
    candidates: tuple[Candidate, ...]
    """Readers of whose layout something is there, the best first."""
    problems: tuple[str, ...]
    """Readers that could not say, with the reason, a line each."""

    @property
    def readers(self) -> tuple[Candidate, ...]:
        """Those that take the folder."""
        return tuple(one for one in self.candidates if one.reads)

    @property
    def nearest(self) -> Candidate | None:
        """The one that comes nearest, where none takes the folder."""
        return self.candidates[0] if self.candidates and not self.readers else None


def inspect(folder: Path, readers: Mapping[str, Entry[DatasetSpec]]) -> Inspection:
    """Look at a folder, and ask each reader how well it fits.

    Raises:
        UserError: There is no such folder, or it cannot be listed.
    """
    if not folder.exists():
        raise UserError(f"no such folder: {folder}")
    try:
        seen = glance(folder)
    except OSError as error:
        raise UserError(f"cannot read {folder}: {error.strerror or error}") from None
    found: list[Candidate] = []
    problems: list[str] = []
    for name, entry in readers.items():
        if entry.spec.fits is None:
            continue
        try:
            fit = entry.spec.fits(seen)
        except Exception as error:
            # A stranger's mistake must not keep the others from telling.
            problems.append(f"{name} ({entry.distribution}) cannot tell: {describe(error)}")
            continue
        if fit is not None and fit.share > 0:
            found.append(Candidate(name=name, fit=fit))
    found.sort(key=lambda one: -min(1.0, one.fit.share))
    return Inspection(glance=seen, candidates=tuple(found), problems=tuple(problems))


def advice(folder: Path, name: str, readers: Mapping[str, Entry[DatasetSpec]]) -> str:
    """Say which other reader takes a folder that one could not read, or comes nearest.

    Args:
        folder: The folder.
        name: The reader that could not read it.
        readers: All of them.

    Returns:
        A clause; empty where the reader itself takes the layout, or no reader knows anything of it.
    """
    try:
        found = inspect(folder, readers)
    except UserError:
        return ""
    if any(one.name == name for one in found.readers):
        return ""
    others = [one for one in found.readers if one.name != name]
    if others:
        return f"it looks like {others[0].name}: --data {others[0].data(folder)}"
    nearest = found.nearest
    if nearest is None:
        return ""
    return f"{nearest.name} comes nearest, but {nearest.fit.why}"
