"""What is said where OpenCV has no cascades, or none of their files; with any OpenCV."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from agfer_bench.errors import UserError
from agfer_bench.faces.cascade import ACCEPTED, Cascades


def test_opencv_5_is_refused_with_the_remedies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, "CascadeClassifier", raising=False)
    with pytest.raises(UserError) as caught:
        Cascades.load(None)
    message = str(caught.value)
    assert "\n" not in message
    for remedy in ("opencv-python>=4.11,<5", "--detector", "crop=none"):
        assert remedy in message


@pytest.mark.parametrize("folder", ["absent", "empty"])
def test_an_opencv_without_cascade_files_asks_for_a_folder(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # OpenCV 5 with contrib has the class and an empty folder; Debian's OpenCV has no folder.
    monkeypatch.setattr(cv2, "CascadeClassifier", object, raising=False)
    if folder == "absent":
        monkeypatch.delattr(cv2, "data")
    else:
        monkeypatch.setattr("cv2.data.haarcascades", str(tmp_path))
    with pytest.raises(UserError, match="--cascades") as caught:
        Cascades.load(None)
    assert all(names[1] in str(caught.value) for names in ACCEPTED.values())
