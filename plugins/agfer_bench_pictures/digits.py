"""scikit-learn's handwritten digits: real, tiny, and on every machine that has the suite.

Alpaydin & Kaynak 1998, Optical Recognition of Handwritten Digits, doi:10.24432/C50P49; scikit-learn
has the part that was written by 13 other people than the rest. Who wrote which is not known.
"""

from __future__ import annotations

import hashlib

import numpy as np
from sklearn.datasets import load_digits

from agfer_bench import FaceTable, Place
from agfer_bench_pictures.files import Unpacking

_WHITE = 16
"""Brightest value; pixels count how many of 4 x 4 smaller ones are on."""


def digits(place: Place) -> FaceTable:
    """Write the digits into the cache, or find them there."""
    found = load_digits()
    grey = np.rint(found.images * (255 / _WHITE)).astype(np.uint8)
    labels = np.asarray(found.target, dtype=np.int64)
    digest = hashlib.sha256(grey.tobytes() + labels.tobytes()).hexdigest()[:16]
    return Unpacking(place, "digits", digest).table(iter([("digits", grey, labels)]))
