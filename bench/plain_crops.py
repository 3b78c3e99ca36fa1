"""The plain alternative to the crop pipeline: what a competent user would write after the paper.

One thread, one photograph after the other, all at full size: read, face in the whole padded image,
eye and mouth in the face box as OpenCV's tutorial has it, largest face and nearest boxes, crop,
resize. Steps, neighbours, smallest sizes and the rules of choice are the pipeline's, so that the
same photographs are kept. None of the pipeline's code runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from agfer_bench.faces import crops as chosen

Pixels = NDArray[np.uint8]
Box = NDArray[np.float64]
Area = tuple[float, float, float, float]

FACE_BOX: Area = (0.0, 0.0, 1.0, 1.0)
TO_THE_CHIN: Area = (0.0, 0.0, 1.0, 1.1)
"""Open mouths reach below the face box."""


class PlainCrops:
    """OpenCV's detectors, loaded once; `narrow` takes over one idea of the pipeline."""

    def __init__(self, *, narrow: bool = False) -> None:
        """With `narrow`, eye and mouth are searched in the pipeline's parts of the face."""
        self.eye_area = chosen.EYE_AREA if narrow else FACE_BOX
        self.mouth_area = chosen.MOUTH_AREA if narrow else TO_THE_CHIN
        self.face = _cascade("haarcascade_frontalface_alt2")
        self.eye = _cascade("haarcascade_righteye_2splits")
        self.mouth = _cascade("haarcascade_smile")

    def crop_all(self, paths: Sequence[Path], size: int) -> tuple[Pixels, list[Path]]:
        """Return the crops (N, size, size, 3) in RGB, and the files that they come from."""
        crops, kept = [], []
        for path in paths:
            image = cv2.imread(str(path))
            if image is None:
                continue
            box = self._crop(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))
            if box is None:
                continue
            left, top, right, bottom = box
            patch = cv2.cvtColor(image[top:bottom, left:right], cv2.COLOR_BGR2RGB)
            crops.append(cv2.resize(patch, (size, size), interpolation=cv2.INTER_AREA))
            kept.append(path)
        return np.array(crops, np.uint8), kept

    def _crop(self, grey: cv2.typing.MatLike) -> tuple[int, ...] | None:
        """Left, top, right and bottom of the crop; None where there is none."""
        height, width = grey.shape
        border = round(0.2 * max(width, height))
        padded = cv2.copyMakeBorder(grey, border, border, border, border, cv2.BORDER_REPLICATE)
        least = max(20, max(padded.shape) // 14)
        faces = self.face.detectMultiScale(
            padded, scaleFactor=1.1, minNeighbors=3, minSize=(least, least)
        )
        if len(faces) == 0:
            return None
        face = np.asarray(max(faces, key=lambda box: box[2] * box[3]), np.float64)
        eye = self._eye(padded, face)
        mouth = self._mouth(padded, face)
        if eye is None or mouth is None or mouth[1] + mouth[3] / 2 <= eye[1] + eye[3]:
            return None
        top, right = eye[1] - chosen.BROW * eye[3], 2 * face[0] + face[2] - eye[0]
        box = np.array([eye[0], top, right, mouth[1] + mouth[3]]) - border
        inside = np.clip(box, 0, (width, height, width, height))
        sides = inside[2:] - inside[:2]
        outside = 1 - (sides / (box[2:] - box[:2])).min()
        if outside > chosen.MOST_OUTSIDE or sides.min() < chosen.SMALLEST:
            return None
        return tuple(map(int, np.rint(inside)))

    def _eye(self, padded: cv2.typing.MatLike, face: Box) -> Box | None:
        corner, roi = _part(padded, face, self.eye_area)
        found = self.eye.detectMultiScale(
            roi,
            scaleFactor=1.05,
            minNeighbors=2,
            minSize=_side(face, 0.12, 0.12),
            maxSize=_side(face, 0.4, 0.4),
        )
        return _nearest(found, corner, face, chosen.EYE_EXPECTED)

    def _mouth(self, padded: cv2.typing.MatLike, face: Box) -> Box | None:
        corner, roi = _part(padded, face, self.mouth_area)
        found = self.mouth.detectMultiScale(
            roi,
            scaleFactor=1.05,
            minNeighbors=3,
            minSize=_side(face, 0.2, 0.1),
            maxSize=_side(face, 0.7, 0.35),
        )
        return _nearest(found, corner, face, chosen.MOUTH_EXPECTED)


def _cascade(name: str) -> cv2.CascadeClassifier:
    return cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / f"{name}.xml"))


def _side(face: Box, width: float, height: float) -> tuple[int, int]:
    return round(width * face[2]), round(height * face[3])


def _part(
    padded: cv2.typing.MatLike, face: Box, area: Area
) -> tuple[NDArray[np.int64], cv2.typing.MatLike]:
    """The upper left corner of an area of the face, and its pixels."""
    left, top = np.maximum(face[:2] + np.array(area[:2]) * face[2:], 0).astype(int)
    right, bottom = np.ceil(face[:2] + np.array(area[2:]) * face[2:]).astype(int)
    return np.array([left, top]), padded[top:bottom, left:right]


def _nearest(
    found: Sequence[Sequence[int]] | cv2.typing.MatLike,
    corner: NDArray[np.int64],
    face: Box,
    expected: tuple[float, float],
) -> Box | None:
    """The box nearest to its usual place, in pixels of the padded image."""
    if len(found) == 0:
        return None
    boxes = np.asarray(found, np.float64)
    boxes[:, :2] += corner
    offsets = boxes[:, :2] + boxes[:, 2:] / 2 - (face[:2] + np.array(expected) * face[2:])
    nearest: Box = boxes[(offsets**2).sum(axis=1).argmin()]
    return nearest
