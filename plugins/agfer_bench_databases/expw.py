"""ExpW: faces in photographs from the web, seven emotions, several faces to a photograph.

Layout: `label.lst` (or `label/label.lst`) beside the photographs, in `image/origin/`, `origin/`,
`image/` or the folder itself. A line for each face: `name face_id top left right bottom confidence
label`, with 0 anger, 1 disgust, 2 fear, 3 happiness, 4 sadness, 5 surprise, 6 neutral.

The box says which face a label is of. So each face is cut out once into the cache, with a margin
of a quarter of the box on every side, and the harness searches the face there as in any photograph.
Pixels are those of the file, whatever its EXIF orientation: the boxes are of these. There are no
official parts, and persons are not known.

Source: Zhang, Luo, Loy and Tang 2018, doi:10.1007/s11263-017-1055-1; layout of the lines:
readme of the release.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from agfer_bench import FaceImage, FaceTable, Place, UserError
from agfer_bench_databases.fer2013_unpack import EMOTIONS
from agfer_bench_databases.tree import Notes, misfit, opened
from agfer_bench_databases.unpack import Written, digest_of, put, unpack_once

LISTS = ("label.lst", "label/label.lst", "data/label/label.lst")
IMAGES = ("image/origin", "data/image/origin", "origin", "image", ".")
EXPECTED = "label.lst, a line for each face, beside image/origin/*.jpg"

MARGIN = 0.25
"""Share of a box's sides that is added on every side."""
SMALLEST = 16
"""Least side of a box, in pixels: the same bound as for crops."""

_STEP = 200


@dataclass(frozen=True, kw_only=True)
class _Face:
    image: str
    number: str
    box: tuple[int, int, int, int]
    """Top, left, right, bottom."""
    confidence: float
    emotion: str


def read_expw(place: Place, *, confidence: float = 0.0) -> FaceTable:
    """Cut the faces that the list names, or find them cut.

    Args:
        place: The folder that holds `label.lst`, or the one above `label`.
        confidence: Faces whose box has a lower confidence than this are left out.

    Raises:
        UserError: The folder is laid out otherwise, no face is left, something cannot be read, or
            the cache cannot be written.
    """
    notes = Notes()
    with opened(place, "expw") as folder:
        table = next((folder / name for name in LISTS if (folder / name).is_file()), None)
        if table is None:
            advice = "name the folder that holds label.lst"
            raise UserError(misfit("ExpW", folder, EXPECTED, advice))
        faces = list(_faces(table, notes))
        held = sum(one.confidence < confidence for one in faces)
        if held:
            notes.say(f"{held} faces of a confidence below {confidence:g}, left out")
            faces = [one for one in faces if one.confidence >= confidence]
        names = dict.fromkeys(one.image for one in faces)
        base = _base(folder, names)
        missing = [name for name in names if not (base / name).is_file()]
        for name in missing:
            notes.count("photographs that the list names and that are missing", name)
        gone = set(missing)
        faces = [one for one in faces if one.image not in gone]
        if not faces:
            raise UserError(misfit("ExpW", folder, EXPECTED, "download it again", notes))
        states = ((base / name).stat() for name in names if name not in gone)
        state = [str((one.st_size, one.st_mtime_ns)) for one in states]
        key = digest_of([table], f"{confidence}", str(MARGIN), str(base.resolve()), *state)

        def fill(draft: Path) -> tuple[Iterator[Written], Callable[[], tuple[str, ...]]]:
            odd = Notes()
            return _cut(draft, base, faces, place, odd), odd.lines

        unpack = unpack_once(place, "expw", key, fill)
    if not unpack.images:
        raise UserError(f"{base}: no face could be cut out: {'; '.join(unpack.notes)}")
    notes.say(
        f"each face is cut out by its box, with a margin of {MARGIN:.0%} of its sides: "
        f"{len(unpack.images)} faces"
    )
    return FaceTable(
        root=unpack.root,
        images=tuple(
            FaceImage(path=unpack.root / one.name, emotion=one.emotion) for one in unpack.images
        ),
        notes=(*notes.lines(), *unpack.notes),
    )


def _faces(table: Path, notes: Notes) -> Iterator[_Face]:
    """Yield the faces of the list; count lines that do not fit or name a face again."""
    seen = set()
    with table.open(encoding="utf-8-sig", errors="replace") as file:
        for line, text in enumerate(file, start=1):
            if not text.strip():
                continue
            # A name may hold spaces; the seven fields behind it do not.
            fields = text.strip().rsplit(maxsplit=7)
            try:
                name, number, *sides, confidence, label = fields
                top, left, right, bottom = (int(float(side)) for side in sides)
                face = _Face(
                    image=name,
                    number=number,
                    box=(top, left, right, bottom),
                    confidence=float(confidence),
                    emotion=EMOTIONS[int(label)] if int(label) >= 0 else "",
                )
            except (ValueError, IndexError):
                notes.count("lines of the list that do not fit, left out", line)
                continue
            if not face.emotion or ".." in Path(name).parts or Path(name).is_absolute():
                notes.count("lines of the list that do not fit, left out", line)
            elif (name, number) in seen:
                notes.count("lines of the list that name a face again, left out", line)
            else:
                seen.add((name, number))
                yield face


def _base(folder: Path, names: Iterable[str]) -> Path:
    """Return the folder of the photographs: where the first of the list lies."""
    for name in names:
        for below in IMAGES:
            if (folder / below / name).is_file():
                return folder / below
    return folder


def _cut(
    draft: Path, base: Path, faces: list[_Face], place: Place, notes: Notes
) -> Iterator[Written]:
    """Cut one face after the other; a photograph is decoded once for the faces that follow."""
    import cv2
    import numpy as np

    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    last, pixels = "", None
    for done, face in enumerate(faces, start=1):
        if done % _STEP == 0 or done == len(faces):
            place.progress("cutting faces of expw", done, len(faces))
        if face.image != last:
            data = np.frombuffer((base / face.image).read_bytes(), np.uint8)
            last, pixels = face.image, cv2.imdecode(data, flags) if len(data) else None
        example = f"{face.image}, face {face.number}"
        if pixels is None:
            notes.count("faces in photographs that cannot be read, left out", example)
            continue
        top, left, right, bottom = face.box
        height, width = pixels.shape[:2]
        inside = min(bottom, height) - max(top, 0), min(right, width) - max(left, 0)
        if min(inside) < SMALLEST:
            notes.count(
                f"faces of less than {SMALLEST} pixels in the photograph, left out", example
            )
            continue
        down, across = round(MARGIN * (bottom - top)), round(MARGIN * (right - left))
        cut = pixels[
            max(0, top - down) : min(height, bottom + down),
            max(0, left - across) : min(width, right + across),
        ]
        whole, png = cv2.imencode(".png", cut)
        if not whole:
            notes.count("faces that cannot be written, left out", example)
            continue
        name = f"{face.image}_{face.number}.png"
        put(draft, name, png.tobytes())
        yield Written(name=name, emotion=face.emotion)
