"""Drawn data sets as files: which can be had, and writing them, each whole or not at all."""

from __future__ import annotations

import errno
import shlex
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agfer_bench.errors import PluginError, UserError, describe
from agfer_bench.faces.decode import opencv
from agfer_bench.grammar import write
from agfer_bench.plugin.catalogue import Entry
from agfer_bench.plugin.options import (
    Option,
    arguments_of,
    options_of,
    parse_choice,
    resolve_options,
)
from agfer_bench.plugin.specs import DRAWN_MARKER, DatasetSpec, Place
from agfer_bench.text import nearest


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A data set that is to be drawn."""

    name: str
    """What users type, and the name of its folder: the layout, or the data set's own name where
    it has no layout or another data set has the same."""
    entry: Entry[DatasetSpec]
    """The data set that draws it."""
    options: tuple[Option, ...]
    """The options of its `draw`."""
    values: dict[str, Any]
    """Every option and its value."""

    @property
    def reader(self) -> str:
        """Name of the data set that reads it back."""
        return self.entry.spec.layout or self.entry.spec.name


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A data set that was drawn."""

    drawing: Drawing
    """What was ordered."""
    folder: Path
    """Where it is."""
    images: int
    """Files in it, without the marker."""


def offers(datasets: Mapping[str, Entry[DatasetSpec]]) -> dict[str, Entry[DatasetSpec]]:
    """Return all data sets that can be had as files, by the name of their folder."""
    found: dict[str, Entry[DatasetSpec]] = {}
    for entry in datasets.values():
        spec = entry.spec
        if spec.draw is not None:
            taken = not spec.layout or spec.layout in found
            found[spec.name if taken else spec.layout] = entry
    return found


def choose(datasets: Mapping[str, Entry[DatasetSpec]], texts: Sequence[str]) -> list[Drawing]:
    """Resolve `SET[:option=value]...`; no text chooses all that there are.

    Raises:
        UserError: A set or an option is unknown, stands twice, or a value has the wrong type.
        PluginError: A plugin's `draw` is no function that could be called.
    """
    known = offers(datasets)
    if not known:
        raise UserError("no installed plugin draws faces")
    drawings: dict[str, Drawing] = {}
    for text in texts or tuple(known):
        choice = parse_choice(text)
        if choice.name not in known:
            raise UserError(f"nothing draws {choice.name!r}{nearest(choice.name, known)}")
        if choice.name in drawings:
            raise UserError(f"{choice.name} stands twice: draw into two folders")
        entry = known[choice.name]
        try:
            options = options_of(_draw(entry))
        except UserError as error:
            raise PluginError(entry.distribution, f"{entry.spec.name}: {error}") from error
        values = resolve_options(choice.name, options, choice)
        drawings[choice.name] = Drawing(
            name=choice.name, entry=entry, options=options, values=values
        )
    return list(drawings.values())


def synthesise(
    drawings: Sequence[Drawing],
    folder: Path,
    *,
    cache: Path,
    workers: int,
    progress: Callable[[str, int, int], None],
) -> list[Drawn]:
    """Draw each set into a folder of its name below `folder`.

    Args:
        drawings: What to draw.
        folder: Where; made if it is missing.
        cache: A folder for derived files that plugins may use.
        workers: Processes or threads that plugins may use.
        progress: Called with (what is being done, how many are done, of how many).

    Raises:
        UserError: OpenCV cannot be imported, a set's folder is not empty, nothing can be written,
            or an option is out of range.
        PluginError: A plugin raised something else or drew nothing.
    """
    opencv()  # what is drawn would have to be read with it
    for drawing in drawings:
        _check_free(folder / drawing.name)
    done = []
    for drawing in drawings:
        target = folder / drawing.name
        with _draft(target) as draft:
            place = Place(folder=draft, cache=cache, workers=workers, progress=progress)
            _call(drawing, place)
            images = sum(path.is_file() for path in draft.rglob("*"))
            images -= (draft / DRAWN_MARKER).is_file()
            if not images:
                spec, distribution = drawing.entry.spec, drawing.entry.distribution
                raise PluginError(distribution, f"{spec.name}: draw wrote no file")
            _mark(draft, drawing)
            _check_free(target)
            if target.exists():
                target.rmdir()
            draft.replace(target)
        done.append(Drawn(drawing=drawing, folder=target, images=images))
    return done


def _draw(entry: Entry[DatasetSpec]) -> Callable[..., None]:
    draw: Any = entry.spec.draw
    if not callable(draw):
        raise UserError(f"its draw is {draw!r}, no function")
    function: Callable[..., None] = draw
    return function


def _call(drawing: Drawing, place: Place) -> None:
    """Have the plugin draw; whatever it raises names its distribution."""
    spec, distribution = drawing.entry.spec, drawing.entry.distribution
    try:
        _draw(drawing.entry)(place, **arguments_of(drawing.options, drawing.values))
    except UserError:
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise PluginError(distribution, f"{spec.name}: draw failed: {describe(error)}") from error
    except (Exception, SystemExit) as error:
        raise PluginError(distribution, f"{spec.name}: draw failed: {describe(error)}") from error


def _mark(draft: Path, drawing: Drawing) -> None:
    """Say beside the images that they are drawn, by what, and how to draw them again."""
    entry = drawing.entry
    options = "".join(f":{name}={write(value)}" for name, value in drawing.values.items())
    command = f"agfer-bench data synthesise FOLDER {shlex.quote(drawing.name + options)}"
    (draft / DRAWN_MARKER).write_text(
        "Drawn by agfer-bench: these faces are no photographs, and nobody is shown.\n"
        "Results on them tell nothing about people, and every report on them says so: leave this\n"
        "file where it is.\n\n"
        f"Data set {entry.spec.name} of {entry.distribution} {entry.version}; the same again:\n"
        f"{command}\n",
        encoding="utf-8",
    )


def _check_free(target: Path) -> None:
    try:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise UserError(f"{target} exists already: remove it or draw into another folder")
    except OSError as error:
        raise UserError(f"cannot look into {target}: {error.strerror or error}") from error


@contextmanager
def _draft(target: Path) -> Iterator[Path]:
    """A new folder beside the target, gone afterwards whatever happens."""
    found = target.parent.exists()
    draft = target.parent / f".{target.name}-draft-{uuid.uuid4().hex[:12]}"
    try:
        draft.mkdir(parents=True)
        yield draft
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(f"the disk of {target.parent} is full: free some space") from error
        raise UserError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        if not found:
            # What was made for nothing goes as well; it stays where something lies in it.
            with suppress(OSError):
                target.parent.rmdir()
