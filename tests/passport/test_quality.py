"""Quality: each fault is found on a crop that has it, and on no other."""

from __future__ import annotations

import cv2
import numpy as np

from agfer_bench.faces.look import take_look
from agfer_bench.passport.quality import Measures, faults
from tests.passport.pictures import face


def test_faults() -> None:
    sharp = [face(number)[:, :, ::-1] for number in range(8)]
    blurred = np.asarray(cv2.GaussianBlur(sharp[0], (0, 0), 6), dtype=np.uint8)
    uniform = np.full_like(sharp[0], 80)
    images = [*sharp, blurred, uniform]
    looks = [take_look(one, (20, 20, 150, 180)) for one in images]
    boxes = np.tile([20, 20, 150, 180], (len(images), 1))
    boxes[1] = (0, 20, 150, 180)
    boxes[2] = (60, 30, 140, 100)
    boxes[3] = (60, 30, 19, 30)
    measures = Measures(
        contrast_N=np.array([one.contrast for one in looks]),
        sharpness_N=np.array([one.sharpness for one in looks]),
        boxes_N4=boxes,
        sizes_N2=np.tile([200, 240], (len(images), 1)),
    )
    found = {name: one.tolist() for name, one in faults(measures, side=40, detected=True).items()}
    assert found == {"uniform": [9], "blurred": [8], "tiny": [3], "cut off": [1, 2]}
    assert faults(measures, side=40, detected=False)["cut off"].tolist() == []


def test_colour() -> None:
    image = face(0)
    assert take_look(image, (0, 0, 200, 240)).colour
    one = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    grey = np.asarray(cv2.cvtColor(one, cv2.COLOR_GRAY2RGB), dtype=np.uint8)
    assert not take_look(grey, (0, 0, 200, 240)).colour
