"""Who is shown: the build and colouring of one face, which no expression changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agfer_bench_synthetic.canvas import Colour

SKIN_TONES = (
    (247, 222, 205),
    (241, 206, 182),
    (230, 187, 154),
    (212, 165, 128),
    (184, 134, 98),
    (152, 106, 76),
    (124, 84, 60),
    (100, 67, 50),
)
"""Light to deep, 8-bit RGB; a subject's skin lies somewhere between two neighbours."""

HAIR_COLOURS = (
    (30, 26, 27),
    (48, 35, 30),
    (78, 53, 38),
    (108, 66, 40),
    (134, 68, 40),
    (176, 136, 86),
    (208, 176, 124),
)
"""Black to blond, 8-bit RGB; deep skin draws from the dark end."""

IRIS_COLOURS = ((62, 40, 26), (84, 54, 30), (104, 84, 46), (78, 96, 76), (82, 112, 140))
"""Dark brown, brown, hazel, green and blue, 8-bit RGB."""

GREY, WHITE = (0.6, 0.59, 0.58), (0.86, 0.85, 0.83)
"""Hair that has lost its colour, in middle and in old age, RGB in 0..1."""

HAIR_STYLES = {
    "female": ("long", "bun", "curly", "parted"),
    "male": ("short", "parted", "curly", "receding"),
}
"""What `Identity.hair_style` may be."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """One person. Lengths are in eye distances (the way between the pupils is 1)."""

    age: float
    """0 (young adult) to 1 (old): wrinkles, grey hair, thin lips, sagging cheeks."""
    sex: str
    """`female` or `male`: build, brows, lashes, lips, hair and beard."""
    skin: Colour
    """RGB in 0..1 under white light."""
    hair: Colour
    """RGB in 0..1 under white light."""
    iris: Colour
    """RGB in 0..1."""
    lip: Colour
    """RGB in 0..1."""
    face_width: float
    """Half the width at the cheekbones, about 1.0 to 1.2."""
    jaw_width: float
    """Jaw against cheekbones, about 0.78 to 1.0."""
    chin: float
    """From the eyes down to the chin, about 1.75 to 2.05."""
    forehead: float
    """From the eyes up to the hairline, about 0.95 to 1.3."""
    eye_width: float
    """Half the width of an eye, about 0.2 to 0.25."""
    eye_open: float
    """Height of the resting eye's upper lid over its corners, about 0.075 to 0.115."""
    eye_tilt: float
    """Rise of the outer over the inner corner, about -0.035 to 0.04."""
    brow_height: float
    """From the pupil up to the brow, about 0.32 to 0.42."""
    brow_slope: float
    """Rise of the brow's outer over its inner half, about -0.03 to 0.06."""
    brow_thickness: float
    """About 0.06 to 0.12."""
    brow_gap: float
    """Distance of the brow's inner end from the middle, about 0.2 to 0.27."""
    nose_length: float
    """From the eyes down to the nostrils, about 0.67 to 0.87."""
    nose_width: float
    """Half the width at the nostrils, about 0.2 to 0.31."""
    mouth_height: float
    """From the eyes down to the line between the lips, about 1.08 to 1.22."""
    mouth_width: float
    """Half the width of the resting mouth, about 0.34 to 0.42."""
    mouth_curve: float
    """Rise of the corners of the resting mouth, about -0.02 to 0.02."""
    lip_upper: float
    """Thickness of the upper lip, about 0.035 to 0.09."""
    lip_lower: float
    """Thickness of the lower lip, about 0.05 to 0.125."""
    relief: float
    """How strongly nose, orbits and cheeks stand out, about 0.85 to 1.15."""
    blush: float
    """Redness of the cheeks, 0 to 1."""
    stubble: float
    """Shade of beard on chin and jaw, 0 to 1."""
    lashes: float
    """Weight of the line of lashes, about 0.7 to 1.3."""
    hair_style: str
    """One of `HAIR_STYLES` of the sex."""
    hair_part: float
    """Where the fringe parts, -1 (image left) to 1."""
    hair_volume: float
    """Thickness of the hair over the skull, about 0.1 to 0.3."""


def _rgb(colour: tuple[int, int, int]) -> NDArray[np.float64]:
    return np.array(colour) / 255.0


def _triple(values: NDArray[np.float64]) -> Colour:
    red, green, blue = np.clip(values, 0, 1)
    return float(red), float(green), float(blue)


def _skin(depth: float, rng: np.random.Generator) -> Colour:
    place = depth * (len(SKIN_TONES) - 1)
    low = min(int(place), len(SKIN_TONES) - 2)
    tone = _rgb(SKIN_TONES[low]) + (place - low) * (
        _rgb(SKIN_TONES[low + 1]) - _rgb(SKIN_TONES[low])
    )
    return _triple(tone + rng.normal(0, 0.01, 3))


def _hair(depth: float, age: float, rng: np.random.Generator) -> Colour:
    reach = len(HAIR_COLOURS) if depth < 0.35 else 3 if depth < 0.65 else 2
    natural = _rgb(HAIR_COLOURS[rng.integers(reach)]) + rng.normal(0, 0.012, 3)
    grey = np.clip((age - 0.3) * 1.6 + rng.normal(0, 0.12), 0, 0.97)
    faded = np.array(GREY) + age * (np.array(WHITE) - np.array(GREY))
    return _triple(natural + grey * (faded - natural))


def _lip(skin: Colour, depth: float, red: float) -> Colour:
    shift = np.array([-0.08, -0.24, -0.2]) * (1 - 0.45 * depth) * red
    return _triple(np.array(skin) + shift)


@dataclass(frozen=True, kw_only=True)
class _Build:
    """In which ranges the faces of one sex lie; the ranges of the two overlap."""

    jaw: tuple[float, float]
    chin: tuple[float, float]
    brow_height: tuple[float, float]
    brow_thickness: tuple[float, float]
    nose_width: tuple[float, float]
    lips: tuple[float, float]
    lip_red: tuple[float, float]
    lashes: tuple[float, float]


_BUILDS = {
    "female": _Build(
        jaw=(0.77, 0.87),
        chin=(1.77, 1.91),
        brow_height=(0.355, 0.415),
        brow_thickness=(0.06, 0.09),
        nose_width=(0.195, 0.25),
        lips=(0.95, 1.15),
        lip_red=(0.95, 1.4),
        lashes=(1.05, 1.45),
    ),
    "male": _Build(
        jaw=(0.84, 0.96),
        chin=(1.84, 2.0),
        brow_height=(0.33, 0.385),
        brow_thickness=(0.08, 0.12),
        nose_width=(0.22, 0.285),
        lips=(0.8, 1.0),
        lip_red=(0.65, 1.05),
        lashes=(0.7, 1.0),
    ),
}


def draw_identity(rng: np.random.Generator, *, age: float, sex: str | None = None) -> Identity:
    """Draw one person of this age, 0 (young adult) to 1 (old), and sex; None draws the sex."""
    drawn = ("female", "male")[rng.integers(2)]
    sex = sex or drawn
    build = _BUILDS[sex]
    depth = float(rng.uniform())
    skin = _skin(depth, rng)
    irises = len(IRIS_COLOURS) if depth < 0.4 else 2
    bearded = rng.uniform() < 0.45 and sex == "male"
    style = _hair_style(sex, age, rng)

    def within(range_: tuple[float, float]) -> float:
        return float(rng.uniform(*range_))

    return Identity(
        age=age,
        sex=sex,
        skin=skin,
        hair=_hair(depth, age, rng),
        iris=_triple(_rgb(IRIS_COLOURS[rng.integers(irises)]) + rng.normal(0, 0.015, 3)),
        lip=_lip(skin, depth, within(build.lip_red) * (1 - 0.35 * age)),
        face_width=within((1.02, 1.17)),
        jaw_width=within(build.jaw) * (1 + 0.06 * age),
        chin=within(build.chin) + 0.03 * age,
        forehead=within((0.98, 1.12)) + (0.14 if sex == "male" else 0.04) * age,
        eye_width=within((0.205, 0.245)),
        eye_open=within((0.088, 0.112)) * (1 - 0.14 * age),
        eye_tilt=within((-0.01, 0.035)) - 0.025 * age,
        brow_height=within(build.brow_height) - 0.02 * age,
        brow_slope=within((-0.02, 0.05)) - 0.02 * age,
        brow_thickness=within(build.brow_thickness),
        brow_gap=within((0.2, 0.26)),
        nose_length=within((0.67, 0.8)) + 0.05 * age,
        nose_width=within(build.nose_width) * (1 + 0.08 * age),
        mouth_height=within((1.08, 1.18)) + 0.02 * age,
        mouth_width=within((0.34, 0.42)),
        mouth_curve=float(rng.normal(0, 0.012)) - 0.012 * age,
        lip_upper=within((0.055, 0.085)) * within(build.lips) * (1 - 0.4 * age),
        lip_lower=within((0.08, 0.12)) * within(build.lips) * (1 - 0.4 * age),
        relief=within((0.9, 1.1)) + 0.1 * age,
        blush=within((0.1, 0.8)),
        stubble=within((0.3, 0.9)) if bearded else 0.0,
        lashes=within(build.lashes) * (1 - 0.25 * age),
        hair_style=style,
        hair_part=within((-0.8, 0.8)),
        hair_volume=within((0.15, 0.28)) * (1 - 0.3 * age),
    )


def _hair_style(sex: str, age: float, rng: np.random.Generator) -> str:
    """Hair recedes with age in many men."""
    styles = HAIR_STYLES[sex]
    style = styles[rng.integers(len(styles))]
    return "receding" if rng.uniform() < 0.6 * age and sex == "male" else style
