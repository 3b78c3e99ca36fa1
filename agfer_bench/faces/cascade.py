"""The three object detectors that a crop needs: face, eye and mouth.

Source: Viola and Jones 2001, doi:10.1109/CVPR.2001.990517; Arabian et al. 2023,
doi:10.3390/app131810179, section 2.5. The paper's own eye and mouth cascades are most likely
Castrillón's (doi:10.1016/j.jvcir.2006.11.004), whose licence forbids shipping them: a user's
folder may hold them. What stands in are the cascades of the OpenCV wheel.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from agfer_bench.errors import UserError
from agfer_bench.faces.decode import Pixels, opencv
from agfer_bench.faces.largest import Rect, largest_object
from agfer_bench.files import read_whole

Part = Literal["face", "eye", "mouth"]

ACCEPTED: dict[Part, tuple[str, str]] = {
    "face": ("lbpcascade_frontalface.xml", "haarcascade_frontalface_alt2.xml"),
    "eye": ("haarcascade_mcs_lefteye.xml", "haarcascade_righteye_2splits.xml"),
    "mouth": ("haarcascade_mcs_mouth.xml", "haarcascade_smile.xml"),
}
"""File names per part: first the paper's likely file, then the one in OpenCV's wheel.

The eye is the one at the left of the image. OpenCV names its `righteye_2splits` after the
person's right eye, Castrillón names his `mcs_lefteye` after the image's left: both are that eye.
"""


@dataclass(frozen=True, kw_only=True)
class Cascades:
    """Detectors for a face, the eye at the left of the image, and a mouth; safe in threads."""

    paths: dict[Part, Path]
    """The cascade file of each part."""
    digest: str
    """``sha256:`` and the hash of the three files' contents, in the order face, eye, mouth."""
    _local: threading.local = field(default_factory=threading.local, repr=False, compare=False)
    """A thread's own detectors: OpenCV's keep their scratch space inside."""

    @classmethod
    def load(cls, folder: Path | None) -> Cascades:
        """Find, read and try the cascade files.

        Args:
            folder: Where they lie, under one of the names in `ACCEPTED` for each part, the
                paper's name first; None for those in OpenCV's wheel.

        Raises:
            UserError: A file is missing or is not a cascade, or OpenCV has no cascades.
        """
        cv2 = opencv()
        _require_classifier(cv2)
        paths: dict[Part, Path] = {}
        hashes: list[str] = []
        for part in ACCEPTED:
            paths[part] = _find(cv2, part, folder)
            hashes.append(_read_and_try(cv2, part, paths[part]))
        digest = hashlib.sha256("\n".join(hashes).encode()).hexdigest()
        return cls(paths=paths, digest=f"sha256:{digest}")

    def detect(
        self,
        part: Part,
        grey: Pixels,
        *,
        step: float,
        neighbours: int,
        smallest: tuple[int, int],
        largest: tuple[int, int] | None = None,
    ) -> NDArray[np.int64]:
        """Search one part in a grey image.

        Args:
            part: What to search for.
            grey: Pixels of shape (H, W), uint8.
            step: Factor between two sizes that are tried, above 1.
            neighbours: Raw detections that must agree on a box.
            smallest: Width and height in pixels of the smallest box.
            largest: Of the largest box; None for no limit.

        Returns:
            Boxes of shape (K, 4), each x, y, width, height in pixels; K may be 0.
        """
        if min(grey.shape) < 1:
            return np.empty((0, 4), np.int64)
        found = self._detector(part).detectMultiScale(
            grey,
            scaleFactor=step,
            minNeighbors=neighbours,
            minSize=smallest,
            maxSize=largest or (0, 0),
        )
        return np.asarray(found, np.int64).reshape(-1, 4)

    def largest(
        self,
        part: Part,
        grey: Pixels,
        *,
        step: float,
        neighbours: int,
        smallest: tuple[int, int],
    ) -> Rect | None:
        """Search the largest box of a part only: the one that `detect` would give, sooner.

        The arguments are those of `detect`.

        Returns:
            x, y, width, height in pixels; None where nothing is found.
        """
        return largest_object(
            self._detector(part), grey, step=step, neighbours=neighbours, smallest=smallest
        )

    def _detector(self, part: Part) -> Any:
        """This thread's detector of a part."""
        detector = getattr(self._local, part, None)
        if detector is None:
            detector = opencv().CascadeClassifier(str(self.paths[part]))
            setattr(self._local, part, detector)
        return detector


def _require_classifier(cv2: ModuleType) -> None:
    """Refuse an OpenCV without cascades."""
    if not hasattr(cv2, "CascadeClassifier"):
        raise UserError(
            f"OpenCV {cv2.__version__} has no CascadeClassifier, which the paper's face crops "
            'need: install "opencv-python>=4.11,<5" (or opencv-python-headless); or name a '
            "--detector, see `agfer-bench data detectors`; or --set crop=none for cropped faces"
        )


def _find(cv2: ModuleType, part: Part, folder: Path | None) -> Path:
    """The file of a part in the user's folder, or the one in the wheel."""
    names = ACCEPTED[part]
    if folder is None:
        data = getattr(cv2, "data", None)
        # OpenCV 5 has the folder, and no file in it.
        if data is None or not any(Path(data.haarcascades).glob("*.xml")):
            raise UserError(
                f"this OpenCV ({cv2.__version__}) comes without cascade files: name a folder "
                f"that holds {', '.join(names[1] for names in ACCEPTED.values())} with --cascades, "
                'or install "opencv-python>=4.11,<5", which has them'
            )
        folder, names = Path(data.haarcascades), (names[1], names[1])
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise UserError(
        f"no {part} cascade in {folder}: put one there that is called "
        f"{' or '.join(dict.fromkeys(names))}"
    )


_LARGEST = 2**24
"""Bytes that a cascade's file may hold; OpenCV's own have less than one million."""


def _read_and_try(cv2: ModuleType, part: Part, path: Path) -> str:
    """Check that a file is a cascade; return the SHA-256 of its contents."""
    try:
        digest = hashlib.sha256(read_whole(path, _LARGEST)).hexdigest()
    except OSError as error:
        raise UserError(f"cannot read the {part} cascade {path}: {error.strerror}") from error
    try:
        empty = cv2.CascadeClassifier(str(path)).empty()
    except (cv2.error, SystemError):
        empty = True
    if empty:
        raise UserError(
            f"{path} is not a cascade that OpenCV can read: replace it by a good copy of "
            f"{' or '.join(ACCEPTED[part])}"
        )
    return digest
