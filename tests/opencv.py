"""What the installed OpenCV can do."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

needs_cascades = pytest.mark.skipif(
    not hasattr(cv2, "CascadeClassifier") or not any(Path(cv2.data.haarcascades).glob("*.xml")),  # type: ignore[attr-defined]
    reason=f"OpenCV {cv2.__version__} comes without cascades",
)
