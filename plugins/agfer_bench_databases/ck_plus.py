"""CK+: posed sequences from neutral to the peak, part of them labelled.

Layout: `cohn-kanade-images/S005/001/S005_001_00000001.png` beside
`Emotion/S005/001/S005_001_00000011_emotion.txt`, which holds one number such as `3.0000000e+00`:
0 neutral, 1 anger, 2 contempt, 3 disgust, 4 fear, 5 happiness, 6 sadness, 7 surprise.

Source: Lucey et al. 2010, doi:10.1109/CVPRW.2010.5543262.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from agfer_bench import FaceImage, FaceTable, Place, UserError
from agfer_bench_databases.frames import Labelling, in_order, labelled
from agfer_bench_databases.tree import Notes, entries, folders_in, misfit, opened, within

IMAGES = ("cohn-kanade-images", "extended-cohn-kanade-images/cohn-kanade-images")
LABELS = ("Emotion", "Emotion_labels/Emotion", "Emotion_labels")
"""Where the images and the labels lie: as published, or as their two archives unpack."""

EXPECTED = (
    "cohn-kanade-images/S005/001/S005_001_00000001.png beside "
    "Emotion/S005/001/S005_001_00000011_emotion.txt"
)

_EMOTIONS = (
    "neutral",
    "anger",
    "contempt",
    "disgust",
    "fear",
    "happiness",
    "sadness",
    "surprise",
)


def read_ck_plus(place: Place, *, last_frames: int = 3, neutral_frames: int = 1) -> FaceTable:
    """Read the labelled sequences: their peaks, and their first frames as neutral.

    Args:
        place: The folder that holds `cohn-kanade-images` and `Emotion`.
        last_frames: So many last frames carry the emotion; 0: all that are not neutral.
        neutral_frames: So many first frames of each labelled sequence are neutral.

    Raises:
        UserError: The folder is laid out otherwise, no sequence has a label and a frame, or
            something cannot be read.
    """
    labelling = Labelling(neutral_frames=neutral_frames, last_frames=last_frames)
    notes = Notes()
    with opened(place, "ck-plus") as folder:
        pictures, labels = _find(folder, IMAGES), _find(folder, LABELS)
        images = tuple(
            image
            for sequence in _sequences(pictures, labels, notes)
            for image in _images(sequence, pictures, labels, labelling, notes)
        )
        if not images:
            advice = "name the folder that holds both, labels included"
            raise UserError(misfit("CK+", folder, EXPECTED, advice, notes))
    return FaceTable(root=pictures, images=images, notes=notes.lines())


def _find(folder: Path, places: tuple[str, ...]) -> Path:
    for below in places:
        base = within(folder, below)
        if base is not None:
            return base / below
    advice = f"name the folder that holds {places[0]}"
    raise UserError(misfit("CK+", folder, EXPECTED, advice))


def _sequences(pictures: Path, labels: Path, notes: Notes) -> list[str]:
    """Name all recorded sequences, as `S005/001`; count labels of sequences that are not there."""
    recorded = _second_level(pictures)
    for name in sorted(set(_second_level(labels)) - set(recorded)):
        if _label_files(labels / name):
            notes.count("labels without a sequence of images", name)
    return recorded


def _second_level(folder: Path) -> list[str]:
    return [f"{one.name}/{two.name}" for one in folders_in(folder) for two in folders_in(one)]


def _label_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [path for path in entries(folder) if path.name.endswith("_emotion.txt")]


def _images(
    sequence: str, pictures: Path, labels: Path, labelling: Labelling, notes: Notes
) -> Iterator[FaceImage]:
    files = _label_files(labels / sequence)
    if not files:
        notes.count("sequences without a label, left out", sequence)
        return
    emotion = read_label(files[0])
    if emotion is None or len(files) > 1:
        notes.count("sequences with an unreadable label or several, left out", sequence)
        return
    paths = [path for path in entries(pictures / sequence) if not path.is_dir()]
    frames = in_order(paths, pictures, notes)
    if not frames:
        notes.count("labelled sequences without a frame", sequence)
    for frame, path, shown in labelled(frames, emotion, labelling, pictures, notes):
        yield FaceImage(
            path=path,
            emotion=shown,
            subject=sequence.split("/")[0],
            sequence=sequence,
            frame=frame,
        )


def read_label(file: Path) -> str | None:
    """Read the emotion from a label file; None where it holds no whole number from 0 to 7."""
    try:
        number = float(file.read_text(encoding="ascii"))
    except ValueError:  # not a number, or not even ASCII
        return None
    return _EMOTIONS[int(number)] if number in range(len(_EMOTIONS)) else None
