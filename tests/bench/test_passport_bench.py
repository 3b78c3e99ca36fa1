"""The count of planted copies: each kind is found, and what is counted follows from the pairs."""

from __future__ import annotations

from pathlib import Path

import cv2

from bench.passport_bench import KINDS, measure
from tests.passport.pictures import face


def test_planted_copies(tmp_path: Path) -> None:
    originals = []
    for number in range(30):
        path = tmp_path / "faces" / str(number // 2) / f"{number % 2}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), face(number // 2, mouth=number % 2))
        originals.append(path)
    found = measure(originals, tmp_path / "work", share=1 / 3, workers=1)
    assert found["planted"] == found["found"] == 10
    assert found["found_by_kind"] == dict.fromkeys(KINDS, "2 of 2")
    assert found["false_alarms"] == found["other_frame_of_the_recording"] == 0
