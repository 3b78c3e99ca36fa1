"""muxspace/facial_expressions: photographs from the web with seven emotions and contempt.

Layout: `images/Rafael_Ramirez_0001.jpg` beside `data/legend.csv` with the columns
`user.id,image,emotion`; emotions in small letters or capitals. Who is shown is the file's name up
to its last underscore and digits. Some images are labelled twice. Free to download.

Source: https://github.com/muxspace/facial_expressions (Apache License 2.0 for the collection; the
photographs are others').
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from agfer_bench import FaceImage, FaceTable, Place, UserError
from agfer_bench_databases.emotions import canonical_emotion
from agfer_bench_databases.tree import (
    Notes,
    files_below,
    has_bytes,
    is_image,
    misfit,
    opened,
    within,
)

LEGEND = "data/legend.csv"
EXPECTED = f"images/Rafael_Ramirez_0001.jpg and so on beside {LEGEND} with user.id,image,emotion"

_NUMBERED = re.compile(r"(.+)_[0-9]+")


def read_muxspace(place: Place, *, least: int = 0) -> FaceTable:
    """Read the images that the legend labels.

    An image that is labelled twice alike counts once; one with two emotions is left out.

    Args:
        place: The folder that holds `images` and `data`.
        least: Emotions with fewer images than this are left out: contempt has 9.

    Raises:
        UserError: The folder is laid out otherwise, no image is labelled, or something cannot be
            read.
    """
    notes = Notes()
    with opened(place, "muxspace") as folder:
        base = within(folder, LEGEND)
        if base is None or not (base / "images").is_dir():
            advice = "name the folder of the repository, or download it again"
            raise UserError(misfit("muxspace", folder, EXPECTED, advice))
        emotions = _labels(base / LEGEND, notes)
        images = tuple(_images(base, emotions, notes))
    counts = Counter(image.emotion for image in images)
    few = {emotion for emotion, number in counts.items() if number < least}
    for emotion in sorted(few):
        notes.say(f"{emotion}: {counts[emotion]} images, fewer than least={least}: left out")
    kept = tuple(image for image in images if image.emotion not in few)
    if not kept:
        raise UserError(
            f"{base} holds no image to read: {len(images)} are labelled, and no emotion has "
            f"least={least} of them"
            if images
            else misfit("muxspace", folder, EXPECTED, "download it again", notes)
        )
    return FaceTable(root=base, images=kept, notes=notes.lines())


def _labels(legend: Path, notes: Notes) -> dict[str, str | None]:
    """Return each image's emotion by its name; None for an image that cannot be used."""
    found: dict[str, set[str]] = {}
    for line, name, text in _rows(legend):
        emotion = canonical_emotion(text)
        if emotion is None:
            notes.count("rows with no known emotion, left out", f"line {line}: {text!r}")
            continue
        if name in found:
            notes.count("images labelled twice", name)
        found.setdefault(name, set()).add(emotion)
    labels: dict[str, str | None] = {}
    for name, emotions in found.items():
        if len(emotions) > 1:
            notes.count("images with two emotions, left out", name)
        labels[name] = next(iter(emotions)) if len(emotions) == 1 else None
    return labels


def _rows(legend: Path) -> Iterator[tuple[int, str, str]]:
    """Yield the line, the image and the emotion of each row."""
    try:
        with legend.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns = {name.strip().lower(): name for name in reader.fieldnames or ()}
            if not {"image", "emotion"} <= columns.keys():
                raise UserError(
                    f"{legend} has no columns image and emotion in its first line, but "
                    f"{', '.join(columns) or 'nothing'}"
                )
            for row in reader:
                name, emotion = row[columns["image"]], row[columns["emotion"]]
                yield reader.line_num, (name or "").strip(), (emotion or "").strip()
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{legend} is not a CSV file in UTF-8: {error}") from None


def _images(base: Path, labels: dict[str, str | None], notes: Notes) -> Iterator[FaceImage]:
    """Yield the labelled images that are there, by name."""
    folder = base / "images"
    files = {path.relative_to(folder).as_posix(): path for path in files_below(folder)}
    for name in sorted(labels.keys() - files.keys()):
        notes.count("labelled images that are missing", name)
    for name, path in sorted(files.items()):
        if not is_image(path, base, notes):
            continue
        if name not in labels:
            notes.count("images without a label, left out", name)
            continue
        emotion = labels[name]
        if emotion is not None and has_bytes(path, base, notes):
            numbered = _NUMBERED.fullmatch(path.stem)
            subject = numbered[1] if numbered else path.stem
            yield FaceImage(path=path, emotion=emotion, subject=subject)
