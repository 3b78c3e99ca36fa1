"""The drawn data set on disk: drawn once, whole or not at all, and found again by its options."""

from __future__ import annotations

import errno
import hashlib
import shutil
import tempfile
from pathlib import Path

from agfer_bench import FaceImage, FaceTable, Place, UserError

try:
    from agfer_bench_synthetic.drawing import Order, draw_all, file_of
except ImportError as error:
    raise UserError(
        f"drawing faces needs OpenCV, which does not load ({error}): install the system packages "
        "libgl1 and libglib2.0-0, or opencv-python-headless instead of opencv-python"
    ) from error

from agfer_bench_synthetic.expression import FACE_EMOTIONS

MOST = 999
"""Subjects and frames have three digits."""


def read_synthetic(place: Place, *, subjects: int, frames: int, seed: int) -> FaceTable:
    """Draw the faces, or find them drawn; see `agfer_bench_synthetic.read`."""
    _check(place, subjects=subjects, frames=frames, seed=seed)
    order = Order(subjects=subjects, frames=frames, seed=seed)
    key = f"s{subjects}-f{frames}-seed{seed}-{renderer_version()}"
    root = place.cache / "synthetic" / key
    images = _images(root, order)
    try:
        if not all(image.path.is_file() for image in images):
            _draw_whole(place, root, order)
    except OSError as error:
        raise UserError(_explain(error, root)) from error
    return FaceTable(root=root, images=images, notes=("drawn faces, no photographs",))


def renderer_version() -> str:
    """A hash of this plugin's source: another renderer never finds these drawings."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _check(place: Place, *, subjects: int, frames: int, seed: int) -> None:
    if place.folder is not None:
        raise UserError(
            f"synthetic takes no folder: it is drawn, so leave out {str(place.folder)!r}"
        )
    if not 2 <= subjects <= MOST:
        raise UserError(f"synthetic: subjects={subjects} must be from 2 to {MOST}")
    if not 1 <= frames <= MOST:
        raise UserError(f"synthetic: frames={frames} must be from 1 to {MOST}")
    if seed < 0:
        raise UserError(f"synthetic: seed={seed} must be 0 or more")


def _images(root: Path, order: Order) -> tuple[FaceImage, ...]:
    """All images, sorted by emotion, subject and frame."""
    return tuple(
        FaceImage(
            path=file_of(root, emotion, subject, frame),
            emotion=emotion,
            subject=f"s{subject + 1:03d}",
            sequence=f"s{subject + 1:03d}-{emotion}",
            frame=frame,
        )
        for emotion in FACE_EMOTIONS
        for subject in range(order.subjects)
        for frame in range(order.frames)
    )


def _draw_whole(place: Place, root: Path, order: Order) -> None:
    """Draw into a sibling folder and rename it, so that a folder of this name is always whole."""
    root.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{root.name}-", dir=root.parent))
    total = order.sequences * order.frames
    try:
        draw_all(
            order,
            draft,
            place.workers,
            lambda done: place.progress("drawing faces", done * order.frames, total),
        )
        # What lies here now lacks files: someone tidied up in it.
        shutil.rmtree(root, ignore_errors=True)
        try:
            draft.replace(root)
        except OSError as error:
            # Another process was faster; its drawings are the same to the byte.
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _explain(error: OSError, root: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"no space left to draw faces under {root.parent}: free some or move the cache"
    return f"cannot write the drawn faces under {root.parent}: {error.strerror or error}"
