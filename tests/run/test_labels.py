"""Pictures that are no faces: other classes, and the settings that suit them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agfer_bench.errors import PluginError, UserError
from agfer_bench.faces.data import load_data
from agfer_bench.plugin.catalogue import Catalogue
from agfer_bench.plugin.finder import load_catalogue
from agfer_bench.progress import Silent
from agfer_bench.records.files import dump
from agfer_bench.records.run import RunRecord
from agfer_bench.report.table import to_markdown
from agfer_bench.run.request import DataOptions, NetworkOptions, OutputOptions, SourceOptions
from agfer_bench.run.resolve import build_protocol, build_settings, build_source, settings_for
from agfer_bench.run.runner import run


@pytest.fixture
def catalogue() -> Catalogue:
    return load_catalogue()


def asked(**changes: object) -> NetworkOptions:
    return NetworkOptions(**changes)  # type: ignore[arg-type]


def test_settings_suit_the_data_unless_they_are_named(catalogue: Catalogue, tmp_path: Path) -> None:
    digits = build_source(catalogue, SourceOptions(data="digits"), 1).chosen
    suited = settings_for(digits)
    protocol = build_protocol(asked(), suited)
    assert (protocol.crop, protocol.guidance, protocol.augmentation) == ("none", False, "none")
    assert (protocol.split, protocol.image_size, protocol.epochs) == ("image", 32, 3)
    named = asked(epochs=5, guidance=True, settings=["augmentation=flip"])
    protocol = build_protocol(named, suited)
    assert (protocol.crop, protocol.guidance, protocol.augmentation) == ("none", True, "flip")
    assert protocol.epochs == 5
    own = tmp_path / "own.toml"
    own.write_text('preset = "quick"\nepochs = 4\nimage_size = 48\n')
    protocol = build_protocol(asked(protocol_file=own), suited)
    assert (protocol.epochs, protocol.image_size, protocol.crop) == (4, 48, "none")
    faces = build_source(catalogue, SourceOptions(), 1).chosen
    assert settings_for(faces) == {}


def test_a_set_has_the_labels_that_it_has(catalogue: Catalogue) -> None:
    for data, labels in (("digits", "any"), ("synthetic", "emotions")):
        build_source(catalogue, SourceOptions(data=data, labels=labels), 1)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="--labels emotions: digits has classes of its own"):
        build_source(catalogue, SourceOptions(data="digits", labels="emotions"), 1)
    with pytest.raises(UserError, match="--labels any: synthetic has emotions"):
        build_source(catalogue, SourceOptions(labels="any"), 1)


@pytest.mark.slow
def test_a_run_tells_what_was_classified(catalogue: Catalogue, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    labels = np.arange(48) % 3
    pictures = (random.integers(0, 60, (48, 8, 8)) + 80 * labels[:, None, None]).astype(np.uint8)
    np.savez(tmp_path / "set.npz", train_images=pictures, train_labels=labels + 8)
    settings = build_settings(
        catalogue, "linear",
        DataOptions(data=f"npz={tmp_path / 'set.npz'}", cache=tmp_path / "cache"),
        asked(folds=2, epochs=1, image_size=32, seeds=1),
        output=OutputOptions(out=tmp_path / "out"), controls="none",
    )  # fmt: skip
    record, _ = run(settings, catalogue, Silent())
    assert record.data.labels == "any"
    assert record.data.classes == ("8", "9", "10"), "as numbers, not as texts"
    linear = next(one for one in record.modules if one.label == "linear")
    assert min(linear.accuracies) == 1
    text = to_markdown(record)
    assert "Pictures of 3 classes were told apart, no emotions of faces." in text
    assert RunRecord.model_validate_json(dump(record)) == record


def test_classes_of_a_strangers_table(plugin: object, tmp_path: Path) -> None:
    source = """
from agfer_bench import DatasetSpec, FaceImage, FaceTable, hookimpl

def table(place, classes):
    path = place.folder / "a.png"
    return FaceTable(root=place.folder, images=(FaceImage(path=path, emotion="cat"),),
                     classes=classes)

def spec(name, classes):
    return DatasetSpec(name=name, read=lambda place: table(place, classes), summary="", faces=False)

@hookimpl
def face_datasets():
    return [spec("twice", ("cat", "cat")), spec("others", ("dog",)), spec("none", None)]
"""
    catalogue = load_catalogue([plugin("strange", source)])  # type: ignore[operator]
    for name, message in (
        ("twice", "a class stands twice"),
        ("others", "unknown classes cat"),
        ("none", "unknown emotions cat"),
    ):
        asked_for = SourceOptions(data=f"{name}={tmp_path}", cache=tmp_path / "cache")
        with pytest.raises(PluginError, match=message):
            load_data(build_source(catalogue, asked_for, 1), build_protocol(asked()), Silent())
