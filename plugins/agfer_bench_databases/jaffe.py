"""JAFFE: ten women, six emotions and neutral, several portraits of each.

Layout: `KA.AN1.39.tiff` anywhere below the folder: person, emotion (AN, DI, FE, HA, NE, SA, SU),
portrait, running number.

Source: Lyons et al. 1998, doi:10.5281/zenodo.3451524.
"""

from __future__ import annotations

import re

from agfer_bench import FaceImage, FaceTable, Place, UserError
from agfer_bench_databases.portraits import named_portraits
from agfer_bench_databases.tree import Notes, misfit, opened

EXPECTED = "images named as KA.AN1.39.tiff (person.emotion and portrait.number), in any subfolder"

NAME = re.compile(r"([a-z]{2})\.(an|di|fe|ha|ne|sa|su)([0-9])\.[0-9]+")
"""What names of its images are like, in small letters, without suffix."""

_EMOTIONS = {
    "an": "anger",
    "di": "disgust",
    "fe": "fear",
    "ha": "happiness",
    "ne": "neutral",
    "sa": "sadness",
    "su": "surprise",
}


def read_jaffe(place: Place) -> FaceTable:
    """Read the portraits, wherever below the folder they lie.

    Raises:
        UserError: No image below the folder is named so, or something cannot be read.
    """
    notes = Notes()
    with opened(place, "jaffe") as folder:
        images = tuple(
            FaceImage(
                path=path,
                emotion=_EMOTIONS[match[2]],
                subject=match[1].upper(),
                sex="female",
                take=match[3],
            )
            for path, match in named_portraits(folder, NAME, notes)
        )
        if not images:
            advice = "name the folder that holds the portraits"
            raise UserError(misfit("JAFFE", folder, EXPECTED, advice, notes))
    return FaceTable(root=folder, images=images, notes=notes.lines())
