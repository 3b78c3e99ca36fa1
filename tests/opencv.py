"""What the installed OpenCV can do."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

HAS_CASCADES = hasattr(cv2, "CascadeClassifier") and any(
    Path(cv2.data.haarcascades).glob("*.xml")  # type: ignore[attr-defined]
)
WITHOUT = f"OpenCV {cv2.__version__} comes without cascades"

needs_cascades = pytest.mark.skipif(not HAS_CASCADES, reason=WITHOUT)
