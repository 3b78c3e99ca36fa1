"""Detectors of plugins: what they find becomes a crop by the paper's rule; records name them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from agfer_bench.errors import PluginError, UserError
from agfer_bench.faces.crop_cache import CropSet, CropSettings
from agfer_bench.faces.crops import NoCrop, find_crop
from agfer_bench.faces.decode import decode
from agfer_bench.faces.detector import Detector, choose_detector
from agfer_bench.faces.prepare import prepare
from agfer_bench.plugin.catalogue import Catalogue, Entry
from agfer_bench.plugin.options import options_of
from agfer_bench.plugin.specs import DetectorSpec, FaceImage, FaceTable, FoundFace, NoFace
from tests.opencv import HAS_CASCADES, WITHOUT

PHOTOGRAPHS = Path(__file__).resolve().parents[3] / "shared" / "data"
FOUND = FoundFace(
    box=(180, 180, 240, 240),
    left_eye=(250, 270),
    right_eye=(350, 270),
    nose=(300, 320),
    left_mouth=(260, 380),
    right_mouth=(340, 380),
)
"""In a picture of 400 pixels a side with a border of 80."""


class Fixed:
    """Finds what it is told, and remembers what it was shown."""

    weights = "told 1.0"

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.shown: list[tuple[int, ...]] = []

    def detect(self, pixels_HWC: NDArray[np.uint8]) -> Any:
        self.shown.append(pixels_HWC.shape)
        return self.answer(pixels_HWC) if callable(self.answer) else self.answer


def _entry(load: Callable[..., Any], *, needs_file: bool = False) -> Entry[DetectorSpec]:
    spec = DetectorSpec(name="told", load=load, summary="", needs_file=needs_file)
    return Entry(
        spec=spec, distribution="told-faces", version="1", module=__name__, options=options_of(load)
    )


def _detector(answer: Any = FOUND) -> Detector:
    def load(file: Path | None) -> Fixed:
        return Fixed(answer)

    found = choose_detector(Catalogue(detectors={"told": _entry(load)}), "told")
    assert found is not None
    return found


def test_the_boxes_by_hand() -> None:
    # 100 pixels lie between the eyes. Boxes of 64 stand around them, raised by 9; the pair grows
    # by 0.3 * 64 over the brows. The mouth's box is 112 x 56 around (300, 389). The border comes
    # off at the end.
    boxes = find_crop(np.zeros((400, 400, 3), np.uint8), _detector())
    assert boxes.face == (100, 100, 240, 240)
    assert boxes.eye == (138, 149, 64, 64)
    assert boxes.pair == (138, 130, 164, 83)
    assert boxes.mouth == (164, 281, 112, 56)
    assert boxes.crop == (138, 130, 164, 207)


def test_a_tilted_face_has_both_brows_and_eyes_in_the_pair() -> None:
    tilted = replace(FOUND, left_eye=(250, 250), right_eye=(346, 278))
    boxes = find_crop(np.zeros((400, 400, 3), np.uint8), _detector(tilted))
    level = find_crop(np.zeros((400, 400, 3), np.uint8), _detector())
    assert boxes.pair[1] == level.pair[1] - 20, "as far up as the higher eye"
    assert sum(boxes.pair[1::2]) == pytest.approx(sum(level.pair[1::2]) + 8, abs=1)


def test_a_detector_sees_rgb_of_at_most_640_pixels_with_a_border() -> None:
    seen = []

    def look(pixels: NDArray[np.uint8]) -> NoFace:
        seen.append((pixels.shape, pixels[0, 0].tolist(), pixels.dtype.name))
        return NoFace()

    red = np.zeros((1280, 640, 3), np.uint8)
    red[..., 0] = 200
    for image in (red, red[..., 0]):
        with pytest.raises(NoCrop):
            find_crop(image, _detector(look))
    shape = (640 + 2 * 128, 320 + 2 * 128, 3)
    assert seen == [(shape, [200, 0, 0], "uint8"), (shape, [200, 200, 200], "uint8")]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (NoFace(), "no face"),
        (NoFace(reason="no eye", detail="covered"), "no eye"),
        (NoFace(reason="no mouth"), "no mouth"),
        (replace(FOUND, left_eye=(350, 270), right_eye=(250, 270)), "degenerate"),
        (replace(FOUND, left_mouth=(260, 270), right_mouth=(340, 270)), "degenerate"),
        (replace(FOUND, right_eye=(251, 270)), "degenerate"),
        (replace(FOUND, box=(0, 0, 0, 9)), "degenerate"),
        (replace(FOUND, left_eye=(50, 270), right_eye=(90, 270)), "degenerate"),
    ],
    ids=["face", "eye", "mouth", "swapped", "mouth beside eyes", "tiny", "no area", "outside"],
)
def test_a_photograph_without_a_crop_has_one_of_the_usual_reasons(answer: Any, reason: str) -> None:
    with pytest.raises(NoCrop) as caught:
        find_crop(np.zeros((400, 400, 3), np.uint8), _detector(answer))
    assert caught.value.reason == reason


def _fail(pixels: NDArray[np.uint8]) -> None:
    raise ValueError("no licence")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (_fail, "detect failed on 560x560x3 pixels: ValueError: no licence"),
        (None, "NoneType, neither a FoundFace nor a NoFace"),
        (NoFace(reason="dark"), "the reasons are no face, no eye, no mouth"),  # type: ignore[arg-type]
        (replace(FOUND, nose=(float("nan"), 1)), "four finite numbers"),
        (replace(FOUND, box=(1, 2, 3)), "four finite numbers"),  # type: ignore[arg-type]
        (replace(FOUND, nose=None), "a point two"),  # type: ignore[arg-type]
    ],
)
def test_what_a_plugin_does_wrong_names_its_distribution(answer: Any, message: str) -> None:
    with pytest.raises(PluginError, match="told-faces") as caught:
        find_crop(np.zeros((400, 400, 3), np.uint8), _detector(answer))
    assert message in str(caught.value)


def test_weights_are_known_by_the_files_hash_or_by_what_the_detector_says(tmp_path: Path) -> None:
    def load(file: Path | None, *, score: float = 0.5) -> Fixed:
        return Fixed(FOUND)

    file = tmp_path / "weights.onnx"
    file.write_bytes(b"weights")
    from_file = Catalogue(detectors={"told": _entry(load, needs_file=True)})
    one = choose_detector(from_file, f"told={file}")
    other = choose_detector(from_file, f"told:score=0.25={file}")
    assert one is not None
    assert other is not None
    assert one.crop == f"told@sha256:{hashlib.sha256(b'weights').hexdigest()}"
    assert other.crop == one.crop.replace("told@", "told:score=0.25@")
    own = _detector()
    newer = Fixed(FOUND)
    newer.weights = "told 1.1"
    entry = _entry(lambda file: newer)
    second = choose_detector(Catalogue(detectors={"told": entry}), "told")
    assert second is not None
    assert own.crop != second.crop
    assert choose_detector(Catalogue(), None) is None
    assert choose_detector(Catalogue(), "viola-jones") is None


@pytest.mark.parametrize(
    ("text", "needs_file", "message"),
    [
        ("tolt", False, "unknown detector 'tolt'; did you mean 'told'"),
        ("told=x.onnx", False, "takes no file: write told alone"),
        ("told", True, "needs a file of weights: told=FILE"),
        ("told=", True, "names no file after the ="),
        ("told=absent.onnx", True, "cannot read absent.onnx (No such file"),
        ("told=.", True, "cannot read . (Is a directory"),
        ("told:mode=a/b", False, "each value is made of letters"),
        ("none", False, "--set crop=none"),
    ],
)
def test_a_wrong_choice_is_one_line(text: str, needs_file: bool, message: str) -> None:
    def load(file: Path | None, *, mode: str = "") -> Fixed:
        return Fixed(FOUND)

    catalogue = Catalogue(detectors={"told": _entry(load, needs_file=needs_file)})
    with pytest.raises(UserError) as caught:
        choose_detector(catalogue, text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("load", "message"),
    [
        (lambda file: 1 / 0, "told: load failed: ZeroDivisionError"),
        (lambda file: None, "told: load returned NoneType, which cannot detect"),
        (lambda file: type("Silent", (), {"detect": print})(), "told: weights is None"),
    ],
)
def test_a_detector_that_does_not_load_names_its_distribution(
    load: Callable[..., Any], message: str
) -> None:
    with pytest.raises(PluginError, match="told-faces") as caught:
        choose_detector(Catalogue(detectors={"told": _entry(load)}), "told")
    assert message in str(caught.value)


def _table(tmp_path: Path, count: int = 6) -> FaceTable:
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{number}.png" for number in range(count)]
    for path in paths:
        cv2.imwrite(str(path), rng.integers(0, 256, (400, 400, 3), np.uint8))
    return FaceTable(
        root=tmp_path, images=tuple(FaceImage(path=path, emotion="fear") for path in paths)
    )


def _prepare(table: FaceTable, cache: Path, detector: Detector, workers: int = 3) -> CropSet:
    return prepare(
        table,
        CropSettings(image_size=32, method=detector.crop),
        cascades_folder=None,
        cache=cache,
        workers=workers,
        progress=lambda *_: None,
        detector=detector,
    )


def test_crops_are_cut_counted_and_kept_apart_by_detector(tmp_path: Path) -> None:
    (tmp_path / "faces").mkdir()
    table = _table(tmp_path / "faces")
    first = decode(table.images[0].path.read_bytes())

    def all_but_the_first(pixels: NDArray[np.uint8]) -> FoundFace | NoFace:
        return NoFace() if (pixels[80:480, 80:480] == first).all() else FOUND

    own = _prepare(table, tmp_path / "cache", _detector(all_but_the_first))
    assert own.excluded[["name", "reason"]].to_numpy().tolist() == [["0.png", "no face"]]
    assert own.table["crop_width"].tolist() == [164] * 5
    again = _prepare(table, tmp_path / "cache", _detector(lambda _: 1 / 0), workers=1)
    assert again.folder == own.folder, "from the cache: the detector is not asked again"
    other = Fixed(FOUND)
    other.weights = "other"
    entry = _entry(lambda file: other)
    second = choose_detector(Catalogue(detectors={"told": entry}), "told")
    assert second is not None
    newer = _prepare(table, tmp_path / "cache", second)
    assert newer.folder != own.folder
    assert newer.fingerprint != own.fingerprint
    assert len(newer.table) == 6


def test_each_thread_has_a_detector_of_its_own(tmp_path: Path) -> None:
    loaded = []

    def load(file: Path | None) -> Fixed:
        loaded.append(Fixed(FOUND))
        return loaded[-1]

    detector = choose_detector(Catalogue(detectors={"told": _entry(load)}), "told")
    assert detector is not None
    _prepare(_table(tmp_path, 12), tmp_path / "cache", detector, workers=2)
    assert 2 <= len(loaded) <= 3, "one to learn its weights, which this thread keeps"
    assert sum(len(one.shown) for one in loaded) == 12


def test_settings_that_name_another_detector_are_refused(tmp_path: Path) -> None:
    detector = _detector()
    settings = CropSettings(image_size=32, method=f"yunet@sha256:{64 * '0'}")
    for given in (None, detector):
        with pytest.raises(UserError, match="yunet@sha256:00000000…: give it with --detector"):
            prepare(
                _table(tmp_path), settings, cascades_folder=None, cache=tmp_path / "cache",
                workers=1, progress=lambda *_: None, detector=given,
            )  # fmt: skip


def test_hand_placed_points_give_the_crops_of_the_cascades() -> None:
    """The rule for points, held against the paper's detectors on photographs with known points."""
    from agfer_bench.faces.cascade import Cascades

    root = PHOTOGRAPHS / "london"
    if not (root / "metadata.csv").exists():
        pytest.skip(f"no photographs in {root}")
    if not HAS_CASCADES:
        pytest.skip(WITHOUT)
    rows = pd.read_csv(root / "metadata.csv").dropna(subset=["mouth_x"]).iloc[::8]
    cascades, overlaps = Cascades.load(None), []
    for row in rows.itertuples():
        rgb = decode((root / str(row.file_name)).read_bytes())
        assert rgb.shape[0] <= 640
        border = round(0.2 * max(rgb.shape))
        eyes = [(row.eyeimgleft_x, row.eyeimgleft_y), (row.eyeimgright_x, row.eyeimgright_y)]
        left, right = ((x + border, y + border) for x, y in eyes)
        mouth = (row.mouth_x + border, row.mouth_y + border)
        known = FoundFace(
            box=(0, 0, 100, 100), left_eye=left, right_eye=right, nose=mouth,
            left_mouth=mouth, right_mouth=mouth,
        )  # fmt: skip
        boxes = [find_crop(rgb, finder).crop for finder in (_detector(known), cascades)]
        corners = np.array([[x, y, x + w, y + h] for x, y, w, h in boxes])
        inside = np.prod(corners[:, 2:].min(0) - corners[:, :2].max(0))
        areas = [w * h for _, _, w, h in boxes]
        overlaps.append(inside / (sum(areas) - inside))
    assert np.median(overlaps) > 0.85
    assert min(overlaps) > 0.6
