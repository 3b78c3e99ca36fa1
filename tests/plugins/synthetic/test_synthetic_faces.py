"""What the drawn faces are good for: detectors find them, and only the mask tells the emotion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from agfer_bench_synthetic import read_portraits, read_sequences
from agfer_bench_synthetic.expression import FACE_EMOTIONS, PROTOTYPES, Expression
from agfer_bench_synthetic.head import HEAD
from agfer_bench_synthetic.identity import HAIR_STYLES, draw_identity
from agfer_bench_synthetic.layouts import PORTRAITS
from agfer_bench_synthetic.render import film, set_up
from agfer_bench_synthetic.studio import Studio
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from agfer_bench import FaceTable, Place
from agfer_bench.faces.crop_cache import CropSettings
from agfer_bench.faces.mask import default_mask
from agfer_bench.faces.prepare import prepare

CHANCE = 1 / 7
SIDE = 24
SUBJECTS = 24


@dataclass(frozen=True, kw_only=True)
class Crops:
    """Crops of a drawn data set."""

    pixels: NDArray[np.uint8]
    emotion: NDArray[np.str_]
    subject: NDArray[np.str_]
    sequence: NDArray[np.str_]
    lost: float


def cropped(table: FaceTable, cache: Path) -> Crops:
    """Crop with the real cascades."""
    crops = prepare(
        table,
        CropSettings(image_size=SIDE),
        cascades_folder=None,
        cache=cache,
        workers=2,
        progress=lambda *_: None,
    )
    return Crops(
        pixels=np.asarray(crops.pixels),
        emotion=crops.table["emotion"].to_numpy(str),
        subject=crops.table["subject"].to_numpy(str),
        sequence=crops.table["sequence"].to_numpy(str),
        lost=len(crops.excluded) / len(table.images),
    )


@pytest.fixture(scope="module")
def portraits(tmp_path_factory: pytest.TempPathFactory, place: Callable[..., Place]) -> FaceTable:
    return read_portraits(place(tmp_path_factory.mktemp("portraits"), 2), persons=6)


@pytest.fixture(scope="module")
def sequences(tmp_path_factory: pytest.TempPathFactory, place: Callable[..., Place]) -> FaceTable:
    cache = tmp_path_factory.mktemp("sequences")
    return read_sequences(place(cache, 2), subjects=SUBJECTS, frames=2, neutral_sequences=0)


@pytest.fixture(scope="module")
def crops(sequences: FaceTable, tmp_path_factory: pytest.TempPathFactory) -> Crops:
    """Six apices of each subject, and one of the six neutral frames: each class as often."""
    actors = {f"P{number + 1:03d}": number for number in range(SUBJECTS)}
    images = [
        image
        for place, image in enumerate(sequences.images)
        if image.emotion != "neutral" or place // 2 % 6 == actors[image.subject or ""] % 6
    ]
    table = replace(sequences, images=tuple(images))
    return cropped(table, tmp_path_factory.mktemp("crops"))


def guessed(pixels: NDArray[np.uint8], crops: Crops) -> NDArray[np.str_]:
    """What a linear model says of unseen subjects."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1e-2, max_iter=500))
    answers = cross_val_predict(
        model,
        pixels.reshape(len(pixels), -1).astype(np.float64),
        crops.emotion,
        groups=crops.subject,
        cv=GroupKFold(3),
    )
    return np.asarray(answers, dtype=np.str_)


def linear_accuracy(pixels: NDArray[np.uint8], crops: Crops) -> float:
    """How often that is right."""
    return float((guessed(pixels, crops) == crops.emotion).mean())


@pytest.fixture(scope="module")
def guesses(crops: Crops) -> NDArray[np.str_]:
    """From within the mask."""
    return guessed(crops.pixels[:, default_mask(SIDE)], crops)


@pytest.mark.slow
def test_the_detectors_lose_at_most_a_tenth(
    crops: Crops, portraits: FaceTable, tmp_path: Path
) -> None:
    assert crops.lost <= 0.1
    assert cropped(portraits, tmp_path).lost <= 0.1


@pytest.mark.slow
@pytest.mark.parametrize("emotion", FACE_EMOTIONS)
def test_every_class_can_be_told(guesses: NDArray[np.str_], crops: Crops, emotion: str) -> None:
    there = crops.emotion == emotion
    assert (guesses[there] == emotion).mean() > 2 * CHANCE
    assert (guesses[~there] == emotion).mean() < CHANCE


@pytest.mark.slow
def test_nothing_outside_the_mask_tells_the_emotion(crops: Crops) -> None:
    outside = crops.pixels[:, ~default_mask(SIDE)]
    assert linear_accuracy(outside, crops) <= 1.5 * CHANCE


def test_twin_a_tint_that_tells_the_emotion_is_caught(crops: Crops) -> None:
    tint = 1 + 0.1 * np.sin(np.arange(7)[:, None] + np.arange(3))
    number = np.array([FACE_EMOTIONS.index(name) for name in crops.emotion])
    tinted = (crops.pixels * tint[number][:, None, None]).clip(0, 255).astype(np.uint8)
    outside = tinted[:, ~default_mask(SIDE)]
    assert linear_accuracy(outside, crops) > 2 * CHANCE


def test_the_mask_tells_the_emotion(guesses: NDArray[np.str_], crops: Crops) -> None:
    assert (guesses == crops.emotion).mean() > 2.5 * CHANCE


def draw(what: Expression, *, subject: int = 3) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A frame, and where in it an expression may act."""
    studio = Studio()

    def rng(stream: int) -> np.random.Generator:
        return np.random.default_rng([subject, stream])

    who = draw_identity(rng(0), age=0.4)
    take = set_up(who, studio, subject=rng(1), sequence=rng(2))
    pose = take.setting.pose
    turn = np.deg2rad(pose.roll)
    rows, columns = np.mgrid[: studio.height, : studio.width]
    x, y = (columns - pose.x) / pose.eye_distance, (rows - pose.y) / pose.eye_distance
    x, y = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    eyes = (np.abs(x) < 0.95) & (y > -0.75) & (y < 0.35)
    mouth = (np.abs(x) < 0.75) & (y > 0.72) & (y < 1.7)
    return film(take, what, rng(3)), eyes | mouth


@pytest.mark.parametrize("emotion", FACE_EMOTIONS)
def test_an_expression_changes_eyes_brows_and_mouth_alone(emotion: str) -> None:
    neutral, there = draw(Expression())
    for what in PROTOTYPES[emotion]:
        shown, _ = draw(what)
        changed = (shown != neutral).any(axis=2)
        assert changed.any() == (emotion != "neutral")
        assert not (changed & ~there).any()


@pytest.mark.parametrize("age", [0.0, 0.5, 1.0])
def test_size_and_age_are_free(age: float) -> None:
    who = draw_identity(np.random.default_rng(0), age=age)
    rng = np.random.default_rng(1)
    studio = Studio(height=709, width=567, eye_distance=(0.2, 0.21), noise=(0, 0))
    frame = film(set_up(who, studio, subject=rng, sequence=rng), Expression(), rng)
    assert frame.shape == (709, 567, 3)
    assert HEAD.width * 0.2 * 709 < 567


def test_frames_of_a_sequence_are_alike_and_sequences_are_not(sequences: FaceTable) -> None:
    """Onset and apex of a sequence are closer than apices of two sequences of a subject."""
    apices: dict[str, list[NDArray[np.float64]]] = {}
    within, across = [], []
    for first, last in zip(sequences.images[::2], sequences.images[1::2], strict=True):
        onset, apex = (small(image.path) for image in (first, last))
        assert first.sequence == last.sequence
        within.append(np.abs(onset - apex).mean())
        seen = apices.setdefault(last.subject or "", [])
        across += [np.abs(other - apex).mean() for other in seen]
        seen.append(apex)
    assert np.mean(within) < 0.5 * np.mean(across)


def small(path: Path) -> NDArray[np.float64]:
    """The picture at a twentieth of the side, RGB, 0..255."""
    picture = cv2.imread(str(path))
    assert picture is not None
    size = (picture.shape[1] // 20, picture.shape[0] // 20)
    shrunk = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk[:, :, ::-1], dtype=np.float64)


@pytest.mark.slow
def test_portraits_are_another_domain(sequences: FaceTable, portraits: FaceTable) -> None:
    """A plain backdrop of one colour against rooms; a face that fills the frame."""
    spread, tint = [], []
    for table in (sequences, portraits):
        some = [small(image.path) for image in table.images[::7]]
        # The corners above the shoulders show what is behind.
        behind = np.array([[picture[:4, :2], picture[:4, -2:]] for picture in some])
        spread.append(behind.mean(axis=(1, 2, 3)).std(axis=0).mean())
        colours = behind.mean(axis=(1, 2, 3))
        tint.append((colours.max(axis=1) - colours.min(axis=1)).mean())
    assert spread[1] < 0.4 * spread[0]
    assert tint[1] < tint[0]


def test_the_three_ages_look_different() -> None:
    """Hair grows lighter from young to old, and the forehead gets lines across it."""
    hair, lines = [], []
    studio = replace(PORTRAITS, width=280, height=350, uneven=0.0, noise=(0.0, 0.0), pitch=0, yaw=0)
    for age in (0.07, 0.5, 0.93):
        whos = [draw_identity(np.random.default_rng(n), age=age) for n in range(12)]
        hair.append(np.mean([who.hair for who in whos]))
        energy = []
        for number, who in enumerate(whos):
            rng = np.random.default_rng(number)
            take = set_up(who, studio, subject=rng, sequence=rng)
            grey = film(take, Expression(), rng).mean(axis=2)
            pose = take.setting.pose
            x, y, eye = round(pose.x), round(pose.y), pose.eye_distance
            forehead = grey[round(y - 0.95 * eye) : round(y - 0.62 * eye), x - 12 : x + 13]
            energy.append(np.abs(np.diff(forehead.mean(axis=1), n=2)).mean() / forehead.mean())
        lines.append(np.mean(energy))
    assert hair[0] + 0.1 < hair[1] < hair[2] - 0.2
    assert 1.3 * lines[0] < lines[1] < lines[2] / 1.3


def test_the_sexes_are_built_and_dressed_differently() -> None:
    drawn = {
        sex: [draw_identity(np.random.default_rng(n), age=0.3, sex=sex) for n in range(40)]
        for sex in HAIR_STYLES
    }
    assert all(
        who.sex == sex and who.hair_style in HAIR_STYLES[sex] for sex in drawn for who in drawn[sex]
    )
    assert not any(who.stubble for who in drawn["female"])
    assert any(who.stubble for who in drawn["male"])
    for part in ("jaw_width", "chin", "brow_thickness"):
        female, male = (
            np.mean([getattr(who, part) for who in drawn[sex]]) for sex in ("female", "male")
        )
        assert female < male
