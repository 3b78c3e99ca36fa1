"""YuNet, a small network for faces and five points, run by OpenCV's FaceDetectorYN.

Source: Wu, Peng and Yu 2023, doi:10.1007/s11633-023-1423-y. The weights are a file that users have
from OpenCV's model zoo, ``face_detection_yunet_2023mar.onnx`` (MIT); none come with this package.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from agfer_bench import FoundFace, NoFace, UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FILE = "face_detection_yunet_2023mar.onnx"
_OVERLAP, _MOST = 0.3, 5000
"""Overlap above which two boxes are one face, and boxes that are looked at: OpenCV's own."""
_CHANNELS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
"""Outputs for each place of the picture: two scores, a box, five points."""
_STRIDES = (8, 16, 32)
_TRIAL = 64
"""Side in pixels of the grey picture that a file is tried on."""


class YuNet:
    """FaceDetectorYN with a file of weights."""

    def __init__(self, cv2: ModuleType, file: Path, score: float) -> None:
        import numpy as np

        self._cv2 = cv2
        self.weights = file.name
        try:
            # By way of memory: OpenCV's own reading cannot open every name on every system, and
            # tells kinds of files by their endings.
            data = np.frombuffer(file.read_bytes(), np.uint8)
        except OSError as error:
            raise UserError(f"yunet: cannot read {file} ({error.strerror})") from None
        wrong = f"yunet: {file} is no YuNet that OpenCV {cv2.__version__} can run: name {FILE}"
        if len(data) == 0:
            raise UserError(f"{wrong} (the file is empty)")
        try:
            with _quiet(cv2):
                if fault := _fault(cv2, data):
                    raise UserError(f"{wrong} ({fault})")
                self._detector = cv2.FaceDetectorYN.create(
                    "onnx", data, np.empty(0, np.uint8), (_TRIAL, _TRIAL), score, _OVERLAP, _MOST
                )
                self._faces(np.full((_TRIAL, _TRIAL, 3), 128, np.uint8))
        except (cv2.error, SystemError, MemoryError) as error:
            raise UserError(f"{wrong} ({_told(error)})") from None

    def detect(self, pixels_HWC: NDArray[np.uint8]) -> FoundFace | NoFace:
        """Find the largest of the faces whose score suffices."""
        faces = self._faces(self._cv2.cvtColor(pixels_HWC, self._cv2.COLOR_RGB2BGR))
        if faces is None or len(faces) == 0:
            return NoFace(detail="YuNet finds nothing of a sufficient score")
        best = max(faces.tolist(), key=lambda face: face[2] * face[3])
        x, y, width, height, *points = best[:14]
        # OpenCV names them after the person: right eye, left eye, nose, right and left corner of
        # the mouth. The person's right is the left of the picture.
        pairs = list(zip(points[0::2], points[1::2], strict=True))
        return FoundFace(
            box=(x, y, width, height),
            left_eye=pairs[0],
            right_eye=pairs[1],
            nose=pairs[2],
            left_mouth=pairs[3],
            right_mouth=pairs[4],
        )

    def _faces(self, bgr: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """Return (K, 15) box, points and score, or None."""
        self._detector.setInputSize((bgr.shape[1], bgr.shape[0]))
        _, faces = self._detector.detect(bgr)
        return cast("NDArray[np.float32] | None", faces)


def load(file: Path | None, *, score: float = 0.6) -> YuNet:
    """Make YuNet ready.

    Args:
        file: The ONNX file.
        score: Least score of a face, 0..1.

    Raises:
        UserError: The file is no YuNet, the score is out of range, or OpenCV cannot run it.
    """
    try:
        import cv2
    except ImportError as error:
        raise UserError(f"yunet: OpenCV cannot be imported ({error}): install opencv-python") from (
            error
        )
    module: Any = cv2
    if not hasattr(module, "FaceDetectorYN"):
        raise UserError(
            f"yunet: OpenCV {module.__version__} has no FaceDetectorYN, which runs YuNet: install "
            "opencv-python 4.11 or later (or opencv-python-headless)"
        )
    if file is None:
        raise UserError(f"yunet needs a file of weights: write yunet={FILE}")
    if not 0 < score <= 1:
        raise UserError(f"yunet:score is a number above 0, at most 1; not {score:g}")
    return YuNet(module, file, score)


@contextmanager
def _quiet(cv2: ModuleType) -> Iterator[None]:
    """Keep OpenCV from writing its own lines about what is raised anyhow."""
    log = cv2.utils.logging
    before = log.setLogLevel(log.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        log.setLogLevel(before)


def _fault(cv2: ModuleType, data: NDArray[np.uint8]) -> str | None:
    """Say what makes a network another than YuNet.

    FaceDetectorYN asks for its outputs by name and takes their sizes on trust: with others it
    would read beyond their end.
    """
    import numpy as np

    net = cv2.dnn.readNetFromONNX(data)
    names = list(net.getUnconnectedOutLayersNames())
    wanted = [f"{kind}_{stride}" for kind in _CHANNELS for stride in _STRIDES]
    if missing := [name for name in wanted if name not in names]:
        return f"it has no output {missing[0]}"
    grey = np.full((_TRIAL, _TRIAL, 3), 128, np.uint8)
    net.setInput(cv2.dnn.blobFromImage(grey))
    for name, found in zip(wanted, net.forward(wanted), strict=True):
        kind, stride = name.split("_")
        shape = (1, (_TRIAL // int(stride)) ** 2, _CHANNELS[kind])
        if found.shape != shape:
            return f"its output {name} has shape {found.shape}, not {shape}"
    return None


def _told(error: BaseException) -> str:
    """What an OpenCV error says was wrong, in one line."""
    text = " ".join(str(getattr(error, "err", "") or error).split())
    return text[:160] + ("…" if len(text) > 160 else "")
