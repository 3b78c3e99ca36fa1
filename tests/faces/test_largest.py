"""The largest object, searched from large to small, against OpenCV's search of all sizes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from agfer_bench_synthetic.casting import Cast
from agfer_bench_synthetic.studio import Studio
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from agfer_bench.faces import largest as module
from agfer_bench.faces.cascade import Cascades
from agfer_bench.faces.largest import Rect, largest_object
from tests.opencv import needs_cascades

pytestmark = needs_cascades

GREY = np.zeros((300, 400), np.uint8)
PHOTOGRAPHS = Path(__file__).resolve().parents[3] / "shared" / "data"


class Dictated:
    """OpenCV's detector, but what it finds at each size is told."""

    def __init__(self, window: tuple[int, int], raw: dict[int, list[tuple[int, int]]]) -> None:
        self.window = window
        self.raw = raw
        """Upper left corners by number of the size, counted from the smallest."""
        self.asked: list[tuple[int, int]] = []

    def getOriginalWindowSize(self) -> tuple[int, int]:  # noqa: N802
        return self.window

    def sizes(self) -> list[tuple[int, int]]:
        steps = [1.1**power for power in range(40)]
        sizes = [(round(self.window[0] * f), round(self.window[1] * f)) for f in steps]
        return [size for size in sizes if size[0] <= 400 and size[1] <= 300]

    def boxes(self, number: int) -> list[Rect]:
        return [(x, y, *self.sizes()[number]) for x, y in self.raw.get(number, [])]

    def detectMultiScale(self, grey: NDArray[np.uint8], **asked: Any) -> Any:  # noqa: N802
        assert asked["minSize"] == asked["maxSize"]
        self.asked.append(asked["minSize"])
        found = self.boxes(self.sizes().index(asked["minSize"]))
        return np.array(found, np.int32) if found else ()

    def all_at_once(self) -> Rect | None:
        """OpenCV's own way: group the boxes of all sizes, cut them to the image, compare."""
        raw = [box for number in range(len(self.sizes())) for box in self.boxes(number)]
        groups, _ = cv2.groupRectangles(raw, 3, 0.2)
        clipped = [(x, y, min(w, 400 - x), min(h, 300 - y)) for x, y, w, h in groups]
        return max(clipped, key=lambda box: box[2] * box[3], default=None)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """OpenCV's own threads shuffle the raw boxes, and with them which of two equal faces wins."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


def _search(detector: Any, grey: NDArray[np.uint8] = GREY) -> Rect | None:
    return largest_object(detector, grey, step=1.1, neighbours=3, smallest=(20, 20))


CLUSTERS = st.lists(
    st.tuples(
        st.integers(0, 26),  # number of the largest size
        st.integers(1, 9),  # sizes below it
        st.integers(1, 3),  # boxes of each
        st.integers(0, 200),
        st.integers(0, 150),
    ),
    min_size=1,
    max_size=5,
)


@given(clusters=CLUSTERS, window=st.sampled_from([(20, 20), (36, 20), (20, 36)]))
def test_it_is_the_largest_of_all_groups(
    clusters: list[tuple[int, ...]], window: tuple[int, int]
) -> None:
    """Chains of boxes from size to size, which grow, merge and suppress one another."""
    raw: dict[int, list[tuple[int, int]]] = {}
    for top, depth, each, x, y in clusters:
        for number in range(max(top - depth, 0), top + 1):
            raw.setdefault(number, []).extend([(x + 2 * (top - number), y)] * each)
    detector = Dictated(window, raw)
    assert _search(detector) == detector.all_at_once()


COMPLETED_LATE = {20: [(200, 100)] * 3, 19: [(50, 50)] * 4, 17: [(217, 117)]}
"""Three raw boxes are no face; a fourth, found after another face, makes them the largest."""


def test_a_group_that_a_small_box_completes_wins_over_a_smaller_one() -> None:
    detector = Dictated((20, 20), COMPLETED_LATE)
    assert _search(detector) == detector.all_at_once() == (204, 104, 126, 126)


def test_a_search_that_stopped_too_soon_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REACH", 1.2)
    assert _search(Dictated((20, 20), COMPLETED_LATE)) == (50, 50, 122, 122)


def test_small_windows_are_not_searched_once_a_large_face_is_found() -> None:
    detector = Dictated((20, 20), {20: [(50, 50)] * 5})
    assert _search(detector) == (50, 50, *detector.sizes()[20])
    assert len(detector.asked) < 0.6 * len(detector.sizes())
    assert _search(Dictated((20, 20), {})) is None


@pytest.fixture(scope="module")
def faces() -> list[NDArray[np.uint8]]:
    cast = Cast(seed=3, troupe=1, studio=Studio(width=160, height=120))
    frames = [next(iter(cast.sequence(person, "happiness", [1.0]))) for person in range(4)]
    return [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.uint8) for frame in frames]


@pytest.mark.parametrize("seed", range(6))
def test_collages_give_what_a_search_of_all_sizes_gives(
    faces: list[NDArray[np.uint8]], seed: int
) -> None:
    """Faces of several sizes beside and over one another, some cut by the edge."""
    rng = np.random.default_rng(seed)
    canvas = rng.integers(60, 200, (360, 420)).astype(np.uint8)
    for number in rng.permutation(4):
        face = cv2.resize(faces[number], None, fx=rng.uniform(0.6, 2.2), fy=rng.uniform(0.6, 2.2))
        top, left = (int(rng.integers(0, side - 60)) for side in canvas.shape)
        patch = face[: canvas.shape[0] - top, : canvas.shape[1] - left]
        canvas[top : top + patch.shape[0], left : left + patch.shape[1]] = patch
    _same_as_all_sizes(canvas)


def test_photographs_give_what_a_search_of_all_sizes_gives() -> None:
    paths = sorted((PHOTOGRAPHS / "muxspace7").rglob("*.jpg"))[::30]
    if not paths:
        pytest.skip(f"no photographs in {PHOTOGRAPHS}")
    for path in paths:
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert grey is not None
        _same_as_all_sizes(cv2.copyMakeBorder(grey, 60, 60, 60, 60, cv2.BORDER_REPLICATE))


def _same_as_all_sizes(grey: Any) -> None:
    cascades, least = Cascades.load(None), max(20, max(grey.shape) // 14)
    how: dict[str, Any] = {"step": 1.1, "neighbours": 3, "smallest": (least, least)}
    boxes = cascades.detect("face", grey, **how)
    expected = None
    if len(boxes):
        expected = tuple(boxes[np.argmax(boxes[:, 2] * boxes[:, 3])])
    assert cascades.largest("face", grey, **how) == expected
