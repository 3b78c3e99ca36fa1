"""What the drawn faces are good for: detectors find them, and only the mask tells the emotion."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from agfer_bench_synthetic import read
from agfer_bench_synthetic.expression import FACE_EMOTIONS, PROTOTYPES, Expression
from agfer_bench_synthetic.head import HEAD
from agfer_bench_synthetic.identity import draw_identity
from agfer_bench_synthetic.render import film, set_up
from agfer_bench_synthetic.studio import Studio
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from agfer_bench import Place
from agfer_bench.faces.cascade import Cascades
from agfer_bench.faces.crops import NoCrop, cut, find_crop
from agfer_bench.faces.decode import decode
from agfer_bench.faces.mask import default_mask

CHANCE = 1 / 7
SIDE = 24


@dataclass(frozen=True, kw_only=True)
class Crops:
    """Crops of a drawn data set."""

    pixels: NDArray[np.uint8]
    emotion: NDArray[np.int64]
    subject: NDArray[np.int64]
    lost: float


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Crops:
    cache = tmp_path_factory.mktemp("faces")
    table = read(Place(folder=None, cache=cache, workers=2), subjects=21, frames=2)
    cascades = Cascades.load(None)

    def crop(path: Path) -> NDArray[np.uint8] | None:
        image = decode(path.read_bytes())
        try:
            return cut(image, find_crop(image, cascades).crop, SIDE)
        except NoCrop:
            return None

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(crop, [image.path for image in table.images]))
    kept = [
        (pixels, FACE_EMOTIONS.index(image.emotion), int((image.subject or "s0")[1:]))
        for pixels, image in zip(found, table.images, strict=True)
        if pixels is not None
    ]
    return Crops(
        pixels=np.array([pixels for pixels, _, _ in kept]),
        emotion=np.array([emotion for _, emotion, _ in kept]),
        subject=np.array([subject for _, _, subject in kept]),
        lost=1 - len(kept) / len(found),
    )


def linear_accuracy(pixels: NDArray[np.uint8], crops: Crops) -> float:
    """Accuracy of a linear model on unseen subjects."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1e-2, max_iter=500))
    guessed = cross_val_predict(
        model,
        pixels.reshape(len(pixels), -1).astype(np.float64),
        crops.emotion,
        groups=crops.subject,
        cv=GroupKFold(3),
    )
    return float((guessed == crops.emotion).mean())


def test_the_detectors_lose_at_most_a_tenth(crops: Crops) -> None:
    assert crops.lost <= 0.1


def test_nothing_outside_the_mask_tells_the_emotion(crops: Crops) -> None:
    outside = crops.pixels[:, ~default_mask(SIDE)]
    assert linear_accuracy(outside, crops) <= 1.5 * CHANCE


def test_twin_a_tint_that_tells_the_emotion_is_caught(crops: Crops) -> None:
    tint = 1 + 0.1 * np.sin(np.arange(7)[:, None] + np.arange(3))
    tinted = (crops.pixels * tint[crops.emotion][:, None, None]).clip(0, 255).astype(np.uint8)
    outside = tinted[:, ~default_mask(SIDE)]
    assert linear_accuracy(outside, crops) > 2 * CHANCE


def test_the_mask_tells_the_emotion(crops: Crops) -> None:
    inside = crops.pixels[:, default_mask(SIDE)]
    assert linear_accuracy(inside, crops) > 2.5 * CHANCE


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


def test_frames_of_a_sequence_are_alike_and_sequences_are_not(crops: Crops) -> None:
    """Two frames of a sequence are closer than frames of two sequences of a subject."""
    grey = crops.pixels[:, ::3, ::3].mean(axis=3).reshape(len(crops.pixels), -1)
    grey -= grey.mean(axis=1, keepdims=True)
    distance = np.linalg.norm(grey[:, None] - grey[None], axis=2)
    same_subject = crops.subject[:, None] == crops.subject[None]
    same_sequence = same_subject & (crops.emotion[:, None] == crops.emotion[None])
    np.fill_diagonal(same_sequence, False)
    within = distance[same_sequence].mean()
    across = distance[same_subject & (crops.emotion[:, None] != crops.emotion[None])].mean()
    assert within < 0.75 * across
