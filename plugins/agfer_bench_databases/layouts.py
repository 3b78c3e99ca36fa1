"""How well a folder fits the layout of each reader: told from names alone, for `data inspect`."""

from __future__ import annotations

import re
from collections.abc import Callable

from agfer_bench import Fit, Glance
from agfer_bench_databases import (
    affectnet,
    ck_plus,
    expw,
    faces,
    fer2013,
    fer2013_unpack,
    hugging_face,
    jaffe,
    kdef,
    muxspace,
    raf_db,
)
from agfer_bench_databases.emotions import canonical_emotion
from agfer_bench_databases.parts import Classes, part_of
from agfer_bench_databases.tree import IMAGE_SUFFIXES, is_clutter, some

_SEQUENCE = re.compile(r"(?:.*/)?(?:strong|weak|dark)/p[0-9]{3}/[a-z]+", re.IGNORECASE)
_SUBJECT = re.compile(r"(?:.*/)?p[0-9]{3}/(anger|disgust|fear|happiness|sadness|surprise)", re.I)
_OF_A_FILM = re.compile(r".+_[0-9]{9}_[0-9]{8}")
_MOST_NUMBERS = {"raf-db": ("1", "7"), "fer2013": ("0", "6"), "affectnet": ("0", "7")}
_ENOUGH = 0.5
"""Share of the images whose names must fit."""


def of_image_folder(glance: Glance) -> Fit | None:
    """`<emotion>/<image>`, parts of such folders, or metadata beside images."""
    for table in ("metadata.csv", "metadata.jsonl"):
        if table in glance.files:
            if table.endswith(".csv") and "file_name" not in glance.columns(table):
                return Fit(share=0.5, why=f"{table} has no column file_name")
            return Fit(share=1.0, why=f"{table} names the images")
    children = [name for name in glance.children() if not is_clutter(name)]
    emotions = [name for name in children if canonical_emotion(name)]
    if emotions:
        others = [name for name in children if name not in emotions]
        if others:
            return Fit(
                share=len(emotions) / len(children),
                why=f"{some(emotions)} are emotions, and {some(others)} no known one",
            )
        return Fit(share=1.0, why=f"a folder for each emotion: {some(emotions)}")
    where = _parted(glance)
    if where is None:
        loose = sum(_is_image(name) and "/" not in name for name in glance.files)
        if loose:
            return Fit(
                share=0.1,
                why=f"{loose} pictures lie in the folder itself, and neither a folder for each "
                "emotion nor a metadata.csv says what they show",
            )
        folders = {name.split("/")[0] for name in glance.files if _is_image(name)}
        if len(folders) > 1:
            return Fit(
                share=0.1,
                why=f"{some(sorted(folders))} are no emotions; image-folder:labels=any takes such "
                "folders as classes of any kind",
            )
        return None
    names = _classes(glance, where)
    known = [name for name in names if canonical_emotion(name)]
    if not known:
        return None
    share = len(known) / len(names)
    why = f"parts with a folder for each emotion: {some(known)}"
    if share < 1:
        why += f"; no known one: {some(name for name in names if name not in known)}"
    return Fit(share=share, why=why, below=where)


def of_oulu_casia(glance: Glance) -> Fit | None:
    """`Strong/P001/Anger`, at some depth."""
    found = next((name for name in glance.folders if _SEQUENCE.fullmatch(name)), None)
    if found is not None:
        return Fit(share=1.0, why=f"folders such as {found}")
    found = next((name for name in glance.folders if _SUBJECT.fullmatch(name)), None)
    if found is None:
        return None
    return Fit(share=0.6, why=f"{found} is like it, and no folder above tells Strong, Weak or Dark")


def of_faces(glance: Glance) -> Fit | None:
    """Names of portraits."""
    return _of_names(glance, faces.NAME, faces.EXPECTED)


def of_kdef(glance: Glance) -> Fit | None:
    """Names of portraits."""
    return _of_names(glance, kdef.NAME, kdef.EXPECTED)


def of_jaffe(glance: Glance) -> Fit | None:
    """Names of portraits."""
    return _of_names(glance, jaffe.NAME, jaffe.EXPECTED)


def of_ck_plus(glance: Glance) -> Fit | None:
    """Sequences beside their labels."""
    images = any(_where(glance, name) is not None for name in ck_plus.IMAGES)
    labels = any(_where(glance, name) is not None for name in ck_plus.LABELS)
    if images and labels:
        return Fit(share=1.0, why="sequences beside their labels")
    if images or labels:
        what = "Emotion, the folder of labels" if images else "cohn-kanade-images"
        return Fit(share=0.5, why=f"{what} is missing")
    return None


def of_fer2013(glance: Glance) -> Fit | None:
    """The table, or folders of parts."""
    columns = {name.lower() for name in fer2013_unpack.COLUMNS}
    tables = [name for name in glance.first_lines if columns <= set(glance.columns(name))]
    for name in tables:
        folder, _, base = name.rpartition("/")
        usual = base in fer2013.NAMES
        votes = f"{folder}/{fer2013.VOTES}".lstrip("/") in glance.files
        return Fit(
            share=1.0,
            why=f"{name} has its columns" + ("; FER+'s votes lie beside it" if votes else ""),
            below="" if glance.folder.is_file() or usual else name,
            options={"votes": "majority"} if votes else {},
        )
    named = [name for name in fer2013.NAMES if _where(glance, name) is not None]
    if named:
        return Fit(share=0.5, why=f"{named[0]} has not the columns {','.join(columns)}")
    return _of_parts(glance, fer2013.CLASSES, "fer2013")


def of_raf_db(glance: Glance) -> Fit | None:
    """The list of labels, or folders of parts."""
    if _where(glance, raf_db.LIST) is not None:
        where = _where(glance, "Image")
        if where is None:
            return Fit(share=0.5, why="Image, the folder of images, is missing")
        return Fit(share=1.0, why=f"{raf_db.LIST} beside Image")
    return _of_parts(glance, raf_db.CLASSES, "raf-db")


def of_muxspace(glance: Glance) -> Fit | None:
    """The legend beside the images."""
    where = _where(glance, muxspace.LEGEND)
    if where is None:
        return None
    if f"{where}/images".lstrip("/") not in glance.folders:
        return Fit(share=0.5, why=f"{muxspace.LEGEND} is there, and no folder images beside data")
    return Fit(share=1.0, why=f"images beside {muxspace.LEGEND}", below=where)


def of_affectnet(glance: Glance) -> Fit | None:
    """Tables, arrays of annotations, or folders of parts."""
    for name in affectnet.TABLES:
        for table in (name, f"{affectnet.LISTS}/{name}"):
            if set(affectnet.COLUMNS) <= set(glance.columns(table)):
                return Fit(share=1.0, why=f"{table} has its columns")
    where = _parted(glance)
    if where is None:
        return None
    for part in glance.children(where):
        inside = glance.children(f"{where}/{part}".lstrip("/"))
        if part_of(part) and {"images", "annotations"} <= set(inside):
            return Fit(share=1.0, why=f"{part} holds images and annotations", below=where)
    return _of_parts(glance, affectnet.CLASSES, "affectnet")


def of_expw(glance: Glance) -> Fit | None:
    """The list of faces."""
    found = next((name for name in expw.LISTS if name in glance.files), None)
    if found is None:
        return None
    if len(glance.first_lines.get(found, "").split()) < 8:
        return Fit(share=0.4, why=f"a line of {found} has fewer than eight fields")
    return Fit(share=1.0, why=f"{found} names faces and their boxes")


def of_sfew(glance: Glance) -> Fit | None:
    """Parts with a folder for each emotion, and names of films."""
    where = _parted(glance)
    if where is None:
        return None
    films = sum(bool(_OF_A_FILM.fullmatch(_stem(name))) for name in _images(glance))
    if not films:
        return None
    return Fit(share=1.0, why="frames of films in parts", below=where)


def of_hugging_face(glance: Glance) -> Fit | None:
    """Parquet or Arrow files."""
    found = [name for name in glance.files if name.lower().endswith(hugging_face.SUFFIXES)]
    if not found:
        return None
    return Fit(share=1.0, why=f"{len(found)} Parquet or Arrow files, such as {found[0]}")


OF: dict[str, Callable[[Glance], Fit | None]] = {
    "image-folder": of_image_folder,
    "oulu-casia": of_oulu_casia,
    "faces": of_faces,
    "ck-plus": of_ck_plus,
    "jaffe": of_jaffe,
    "kdef": of_kdef,
    "fer2013": of_fer2013,
    "muxspace": of_muxspace,
    "raf-db": of_raf_db,
    "affectnet": of_affectnet,
    "expw": of_expw,
    "sfew": of_sfew,
    "hugging-face": of_hugging_face,
}
"""What tells, for each reader."""


def _is_image(name: str) -> bool:
    return "." + name.rpartition(".")[2].lower() in IMAGE_SUFFIXES


def _images(glance: Glance) -> list[str]:
    return [name for name in glance.files if _is_image(name)]


def _stem(name: str) -> str:
    return name.rpartition("/")[2].rpartition(".")[0]


def _where(glance: Glance, below: str) -> str | None:
    """Return the folder that holds a file or folder: the one looked at, or the only one in it."""
    there = {*glance.files, *glance.folders}
    if below in there:
        return ""
    holding = [name for name in glance.children() if f"{name}/{below}" in there]
    return holding[0] if len(holding) == 1 else None


def _parted(glance: Glance) -> str | None:
    """Return the folder with folders of parts, as `parts.divided` finds it."""
    if any(part_of(name) for name in glance.children()):
        return ""
    holding = [
        name for name in glance.children() if any(part_of(one) for one in glance.children(name))
    ]
    return holding[0] if len(holding) == 1 else None


def _classes(glance: Glance, where: str) -> list[str]:
    """Return the names of the folders in the folders of parts, each once."""
    names: dict[str, None] = {}
    for part in glance.children(where):
        if part_of(part):
            names |= dict.fromkeys(glance.children(f"{where}/{part}".lstrip("/")))
    return list(names)


def _of_parts(glance: Glance, classes: Classes, name: str) -> Fit | None:
    """Folders of parts whose classes are numbers from the first to the last of the set's own.

    Names of emotions tell no set from another: `image-folder` reads them.
    """
    where = _parted(glance)
    if where is None:
        return None
    first, last = _MOST_NUMBERS[name]
    numbers = {one.lstrip("0") or "0" for one in _classes(glance, where) if one.isdigit()}
    if {first, last} <= numbers and all(one in classes.numbers for one in numbers):
        return Fit(
            share=1.0, why=f"parts with folders of classes from {first} to {last}", below=where
        )
    return None


def _of_names(glance: Glance, pattern: re.Pattern[str], expected: str) -> Fit | None:
    images = _images(glance)
    fitting = [name for name in images if pattern.fullmatch(_stem(name).lower())]
    if not fitting:
        return None
    share = len(fitting) / len(images)
    if share >= _ENOUGH:
        return Fit(share=1.0, why=f"{len(fitting)} of {len(images)} images are named so")
    return Fit(share=share, why=f"only {len(fitting)} of {len(images)} are {expected}")
