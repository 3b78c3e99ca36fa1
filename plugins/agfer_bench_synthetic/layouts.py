"""What is drawn and under which name: the layouts of two databases, as independent pieces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, TypeAlias

from agfer_bench_synthetic.casting import Cast, Stream, onset
from agfer_bench_synthetic.render import Frame
from agfer_bench_synthetic.studio import Studio

OULU_EMOTIONS = ("Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise")
"""The folders of OULU-CASIA."""

OULU_SUBJECTS, OULU_FRAMES = 80, 10_379
"""Subjects of the real set, and frames of its strong visible light."""

FEWEST_FRAMES = 9
"""Of a sequence whose length is drawn."""

FACES_LETTERS = {
    "anger": "a",
    "disgust": "d",
    "fear": "f",
    "happiness": "h",
    "neutral": "n",
    "sadness": "s",
}
"""The letter of each emotion in the names of FACES."""

FACES_GROUPS = {"y": 58, "m": 56, "o": 57}
"""Young, middle-aged and old persons of the real set, 171 in all."""

GROUP_AGES = {"y": (0.0, 0.15), "m": (0.45, 0.6), "o": (0.85, 1.0)}
"""How old a person of each group is drawn, 0 to 1."""

PORTRAITS = Studio(
    height=3543,
    width=2835,
    aspect=2835 / 3543,
    eye_distance=(0.19, 0.203),
    wander=(0.06, 0.05),
    roll=1.0,
    yaw=0.03,
    pitch=0.06,
    lamp=(-0.12, 0.12),
    ambient=(0.6, 0.72),
    uneven=0.045,
    balance=(0.97, 1.0, 1.04),
    warmth=0.008,
    exposure=(0.92, 1.0),
    blur=(0.07, 0.1),
    noise=(0.005, 0.008),
    clutter=0.0,
    wall=(0.6, 0.66),
    wall_hue=0.008,
    wall_patches=0.12,
    cloth=(0.4, 0.5),
    cloth_hue=0.01,
)
"""A portrait photographer's: still, frontal, soft light, a grey backdrop and a sharp camera."""


@dataclass(frozen=True, kw_only=True)
class OuluCasia:
    """Six sequences of each subject in a room, from rest to the apex."""

    name: ClassVar[str] = "oulu-casia"
    """Name of the layout."""
    quality: ClassVar[int] = 95
    """JPEG quality, 0..100."""

    subjects: int
    """Persons."""
    frames: int
    """Frames of each sequence; 0 draws lengths as in the real set."""
    neutral_frames: int
    """How many of them come first without an expression."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    seed: int
    """0 or more."""

    @property
    def pieces(self) -> int:
        """How many sequences there are."""
        return self.subjects * len(OULU_EMOTIONS)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every file's path relative to the set's folder."""
        lengths = [self._lengths(subject) for subject in range(self.subjects)]
        return tuple(
            self._name(subject, place, frame)
            for subject in range(self.subjects)
            for place in range(len(OULU_EMOTIONS))
            for frame in range(lengths[subject][place])
        )

    def draw(self, piece: int) -> Iterator[tuple[str, Frame]]:
        """Draw one sequence."""
        subject, place = divmod(piece, len(OULU_EMOTIONS))
        intensities = onset(self._lengths(subject)[place], neutral_frames=self.neutral_frames)
        emotion = OULU_EMOTIONS[place].lower()
        for frame, rgb in enumerate(self._cast.sequence(subject, emotion, intensities)):
            yield self._name(subject, place, frame), rgb

    @property
    def _cast(self) -> Cast:
        studio = Studio(width=self.width, height=self.height)
        return Cast(seed=self.seed, troupe=1, studio=studio)

    def _name(self, subject: int, place: int, frame: int) -> str:
        return f"OriginalImg/VL/Strong/P{subject + 1:03d}/{OULU_EMOTIONS[place]}/{frame:03d}.jpeg"

    def _lengths(self, subject: int) -> list[int]:
        """Frames of each of a subject's sequences.

        Drawn lengths share out what a subject's part of the real set's frames is, so that 80
        subjects have exactly as many, and more subjects change nothing for the first ones.
        """
        if self.frames:
            return [self.frames] * len(OULU_EMOTIONS)
        before, after = (
            round(OULU_FRAMES * count / OULU_SUBJECTS) for count in (subject, subject + 1)
        )
        rng = self._cast.rng(Stream.LENGTH, subject)
        spare = after - before - FEWEST_FRAMES * len(OULU_EMOTIONS)
        shares = rng.multinomial(spare, rng.dirichlet([8.0] * len(OULU_EMOTIONS)))
        return [FEWEST_FRAMES + int(share) for share in shares]


@dataclass(frozen=True, kw_only=True)
class Faces:
    """Two portraits of each person with each of six expressions, all in one folder."""

    name: ClassVar[str] = "faces"
    """Name of the layout."""
    quality: ClassVar[int] = 92
    """JPEG quality, 0..100."""

    persons: int
    """Persons, of three age groups and both sexes in turn."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    seed: int
    """0 or more."""

    @property
    def pieces(self) -> int:
        """How many portraits there are."""
        return self.persons * len(FACES_LETTERS) * 2

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every file's name."""
        return tuple(self._name(piece) for piece in range(self.pieces))

    def draw(self, piece: int) -> Iterator[tuple[str, Frame]]:
        """Draw one portrait."""
        person, emotion, take = self._which(piece)
        group, sex = self._people[person]
        studio = replace(PORTRAITS, width=self.width, height=self.height)
        cast = Cast(seed=self.seed, troupe=2, studio=studio)
        age = cast.rng(Stream.AGE, person).uniform(*GROUP_AGES[group])
        rng = cast.rng(Stream.STRENGTH, person, piece)
        (frame,) = cast.sequence(
            person,
            emotion,
            [float(rng.uniform(0.85, 1.0))],
            age=float(age),
            sex={"f": "female", "m": "male"}[sex],
            take=take,
        )
        yield self._name(piece), frame

    def _which(self, piece: int) -> tuple[int, str, int]:
        """Person, emotion and take."""
        person, rest = divmod(piece, len(FACES_LETTERS) * 2)
        return person, tuple(FACES_LETTERS)[rest // 2], rest % 2

    def _name(self, piece: int) -> str:
        person, emotion, take = self._which(piece)
        group, sex = self._people[person]
        return f"{person + 1:03d}_{group}_{sex}_{FACES_LETTERS[emotion]}_{'ab'[take]}.jpg"

    @cached_property
    def _people(self) -> tuple[tuple[str, str], ...]:
        return balanced(self.persons)


def balanced(persons: int) -> tuple[tuple[str, str], ...]:
    """Age group and sex of each person, in the shares of the real set.

    The group that is furthest behind its share comes next; within a group the sexes alternate,
    with the middle-aged beginning by the other one.

    >>> balanced(4)
    (('y', 'f'), ('o', 'f'), ('m', 'm'), ('y', 'm'))
    """
    total = sum(FACES_GROUPS.values())
    counts = dict.fromkeys(FACES_GROUPS, 0)
    people = []
    for number in range(1, persons + 1):
        behind = {group: share * number / total for group, share in FACES_GROUPS.items()}
        group = max(counts, key=lambda name: behind[name] - counts[name])
        people.append((group, "fm"[(counts[group] + (group == "m")) % 2]))
        counts[group] += 1
    return tuple(people)


Order: TypeAlias = OuluCasia | Faces
"""What is to be drawn: pieces that can be drawn on their own, and the names of all files."""

ORDERS: dict[str, type[Order]] = {"oulu-casia": OuluCasia, "faces": Faces}
"""The layouts by name."""
