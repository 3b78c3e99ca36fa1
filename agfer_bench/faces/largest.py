"""The largest object in an image, searched from large to small.

Source: Viola and Jones 2001, doi:10.1109/CVPR.2001.990517, as OpenCV has it in
``detectMultiScale``: all windows of all sizes, then ``groupRectangles``. Small windows are where
the time goes, and once a large object is found no small one matters: the box is the one that a
search of all sizes gives, pixel by pixel.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from agfer_bench.faces.decode import Pixels, opencv

Rect = tuple[int, int, int, int]

OVERLAP = 0.2
"""``GROUP_EPS`` of ``detectMultiScale``: how far edges of grouped boxes may lie apart."""
REACH = 1.45
"""How many times larger than a window a box may be and still be changed by it. Grouping, and
giving way to a box inside, end at 1 + 2 * `OVERLAP`; the rest is for rounding, from 20 px on."""


def largest_object(
    detector: Any, grey: Pixels, *, step: float, neighbours: int, smallest: tuple[int, int]
) -> Rect | None:
    """Return the box with the largest area of those that ``detectMultiScale`` would find.

    Args:
        detector: A ``cv2.CascadeClassifier``.
        grey: Pixels of shape (H, W), uint8.
        step: Factor between two sizes that are tried, above 1.
        neighbours: Raw detections that must agree on a box.
        smallest: Width and height in pixels of the smallest box, 20 at least.

    Returns:
        x, y, width, height in pixels; None where nothing is found, or where no size that is tried
        lies between `smallest` and the image (``detectMultiScale`` then takes the nearest one).
    """
    sizes = _sizes(detector.getOriginalWindowSize(), grey, step, smallest)
    raw: list[Rect] = []
    best: Rect | None = None
    while sizes:
        size = sizes.pop()
        found = detector.detectMultiScale(
            grey, scaleFactor=step, minNeighbors=0, minSize=size, maxSize=size
        )
        if len(found):
            # OpenCV clips the boxes at the image's edge, here before they are grouped: hence
            # `size`. In its own order, small ones first, it breaks ties in its own way.
            raw = [(int(x), int(y), *size) for x, y, _, _ in found] + raw
            best = _largest_group(raw, neighbours, grey)
        if best and (not sizes or _settled(best, raw, max(sizes[-1]))):
            break
    return best


def _sizes(
    window: tuple[int, int], grey: Pixels, step: float, smallest: tuple[int, int]
) -> list[tuple[int, int]]:
    """Widths and heights that OpenCV tries, ascending."""
    sizes: list[tuple[int, int]] = []
    factor = 1.0
    while True:
        width, height = round(window[0] * factor), round(window[1] * factor)
        if width > grey.shape[1] or height > grey.shape[0]:
            return sizes
        if width >= smallest[0] and height >= smallest[1]:
            sizes.append((width, height))
        factor *= step


def _largest_group(raw: list[Rect], neighbours: int, grey: Pixels) -> Rect | None:
    """The largest of the boxes that enough raw ones agree on, as far as it lies in the image."""
    rows, columns = grey.shape
    groups, _ = opencv().groupRectangles(raw, neighbours, OVERLAP)
    boxes = [tuple(map(int, group)) for group in groups]
    clipped = [(x, y, min(w, columns - x), min(h, rows - y)) for x, y, w, h in boxes]
    return max(clipped, key=lambda box: box[2] * box[3], default=None)


def _settled(best: Rect, raw: list[Rect], longest: int) -> bool:
    """Whether no window of at most `longest` pixels can change which group is the largest.

    What matters are the raw boxes that are large enough to be of such a group, and all that are
    grouped with them.
    """
    least = max(best[2:])
    if longest * REACH >= least:
        return False
    x, y, width, height = np.array(raw).T
    side = np.maximum(width, height)
    apart = OVERLAP / 2 * (np.minimum.outer(width, width) + np.minimum.outer(height, height))
    alike = np.ones_like(apart, dtype=bool)
    for edge in (x, y, x + width, y + height):
        alike &= np.abs(np.subtract.outer(edge, edge)) <= apart
    matters = side * REACH >= least
    while (grown := alike[matters].any(axis=0)).sum() > matters.sum():
        matters = grown
    return bool(longest * REACH < side[matters].min())
