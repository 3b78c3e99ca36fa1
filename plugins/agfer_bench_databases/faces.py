"""FACES: 171 persons of three age groups, six emotions, two portraits of each.

Layout: `004_o_m_a_a.jpg` anywhere below the folder: person, age group (y, m, o), sex (m, f),
emotion (a, d, f, h, n, s) and portrait (a, b).

Source: Ebner et al. 2010, doi:10.3758/BRM.42.1.351.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from agfer_bench import FaceImage, FaceTable, Place, UserError
from agfer_bench_databases.portraits import named_portraits
from agfer_bench_databases.tree import Notes, misfit, opened

EXPECTED = "images named as 004_o_m_a_a.jpg (person_age_sex_emotion_portrait), in any subfolder"

PORTRAITS = 12
"""Six emotions, two portraits of each."""

NAME = re.compile(r"([0-9]{1,3})_([ymo])_([mf])_([adfhns])_([ab])")
"""What names of its images are like, in small letters, without suffix."""

_AGE_GROUPS = {"y": "young", "m": "middle", "o": "old"}
_SEXES = {"f": "female", "m": "male"}
_EMOTIONS = {
    "a": "anger",
    "d": "disgust",
    "f": "fear",
    "h": "happiness",
    "n": "neutral",
    "s": "sadness",
}


def read_faces(place: Place) -> FaceTable:
    """Read the portraits, wherever below the folder they lie.

    Raises:
        UserError: No image below the folder is named so, or something cannot be read.
    """
    notes = Notes()
    with opened(place, "faces") as folder:
        images = tuple(
            FaceImage(
                path=path,
                emotion=_EMOTIONS[match[4]],
                subject=match[1].zfill(3),
                age_group=_AGE_GROUPS[match[2]],
                sex=_SEXES[match[3]],
                take=match[5],
            )
            for path, match in named_portraits(folder, NAME, notes)
        )
        if not images:
            advice = "name the folder that holds the portraits"
            raise UserError(misfit("FACES", folder, EXPECTED, advice, notes))
    _check_persons(images, notes)
    return FaceTable(root=folder, images=images, notes=notes.lines())


def _check_persons(images: Iterable[FaceImage], notes: Notes) -> None:
    """Note who has too few portraits, and who has two ages or sexes."""
    persons: dict[str | None, list[FaceImage]] = defaultdict(list)
    for image in images:
        persons[image.subject].append(image)
    for subject, portraits in sorted(persons.items(), key=lambda item: str(item[0])):
        if len({(image.emotion, image.take) for image in portraits}) < PORTRAITS:
            example = f"{subject} with {len(portraits)}"
            notes.count(f"persons with fewer than {PORTRAITS} portraits", example)
        if len({(image.age_group, image.sex) for image in portraits}) > 1:
            notes.count("persons of two age groups or sexes, by their names", subject)
