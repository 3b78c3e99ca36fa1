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


class _Stream(IntEnum):
    """What random numbers are for."""

    AGE = 1
    IDENTITY = 2
    HABIT = 3
    HAIR = 4
    MANNER = 5
    SETTING = 6
    FRAME = 7


@dataclass(frozen=True, kw_only=True)
class Cast:
    """A set of subjects and the studio they are filmed in."""

    seed: int
    """0 or more; all random numbers follow from it."""
    studio: Studio = field(default_factory=Studio)
    """The style of filming."""
    variety: Variety = field(default_factory=Variety)
    """How much subjects differ in what they show."""

    def rng(self, stream: int, *keys: int) -> np.random.Generator:
        """Random numbers for one purpose."""
        return np.random.default_rng([self.seed, stream, *keys])

    def sequence(
        self, subject: int, emotion: str, intensities: list[float], *, age: float | None = None
    ) -> Iterator[Frame]:
        """Draw a sequence: one frame for each intensity from 0 (onset) to 1 (apex).

        Args:
            subject: number of the person, 0 or more.
            emotion: one of `FACE_EMOTIONS`.
            intensities: strength of the expression in each frame, 0..1.
            age: 0 (young adult) to 1 (old); None draws one.
        """
        place = FACE_EMOTIONS.index(emotion)
        if age is None:
            age = float(self.rng(_Stream.AGE, subject).beta(1.2, 2.0))
        who = draw_identity(self.rng(_Stream.IDENTITY, subject), age=age)
        manner = draw_manner(
            emotion,
            subject=self.rng(_Stream.HABIT, subject),
            sequence=self.rng(_Stream.MANNER, subject, place),
            variety=self.variety,
        )
        take = set_up(
            who,
            self.studio,
            subject=self.rng(_Stream.HAIR, subject),
            sequence=self.rng(_Stream.SETTING, subject, place),
        )
        for frame, intensity in enumerate(intensities):
            yield film(take, manner.at(intensity), self.rng(_Stream.FRAME, subject, place, frame))


def rising(frames: int, *, first: float = 0.65) -> list[float]:
    """Intensities from `first` to 1, slowing down towards the apex; a single frame is the apex."""
    if frames == 1:
        return [1.0]
    rise = np.sin(np.linspace(0, np.pi / 2, frames))
    return [float(value) for value in first + (1 - first) * rise]
