"""Drawn databases on disk: drawn into a folder, or drawn once into the cache and found again."""

from __future__ import annotations

import errno
import hashlib
import shutil
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agfer_bench import DRAWN_MARKER, FaceTable, Place, UserError

try:
    from agfer_bench_synthetic.drawing import draw_all
except ImportError as error:
    raise UserError(
        f"drawing faces needs OpenCV, which does not load ({error}): install the system packages "
        "libgl1 and libglib2.0-0, or opencv-python-headless instead of opencv-python"
    ) from error

from agfer_bench_synthetic.layouts import Order

LIMITS = {
    "subjects": (1, 999),
    "persons": (1, 999),
    "frames": (0, 999),
    "neutral_frames": (0, 999),
    "width": (32, 8192),
    "height": (32, 8192),
    "seed": (0, 2**63 - 1),
}
"""What each option may be. Numbers in names have three digits; a head needs some pixels."""

NOTE = "drawn faces, no photographs"


def draw_into(place: Place, order: Order) -> None:
    """Draw a set into the empty folder that is named, and mark it as drawn.

    Raises:
        UserError: an option is out of range, or the folder is none, not empty or not writable.
    """
    _check(order)
    if place.folder is None:
        raise UserError(f"{order.name}: name the folder to draw into")
    try:
        place.folder.mkdir(parents=True, exist_ok=True)
        if any(place.folder.iterdir()):
            raise UserError(f"{place.folder} is not empty: draw into a folder of its own")
        _draw(place, place.folder, order)
    except OSError as error:
        raise UserError(_explain(error, place.folder)) from error


def read_drawn(place: Place, name: str, order: Order, **reading: Any) -> FaceTable:
    """Draw a set into the cache, or find it drawn, and have its layout's reader read it.

    Args:
        place: no folder.
        name: the data set, for messages and the cache.
        order: what to draw.
        reading: options of the reader.

    Raises:
        UserError: an option is out of range, a folder was named, or the cache cannot be written.
    """
    if place.folder is not None:
        raise UserError(f"{name} takes no folder: it is drawn, so leave out {str(place.folder)!r}")
    _check(order)
    root = place.cache / name / f"{_key(order)}-{renderer_version()}"
    try:
        if not _is_whole(root, order):
            _draw_whole(place, root, order)
    except OSError as error:
        raise UserError(_explain(error, root.parent)) from error
    return place.read(order.name, root, **reading)


def renderer_version() -> str:
    """A hash of this plugin's source: another renderer never finds these drawings."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _key(order: Order) -> str:
    return "-".join(f"{name.replace('_', '')}{value}" for name, value in asdict(order).items())


def _check(order: Order) -> None:
    for name, value in asdict(order).items():
        least, most = LIMITS[name]
        if not least <= value <= most:
            raise UserError(f"{order.name}: {name}={value} must be from {least} to {most}")
    wide, high = order.width, order.height
    if not 1 / 3 <= wide / high <= 3:
        raise UserError(f"{order.name}: {wide}x{high} pixels are too narrow for a face")


def _draw(place: Place, root: Path, order: Order) -> None:
    total = len(order.names)
    options = ", ".join(f"{name}={value}" for name, value in asdict(order).items())
    (root / DRAWN_MARKER).write_text(
        f"Drawn by agfer-bench, {NOTE}: results on them tell nothing about people.\n"
        f"{order.name}: {options}\n",
        encoding="utf-8",
    )
    what = f"drawing {order.name}"
    draw_all(order, root, place.workers, lambda done: place.progress(what, done, total))


def _is_whole(root: Path, order: Order) -> bool:
    return all((root / file).is_file() for file in (*order.names, DRAWN_MARKER))


def _draw_whole(place: Place, root: Path, order: Order) -> None:
    """Draw into a sibling folder and rename it, so that a folder of this name is always whole."""
    root.parent.mkdir(parents=True, exist_ok=True)
    draft = root.parent / f".draft-{uuid.uuid4().hex}"
    draft.mkdir()
    try:
        _draw(place, draft, order)
        if not _is_whole(root, order):  # else another process was faster, and may be reading it
            shutil.rmtree(root, ignore_errors=True)  # someone tidied up in it
        try:
            draft.replace(root)
        except OSError as error:
            # Another process was faster; its drawings are the same to the byte.
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _explain(error: OSError, folder: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"no space left to draw faces under {folder}: free some or name another folder"
    return f"cannot write the drawn faces under {folder}: {error.strerror or error}"
