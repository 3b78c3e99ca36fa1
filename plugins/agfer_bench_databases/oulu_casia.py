"""OULU-CASIA: 80 subjects, six emotions, each a sequence from neutral to its peak.

Layout: `OriginalImg/VL/Strong/P012/Anger/000.jpeg`, with `NI` beside `VL`, and `Weak` and `Dark`
beside `Strong`; see `oulu_folders` for the other variants.

Source: Zhao et al. 2011, doi:10.1016/j.imavis.2011.07.002. The neutral class is that of Arabian
et al. 2023, doi:10.3390/app131810179, section 2.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from agfer_bench import FaceImage, FaceTable, Place, UserError
from agfer_bench_databases.emotions import canonical_emotion
from agfer_bench_databases.frames import Labelling, in_order, labelled
from agfer_bench_databases.oulu_folders import EXPECTED, SUBJECT, Setting, find_recordings
from agfer_bench_databases.tree import CROPPED_ALREADY, Notes, entries, misfit, opened

EMOTIONS_SHOWN = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")

SUBJECTS = 80


def read_oulu_casia(
    place: Place,
    *,
    spectrum: Literal["VL", "NI"] = "VL",
    illumination: Literal["Strong", "Weak", "Dark"] = "Strong",
    variant: Literal["auto", "original", "b-original", "a-cropped", "b-cropped"] = "auto",
    neutral_frames: int = 3,
    last_frames: int = 0,
    neutral_sequences: int = 0,
) -> FaceTable:
    """Read the sequences of one spectrum and one illumination.

    Args:
        place: The folder above `OriginalImg`, or any folder from there down to `Strong`.
        spectrum: Visible light or near infrared.
        illumination: How the room was lit.
        variant: `OriginalImg`, `B_OriginalImg`, or the faces cropped by the authors
            (`VL_Acropped`, `VL_Bcropped`); `auto` takes the first of these that is there.
        neutral_frames: So many first frames of each sequence are neutral; 3 in the paper.
        last_frames: So many last frames carry the emotion, 3 in many protocols; 0, as in the
            paper: all that are not neutral.
        neutral_sequences: Neutral frames are taken from so many of a subject's six sequences, which
            differ from subject to subject; 0, as in the paper: from all. With few frames a sequence
            neutral would else be six times as frequent as any emotion.

    Raises:
        UserError: Nothing fits, two folders fit, or something cannot be read.
    """
    labelling = Labelling(neutral_frames=neutral_frames, last_frames=last_frames)
    if not 0 <= neutral_sequences <= len(EMOTIONS_SHOWN):
        raise UserError(f"neutral_sequences={neutral_sequences} must be from 0 to 6")
    wanted = Setting(
        spectrum=spectrum,
        illumination=illumination,
        variant=None if variant == "auto" else variant,
    )
    notes = Notes()
    with opened(place, "oulu-casia") as folder:
        root = find_recordings(folder, wanted, notes)
        images = tuple(
            image
            for subject in _subjects(root, notes)
            for image in _images(subject, root, labelling, notes)
            if image.emotion != "neutral" or _gives_neutral(image, neutral_sequences)
        )
        if not images:
            advice = "name a folder that holds its frames"
            raise UserError(misfit("OULU-CASIA", root, EXPECTED, advice, notes))
    if "crop" in root.parent.name.lower():
        notes.say(CROPPED_ALREADY)
    return FaceTable(root=root, images=images, notes=notes.lines())


def _subjects(root: Path, notes: Notes) -> list[Path]:
    """List the subjects' folders; note how many there are and which of 1 to 80 are missing."""
    subjects = [path for path in _folders(root, root, notes) if _is_subject(path, root, notes)]
    numbers = {int(path.name[1:]) for path in subjects}
    missing = ranges(set(range(1, SUBJECTS + 1)) - numbers)
    if missing:
        notes.say(f"subjects: {len(subjects)}; of 1 to {SUBJECTS} these are missing: {missing}")
    return subjects


def _is_subject(folder: Path, root: Path, notes: Notes) -> bool:
    if SUBJECT.fullmatch(folder.name):
        return True
    _count_folder(folder, root, notes)
    return False


def _images(subject: Path, root: Path, labelling: Labelling, notes: Notes) -> Iterator[FaceImage]:
    sequences = _sequences(subject, root, notes)
    for emotion in EMOTIONS_SHOWN:
        folder = sequences.get(emotion)
        frames = in_order(_files(folder, root, notes), root, notes) if folder else []
        if folder is None or not frames:
            notes.count("sequences missing or without a frame", f"{subject.name} {emotion}")
            continue
        for frame, path, shown in labelled(frames, emotion, labelling, root, notes):
            yield FaceImage(
                path=path,
                emotion=shown,
                subject=subject.name,
                sequence=f"{subject.name}/{folder.name}",
                frame=frame,
            )


def _gives_neutral(image: FaceImage, sequences: int) -> bool:
    """Tell whether a frame's sequence is one of those that neutral frames are taken from."""
    subject, _, folder = str(image.sequence).partition("/")
    emotion = canonical_emotion(folder) or ""
    turn = EMOTIONS_SHOWN.index(emotion) - int(subject[1:])
    return sequences == 0 or turn % len(EMOTIONS_SHOWN) < sequences


def _sequences(subject: Path, root: Path, notes: Notes) -> dict[str, Path]:
    """Find the folder of each emotion of one subject."""
    sequences: dict[str, Path] = {}
    for folder in _folders(subject, root, notes):
        emotion = canonical_emotion(folder.name)
        if emotion not in EMOTIONS_SHOWN or emotion in sequences:
            _count_folder(folder, root, notes)
        else:
            sequences[emotion] = folder
    return sequences


def _folders(parent: Path, root: Path, notes: Notes) -> list[Path]:
    """List folders; count the files among them."""
    children = entries(parent)
    folders = [path for path in children if path.is_dir()]
    for path in children:
        if path not in folders:
            notes.count("files where none is expected", path.relative_to(root).as_posix())
    return folders


def _files(sequence: Path, root: Path, notes: Notes) -> list[Path]:
    """List files; count the folders among them."""
    children = entries(sequence)
    for path in children:
        if path.is_dir():
            _count_folder(path, root, notes)
    return [path for path in children if not path.is_dir()]


def _count_folder(folder: Path, root: Path, notes: Notes) -> None:
    notes.count("folders whose names do not fit, left out", folder.relative_to(root).as_posix())


def ranges(numbers: Iterable[int]) -> str:
    """Write numbers compactly.

    >>> ranges({1, 2, 3, 7, 9, 10})
    '1-3, 7, 9-10'
    """
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
