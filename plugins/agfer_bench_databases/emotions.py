"""Names of emotions as data sets write them."""

from __future__ import annotations

from agfer_bench import EMOTIONS

ALIASES = {
    "afraid": "fear",
    "angry": "anger",
    "contemptuous": "contempt",
    "disgusting": "disgust",
    "disgusted": "disgust",
    "fearful": "fear",
    "happy": "happiness",
    "sad": "sadness",
    "scared": "fear",
    "suprise": "surprise",
    "surprised": "surprise",
}
"""Other names of the emotions, as folders of known data sets have them."""


def canonical_emotion(name: str) -> str | None:
    """Return the name in EMOTIONS that a folder's or a row's name stands for, or None.

    >>> canonical_emotion("Happy")
    'happiness'
    """
    lower = name.strip().lower()
    lower = ALIASES.get(lower, lower)
    return lower if lower in EMOTIONS else None
