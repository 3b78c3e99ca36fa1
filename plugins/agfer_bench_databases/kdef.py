"""KDEF: 70 persons, six emotions and neutral, two sessions, five angles.

Layout: `AF01ANS.JPG` anywhere below the folder, usually in a folder for each person and session:
session (A, B), sex and number of the person (F01), emotion (AF, AN, DI, HA, NE, SA, SU), angle
(S straight, HL and HR half, FL and FR full profile).

Two files of the release are named otherwise, `AF31V.JPG` and `AM31H.JPG`: they are the only two
that its 4900 names lack, the sad left half profile of F31 and the surprised right half profile of
M31 (V and H: vänster and höger). Scripts of several users rename them so, among them
`AF31V.JPG -> AF31SAHL.JPG` and `AM31H.JPG -> AM31SUHR.JPG` in one that pairs KDEF's images.

Source: Lundqvist, Flykt and Öhman 1998, https://kdef.se.
"""

from __future__ import annotations

import re
from typing import Literal

from agfer_bench import FaceImage, FaceTable, Place, UserError
from agfer_bench_databases.portraits import named_portraits
from agfer_bench_databases.tree import Notes, misfit, opened

EXPECTED = "images named as AF01ANS.JPG (session, person, emotion, angle), in any subfolder"

NAME = re.compile(r"([ab])(([fm])[0-9]{2})(af|an|di|ha|ne|sa|su)(s|hl|hr|fl|fr)")
"""What names of its images are like, in small letters, without suffix."""

RENAMED = {"af31v": "af31sahl", "am31h": "am31suhr"}
"""Files of the release that are named otherwise, and what they should be called."""

_SEXES = {"f": "female", "m": "male"}
_EMOTIONS = {
    "af": "fear",
    "an": "anger",
    "di": "disgust",
    "ha": "happiness",
    "ne": "neutral",
    "sa": "sadness",
    "su": "surprise",
}


def read_kdef(
    place: Place, *, angle: Literal["S", "HL", "HR", "FL", "FR", "all"] = "S"
) -> FaceTable:
    """Read the portraits of one angle or of all; both sessions of a person are one subject.

    Args:
        place: A folder above the portraits.
        angle: The angle to keep. The cascades of the default crop look for frontal faces.

    Raises:
        UserError: No image below the folder is named so, or something cannot be read.
    """
    notes = Notes()
    images = []
    with opened(place, "kdef") as folder:
        for path, match in named_portraits(folder, NAME, notes, RENAMED):
            if angle not in ("all", match[5].upper()):
                notes.count(f"images of other angles than {angle}", path.name)
                continue
            images.append(
                FaceImage(
                    path=path,
                    emotion=_EMOTIONS[match[4]],
                    subject=match[2].upper(),
                    sex=_SEXES[match[3]],
                    take=match[1],
                )
            )
        if not images:
            advice = "name the folder that holds the portraits, or set angle=all"
            raise UserError(misfit("KDEF", folder, EXPECTED, advice, notes))
    return FaceTable(root=folder, images=tuple(images), notes=notes.lines())
