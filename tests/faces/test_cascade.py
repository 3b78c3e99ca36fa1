"""Where cascades come from, and what is said when they do not."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from agfer_bench.errors import UserError
from agfer_bench.faces.cascade import ACCEPTED, Cascades, Part
from tests.opencv import needs_cascades

pytestmark = needs_cascades

BUNDLED = Path(cv2.data.haarcascades)  # type: ignore[attr-defined]
PAPER = {part: names[0] for part, names in ACCEPTED.items()}
FREE = {part: names[1] for part, names in ACCEPTED.items()}


def _folder(tmp_path: Path, names: dict[Part, str]) -> Path:
    """Bundled cascades under the given names: the paper's own may not be shipped."""
    for part, name in names.items():
        shutil.copy(BUNDLED / FREE[part], tmp_path / name)
    return tmp_path


def test_the_wheel_has_all_three() -> None:
    cascades = Cascades.load(None)
    assert {part: path.name for part, path in cascades.paths.items()} == FREE
    assert cascades.digest.startswith("sha256:")


def test_a_folder_with_the_papers_names_is_taken(tmp_path: Path) -> None:
    cascades = Cascades.load(_folder(tmp_path, PAPER))
    assert {part: path.name for part, path in cascades.paths.items()} == PAPER
    assert all(path.parent == tmp_path for path in cascades.paths.values())


def test_a_folder_with_the_wheels_names_is_taken(tmp_path: Path) -> None:
    cascades = Cascades.load(_folder(tmp_path, FREE))
    assert {part: path.name for part, path in cascades.paths.items()} == FREE


def test_the_papers_names_win(tmp_path: Path) -> None:
    cascades = Cascades.load(_folder(_folder(tmp_path, FREE), PAPER))
    assert {part: path.name for part, path in cascades.paths.items()} == PAPER


def test_the_digest_follows_the_contents_and_not_the_place(tmp_path: Path) -> None:
    _folder(tmp_path, PAPER)
    assert Cascades.load(tmp_path).digest == Cascades.load(None).digest
    with (tmp_path / PAPER["mouth"]).open("a") as file:
        file.write("<!-- another version -->\n")
    assert Cascades.load(tmp_path).digest != Cascades.load(None).digest


@pytest.mark.parametrize("part", ACCEPTED)
def test_a_missing_cascade_is_named_with_what_is_accepted(tmp_path: Path, part: Part) -> None:
    _folder(tmp_path, FREE)
    (tmp_path / FREE[part]).unlink()
    with pytest.raises(UserError) as caught:
        Cascades.load(tmp_path)
    message = str(caught.value)
    assert all(word in message for word in (part, str(tmp_path), *ACCEPTED[part]))


@pytest.mark.parametrize(
    "content", [b"", b"<html>Not found</html>", b"\0\1\2", b"<opencv_storage><cascade>"]
)
def test_a_file_that_is_no_cascade_is_named(tmp_path: Path, content: bytes) -> None:
    _folder(tmp_path, PAPER)
    (tmp_path / PAPER["eye"]).write_bytes(content)
    with pytest.raises(UserError, match=PAPER["eye"]) as caught:
        Cascades.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_threads_get_their_own_detectors_and_the_same_answers() -> None:
    cascades = Cascades.load(None)
    noise = np.random.default_rng(0).integers(0, 256, (120, 120), np.uint8)

    detectors = []  # kept, so that no two of them can have had one address

    def search(_: int) -> int:
        boxes = cascades.detect("eye", noise, step=1.1, neighbours=0, smallest=(20, 20))
        detectors.append(cascades._detector("eye"))
        return len(boxes)

    with ThreadPoolExecutor(4) as pool:
        counts = set(pool.map(search, range(16)))
    theirs = list(detectors)
    counts.add(search(0))
    assert len(counts) == 1
    assert all(detectors[-1] is not detector for detector in theirs)


def test_nothing_is_found_in_no_pixels() -> None:
    empty = np.empty((0, 7), np.uint8)
    found = Cascades.load(None).detect("face", empty, step=1.1, neighbours=3, smallest=(20, 20))
    assert found.shape == (0, 4)
