"""`--detector`: the protocol that it makes, what contradicts it, and `data detectors`."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from agfer_bench.cli.data import list_detectors
from agfer_bench.errors import UserError
from agfer_bench.faces.detector import Detector
from agfer_bench.plugin.catalogue import Catalogue, Entry
from agfer_bench.plugin.finder import load_catalogue
from agfer_bench.plugin.options import options_of
from agfer_bench.plugin.specs import DetectorSpec
from agfer_bench.protocol import load_preset
from agfer_bench.run.request import DataOptions, SourceOptions, TrainingOptions
from agfer_bench.run.resolve import build_settings, build_source, with_crop


class _Weights:
    weights = "told 1"

    def detect(self, pixels: Any) -> Any:
        raise AssertionError("nothing is cropped here")


def _load(file: Any, *, score: float = 0.5) -> _Weights:
    return _Weights()


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    found = load_catalogue()
    spec = DetectorSpec(name="told", load=_load, summary="", needs_file=False)
    found.detectors["told"] = Entry(
        spec=spec, distribution="told", version="1", module=__name__, options=options_of(_load)
    )
    return found


def _source(catalogue: Catalogue, **asked: Any) -> Any:
    return build_source(catalogue, SourceOptions(data="synthetic", **asked), workers=1)


def test_a_run_has_the_detector_in_its_protocol_and_its_sources(catalogue: Catalogue) -> None:
    data = DataOptions(data="synthetic", test="synthetic-faces", detector="told:score=0.25")
    settings = build_settings(catalogue, "base", data, TrainingOptions(), controls="none")
    for source in (settings.source, settings.test):
        assert source is not None
        assert isinstance(source.detector, Detector)
        assert source.detector.crop == settings.protocol.crop
    assert settings.protocol.crop.startswith("told:score=0.25@sha256:")
    again = TrainingOptions(settings=[f"crop={settings.protocol.crop}"])
    assert build_settings(catalogue, "base", data, again, controls="none").protocol == (
        settings.protocol
    )


def test_without_a_detector_the_protocol_stays(catalogue: Catalogue) -> None:
    for crop in ("viola-jones", "none"):
        protocol = load_preset("quick").with_settings({"crop": crop})
        assert with_crop(protocol, _source(catalogue)) == protocol


@pytest.mark.parametrize(
    ("crop", "detector", "message"),
    [
        ("none", "told", "crop=none takes images whole: give one"),
        (f"yunet@sha256:{64 * '0'}", "told", "not yunet@sha256:00000000…, which the protocol"),
        (f"yunet@sha256:{64 * '0'}", None, "yunet@sha256:00000000…; give it with --detector"),
    ],
)
def test_what_contradicts_the_protocol_is_one_line(
    crop: str, detector: str | None, message: str, catalogue: Catalogue
) -> None:
    protocol = load_preset("quick").with_settings({"crop": crop})
    with pytest.raises(UserError) as caught:
        with_crop(protocol, _source(catalogue, detector=detector))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_cascades_and_a_detector_are_one_too_many(catalogue: Catalogue, tmp_path: Any) -> None:
    with pytest.raises(UserError, match="give one"):
        _source(catalogue, detector="told", cascades=tmp_path)


@pytest.mark.parametrize("as_json", [False, True])
def test_detectors_are_listed(
    as_json: bool,
    catalogue: Catalogue,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("agfer_bench.plugin.finder.load_catalogue", lambda: catalogue)
    monkeypatch.setattr("agfer_bench.cli.listing._listing", lambda _, make: make())
    list_detectors(as_json)
    out = capsys.readouterr().out
    if as_json:
        told = next(one for one in json.loads(out)["detectors"] if one["name"] == "told")
        assert told["options"] == {"score": 0.5}
        assert told["needs_file"] is False
    else:
        assert re.search(r"\btold\s.*\bscore=0.5", out)
        assert "Without --detector, the paper's cascades" in out
