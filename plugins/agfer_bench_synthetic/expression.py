"""What a face does: intensities of facial actions, and how people show the seven emotions.

The actions follow the Facial Action Coding System and its emotion prototypes (Ekman & Friesen
1978). Who shows an emotion does so in a way of their own: `Manner` mixes an emotion's variants
and scales each action, once for each subject and emotion.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

FACE_EMOTIONS = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
"""The emotions that can be drawn; `EMOTIONS` of agfer_bench without contempt."""


@dataclass(frozen=True, kw_only=True)
class Expression:
    """Facial actions: 0 at rest, 1 as strong as most people can; somewhat more is drawn too."""

    brow_inner_up: float = 0.0
    """Inner ends of the brows raised (action unit 1)."""
    brow_outer_up: float = 0.0
    """Outer ends of the brows raised (2)."""
    brow_lower: float = 0.0
    """Brows lowered and drawn together (4)."""
    lid_raise: float = 0.0
    """Upper lids raised (5); below 0 they droop."""
    lid_tighten: float = 0.0
    """Lids narrowed, the lower lid pushed up (6 and 7)."""
    nose_wrinkle: float = 0.0
    """Skin over the root of the nose gathered (9)."""
    lip_raise: float = 0.0
    """Upper lip raised (10)."""
    corner_up: float = 0.0
    """Corners of the mouth pulled up and out (12)."""
    corner_down: float = 0.0
    """Corners of the mouth pulled down (15)."""
    stretch: float = 0.0
    """Mouth stretched sideways (20); below 0 it narrows (18)."""
    press: float = 0.0
    """Lips pressed thin (23 and 24)."""
    open: float = 0.0
    """Lips apart, jaw dropped (25 to 27)."""


LID_RAISE = [field.name for field in fields(Expression)].index("lid_raise")
"""Place of that action among all."""

PROTOTYPES: dict[str, tuple[Expression, Expression]] = {
    "anger": (
        Expression(brow_lower=1.0, lid_raise=0.3, lid_tighten=0.4, press=0.9, corner_down=0.2),
        Expression(brow_lower=1.0, lid_tighten=0.5, lip_raise=0.2, open=0.4, stretch=0.1),
    ),
    "disgust": (
        Expression(
            brow_lower=0.45, lid_tighten=0.5, nose_wrinkle=1.0, lip_raise=1.0, corner_down=0.4
        ),
        Expression(
            brow_lower=0.3,
            lid_tighten=0.45,
            nose_wrinkle=0.9,
            lip_raise=1.0,
            open=0.3,
            corner_down=0.3,
        ),
    ),
    "fear": (
        Expression(
            brow_inner_up=0.9,
            brow_outer_up=0.3,
            brow_lower=0.4,
            lid_raise=0.7,
            stretch=0.9,
            open=0.35,
            corner_down=0.2,
        ),
        Expression(
            brow_inner_up=0.8,
            brow_outer_up=0.4,
            brow_lower=0.3,
            lid_raise=0.75,
            stretch=0.75,
            open=0.2,
        ),
    ),
    "happiness": (
        Expression(corner_up=1.0, lid_tighten=0.5, stretch=0.25, open=0.35),
        Expression(corner_up=0.85, lid_tighten=0.45),
    ),
    "neutral": (Expression(), Expression()),
    "sadness": (
        Expression(brow_inner_up=0.9, brow_lower=0.3, lid_raise=-0.45, corner_down=0.9),
        Expression(brow_inner_up=0.7, lid_raise=-0.6, corner_down=0.8, press=0.3),
    ),
    "surprise": (
        Expression(brow_inner_up=0.8, brow_outer_up=0.75, lid_raise=0.65, open=0.95, stretch=-0.1),
        Expression(brow_inner_up=0.7, brow_outer_up=0.65, lid_raise=0.5, open=0.65, stretch=-0.1),
    ),
}
"""For each emotion two ways to show it, at full strength."""


@dataclass(frozen=True, kw_only=True)
class Variety:
    """How much people differ in what they show; a data set's difficulty lies here."""

    strength: tuple[float, float] = (0.8, 1.1)
    """Range of a subject's expressiveness."""
    gain: float = 0.18
    """Standard deviation of each action's strength (of its logarithm), subject by subject."""
    unrest: float = 0.07
    """Standard deviation of stray actions, in units of an action."""
    tension: float = 0.28
    """Standard deviation of how high the brows rest, in units of an action."""
    wakefulness: float = 0.15
    """Standard deviation of how far the lids are raised at rest, in units of an action."""


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How one subject shows one emotion."""

    apex: Expression
    """The expression at its strongest, without the unrest."""
    unrest: Expression
    """Small actions that belong to no emotion, there from the first frame."""

    def at(self, intensity: float) -> Expression:
        """The expression at an intensity from 0 (onset) to 1 (apex)."""
        return _expression(_values(self.unrest) + intensity * _values(self.apex))


def draw_manner(
    emotion: str,
    *,
    subject: np.random.Generator,
    sequence: np.random.Generator,
    moment: np.random.Generator,
    variety: Variety,
) -> Manner:
    """Draw how a subject shows an emotion.

    Args:
        emotion: one of `FACE_EMOTIONS`.
        subject: gives the subject's habits; seed it alike for all emotions of a subject.
        sequence: gives how the emotion is shown.
        moment: gives the unrest, which differs from one take of it to the next.
        variety: how much people differ.
    """
    count = len(fields(Expression))
    habit = subject.normal(0, variety.gain, count)
    strength = subject.uniform(*variety.strength)
    gain = np.exp(habit + sequence.normal(0, variety.gain / 2, count))
    first, second = PROTOTYPES[emotion]
    share = sequence.beta(0.6, 0.6)
    prototype = share * _values(first) + (1 - share) * _values(second)
    unrest = moment.normal(0, variety.unrest, count).clip(-0.25, 0.25)
    # The first two actions raise a brow as a whole.
    unrest[:2] += np.clip(moment.normal(0, variety.tension), -0.6, 0.6)
    # A detected eye is as high as its lids are apart, so at rest they are not always alike either.
    unrest[LID_RAISE] += np.clip(moment.normal(0, variety.wakefulness), -0.3, 0.3)
    # At rest a mouth is closed: teeth in a neutral face would make it smile.
    unrest[-1] = min(unrest[-1], 0.06)
    return Manner(
        apex=_expression(np.clip(strength * gain * prototype, -0.8, 1.15)),
        unrest=_expression(unrest),
    )


def _values(expression: Expression) -> Values:
    return np.array(astuple(expression), dtype=np.float64)


def _expression(values: Values) -> Expression:
    names = (field.name for field in fields(Expression))
    return Expression(**{name: float(value) for name, value in zip(names, values, strict=True)})
