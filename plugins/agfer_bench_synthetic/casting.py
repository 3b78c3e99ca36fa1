"""Which subject shows what, and from which random numbers: each drawing has a stream of its own.

A stream is named by what it is for, never by when it is drawn, so neither the order nor the
number of workers can change a pixel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from agfer_bench_synthetic.expression import FACE_EMOTIONS, Variety, draw_manner
from agfer_bench_synthetic.identity import draw_identity
from agfer_bench_synthetic.render import Frame, film, set_up
from agfer_bench_synthetic.studio import Studio

ADULTS = 0.75
"""Who is filmed is an adult of working age: the oldest drawn at random, 0 to 1."""


class Stream(IntEnum):
    """What random numbers are for."""

    AGE = 1
    IDENTITY = 2
    HABIT = 3
    HAIR = 4
    MANNER = 5
    SETTING = 6
    FRAME = 7
    LENGTH = 8
    STRENGTH = 9


@dataclass(frozen=True, kw_only=True)
class Cast:
    """A set of subjects and the studio they are filmed in."""

    seed: int
    """0 or more; all random numbers follow from it."""
    troupe: int = 0
    """Another troupe has other people, whatever the seed."""
    studio: Studio = field(default_factory=Studio)
    """The style of filming."""
    variety: Variety = field(default_factory=Variety)
    """How much subjects differ in what they show."""

    def rng(self, stream: int, *keys: int) -> np.random.Generator:
        """Random numbers for one purpose."""
        return np.random.default_rng([self.seed, self.troupe, stream, *keys])

    def sequence(
        self,
        subject: int,
        emotion: str,
        intensities: list[float],
        *,
        age: float | None = None,
        sex: str | None = None,
        take: int = 0,
    ) -> Iterator[Frame]:
        """Draw a sequence: one frame for each intensity from 0 (onset) to 1 (apex).

        Args:
            subject: number of the person, 0 or more.
            emotion: one of `FACE_EMOTIONS`.
            intensities: strength of the expression in each frame, 0..1.
            age: 0 (young adult) to 1 (old); None draws one.
            sex: `female` or `male`; None draws one.
            take: number of the recording: the same expression, another moment.
        """
        place = FACE_EMOTIONS.index(emotion)
        if age is None:
            age = ADULTS * float(self.rng(Stream.AGE, subject).beta(1.2, 2.0))
        who = draw_identity(self.rng(Stream.IDENTITY, subject), age=age, sex=sex)
        manner = draw_manner(
            emotion,
            subject=self.rng(Stream.HABIT, subject),
            sequence=self.rng(Stream.MANNER, subject, place),
            moment=self.rng(Stream.MANNER, subject, place, take),
            variety=self.variety,
        )
        setting = set_up(
            who,
            self.studio,
            subject=self.rng(Stream.HAIR, subject),
            sequence=self.rng(Stream.SETTING, subject, place, take),
        )
        for frame, intensity in enumerate(intensities):
            rng = self.rng(Stream.FRAME, subject, place, take, frame)
            yield film(setting, manner.at(intensity), rng)


def onset(frames: int, *, neutral_frames: int) -> list[float]:
    """Intensities of a sequence: at rest, then rising to the apex, where it stays a while.

    A short sequence has no room for a slow onset: its first frame past the rest shows 0.65 of the
    apex, which can be recognised; from twelve such frames on it starts at 0.15.

    Args:
        frames: 1 or more; a single frame is the apex.
        neutral_frames: how many come first at intensity 0; one frame is always left to the apex.

    >>> onset(2, neutral_frames=3)
    [0.0, 1.0]
    """
    rest = min(neutral_frames, frames - 1)
    shown = frames - rest
    first = float(np.interp(shown, [4, 12], [0.65, 0.15]))
    return [0.0] * rest + rising(shown, first=first)


def rising(frames: int, *, first: float = 0.65) -> list[float]:
    """Intensities from `first` to 1, slowing down towards the apex; a single frame is the apex.

    More than four frames reach it after two thirds of their number.
    """
    if frames == 1:
        return [1.0]
    way = frames if frames <= 4 else max(4, round(2 * frames / 3))
    rise = np.sin(np.linspace(0, np.pi / 2, way))
    return [float(value) for value in first + (1 - first) * rise] + [1.0] * (frames - way)
