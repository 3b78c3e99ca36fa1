"""Made pictures that look like photographs of faces a little, and copies of them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


def face(number: int, mouth: float = 0.0) -> Image:
    """Draw a face in front of a wall, 240x200; `mouth` opens it."""
    random = np.random.default_rng(number)
    wall = random.integers(40, 215, (6, 7, 3)).astype(np.uint8)
    image = cv2.resize(wall, (200, 240), interpolation=cv2.INTER_CUBIC)
    x, y = (int(v) for v in random.integers(80, 120, 2) + np.array([0, 20]))
    skin = tuple(int(v) for v in random.integers(120, 230, 3))
    cv2.ellipse(image, (x, y), (55, 75), 0, 0, 360, skin, -1, cv2.LINE_AA)
    for side in (-1, 1):
        eye = (x + side * int(random.integers(18, 28)), y - int(random.integers(10, 25)))
        cv2.ellipse(image, eye, (10, 6), 0, 0, 360, (250, 250, 250), -1, cv2.LINE_AA)
        cv2.circle(image, eye, 5, (40, 30, 30), -1, cv2.LINE_AA)
    height = 2 + round(16 * mouth)
    cv2.ellipse(image, (x, y + 40), (24, height), 0, 0, 360, (60, 40, 150), -1, cv2.LINE_AA)
    noise = random.normal(0, 3, image.shape)
    return np.asarray(np.clip(image + noise, 0, 255), dtype=np.uint8)


def recompressed(image: Image, quality: int = 60) -> Image:
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)


def rescaled(image: Image, factor: float) -> Image:
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return cv2.resize(image, None, fx=factor, fy=factor, interpolation=how).astype(np.uint8)


def mirrored(image: Image) -> Image:
    return np.ascontiguousarray(image[:, ::-1])


def brighter(image: Image, factor: float) -> Image:
    return np.asarray(np.clip(image * factor, 0, 255), dtype=np.uint8)


def cropped(image: Image, down: float, right: float) -> Image:
    """Cut 5 % of each side off; `down` and `right`, 0..1, tell where."""
    height, width = image.shape[:2]
    y, x = round(down * 0.05 * height), round(right * 0.05 * width)
    return image[y : y + round(0.95 * height), x : x + round(0.95 * width)].copy()
