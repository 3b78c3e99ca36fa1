"""Protocols: presets as the paper has them, validation, fingerprints."""

from __future__ import annotations

from pathlib import Path

import pytest

from agfer_bench.errors import UserError
from agfer_bench.protocol import Protocol, load_preset, load_protocol


def test_the_paper_preset_is_the_papers() -> None:
    paper = load_preset("paper")
    expected = {
        "image_size": 224, "stride": 16, "width": 1.0, "split": "image", "folds": 5,
        "epochs": 100, "batch_size": 128, "optimiser": "sgd", "momentum": 0.9,
        "learning_rate": 1e-4, "weight_decay": 1e-4, "initialisation": "glorot",
        "normalisation": "zero-centre", "shuffle": "once", "drop_last": True, "alpha": 0.125,
        "dropout": 0.5, "guidance": True, "class_weights": True, "precision": "fp32",
        "guidance_share": 1.0, "schedule": "constant", "warmup": 0.0, "label_smoothing": 0.0,
        "clip_norm": 0.0, "unit_variance": False, "duplicates": "group",
    }  # fmt: skip
    assert {name: getattr(paper, name) for name in expected} == expected
    assert paper.changes() == {}


def test_quick_trains_three_subject_folds_three_times_with_guidance() -> None:
    quick = load_preset("quick")
    assert (quick.folds, quick.split, quick.seeds) == (3, "subject", 3)
    assert quick.guidance
    assert 0 < quick.guidance_share < 1, "images without the mask, as they are judged, as well"


def test_every_setting_that_moves_a_number_moves_the_fingerprint() -> None:
    quick = load_preset("quick")
    other = {
        "crop": "none", "image_size": 64, "split": "official", "folds": 2, "stride": 32,
        "width": 0.5, "dropout": 0.1, "initialisation": "glorot", "normalisation": "zero-centre",
        "guidance": False, "alpha": 0.5, "mask": "sha256:0", "class_weights": False, "epochs": 1,
        "batch_size": 2, "shuffle": "once", "drop_last": True, "optimiser": "sgd",
        "learning_rate": 1.0, "momentum": 0.1, "weight_decay": 0.5, "precision": "bf16", "seed": 1,
        "augmentation": "none", "host": "timm:resnet18", "slots": "2,3", "seeds": 2,
        "guidance_share": 0.25, "schedule": "constant", "warmup": 0.6, "label_smoothing": 0.3,
        "clip_norm": 2.0, "unit_variance": False, "duplicates": "keep",
    }  # fmt: skip
    other |= {"place": "conv", "colour": "grey"}
    weights = {"pretrained": "mine@sha256:" + 64 * "0", "width": 1.0, "unit_variance": False}
    moves = set(Protocol.model_fields) - {"preset", "speed", "curve_every"}
    assert {*other, "pretrained"} == moves
    prints = {quick.with_settings({name: value}).fingerprint for name, value in other.items()}
    wide = quick.with_settings({"width": 1.0})
    prints |= {wide.fingerprint, wide.with_settings(weights).fingerprint}
    assert len(prints | {quick.fingerprint}) == len(other) + 3
    assert quick.with_settings({"preset": "x", "speed": {"rounds": 2}}).fingerprint == (
        quick.fingerprint
    )
    changed = quick.with_settings({"epochs": 2})
    assert changed.changes() == {"epochs": 2}


def test_an_official_split_is_one_division() -> None:
    quick = load_preset("quick")
    official = quick.with_settings({"split": "official"})
    assert (official.split, official.folds, official.seeds) == ("official", 1, quick.seeds)
    for settings in ({"split": "official", "folds": 3}, {"folds": 1}):
        with pytest.raises(UserError, match="split=official is one division"):
            quick.with_settings(settings)
    with pytest.raises(UserError, match="any other split has two folds or more"):
        official.with_settings({"split": "image"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch = 3", "did you mean 'epochs'"),
        ("[speed]\nround = 3", "did you mean 'rounds'"),
        ("epochs = 0", "epochs = 0: Input should be greater than or equal to 1"),
        ("stride = 8", "stride = 8"),
        ("width = 'wide'", "width = 'wide'"),
        ("learning_rate = nan", "learning_rate"),
        ("epochs", "not valid TOML"),
        ("preset = 'papr'", "did you mean 'paper'"),
    ],
)
def test_a_bad_protocol_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        load_protocol(path)
    assert "\n" not in str(caught.value).replace("at line", "")


@pytest.mark.parametrize(
    "crop", ["yunet", "yunet@sha256:12", "viola-jones@sha256", f"Yu<b>@sha256:{64 * '0'}", ""]
)
def test_what_names_no_way_to_crop_is_refused_with_the_ways(crop: str) -> None:
    with pytest.raises(UserError, match=r"viola-jones or none; a detector is named by --detector"):
        load_preset("quick").with_settings({"crop": crop})


def test_a_detector_moves_the_fingerprint_by_its_name_its_options_and_its_weights() -> None:
    quick = load_preset("quick")
    crops = [f"{name}@sha256:{64 * digit}" for name in ("a", "a:score=0.5") for digit in "01"]
    protocols = [quick.with_settings({"crop": crop}) for crop in crops]
    assert len({quick.fingerprint, *(one.fingerprint for one in protocols)}) == 5
    assert protocols[2].told_changes() == "crop=a:score=0.5@sha256:00000000…"


def test_a_file_may_start_from_a_preset(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text("preset = 'paper'\nepochs = 450\n[speed]\nrounds = 7\n")
    protocol = load_protocol(path)
    assert protocol.changes() == {"epochs": 450}
    assert (protocol.speed.rounds, protocol.speed.warmup) == (7, 10)
    with pytest.raises(UserError, match="cannot read protocol"):
        load_protocol(tmp_path / "absent.toml")


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("timm:resnet34.tv_in1k", "type timm:resnet34; .tv_in1k names weights, which --pretrained"),
        ("convnext_tiny", "type timm:convnext_tiny"),
        ("timm:ConvNeXt_Tiny", "type timm:convnext_tiny"),
        ("VGG16", "type vgg16"),
        ("timm:res net", "give vgg16, or timm:NAME"),
    ],
)
def test_a_host_that_is_named_otherwise_is_told_its_name(typed: str, told: str) -> None:
    with pytest.raises(UserError) as caught:
        load_preset("quick").with_settings({"host": typed})
    assert told in str(caught.value)
    assert "pattern" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("epochs = " + 5000 * "9", "is not valid TOML"),
        ("slots = " + 20_000 * "[" + 20_000 * "]", "is not valid TOML: nested too deeply"),
        (
            "epochs = 1000000000000",
            "epochs = 1000000000000: Input should be less than or equal to 1000000",
        ),
        (
            "speed = {warmup = 1000000000000}",
            "speed.warmup = 1000000000000: Input should be less than or equal to",
        ),
        (
            "folds = 1000000000000000",
            "folds = 1000000000000000: Input should be less than or equal to 1000",
        ),
    ],
)
def test_what_no_machine_could_do_is_refused(line: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(line)
    with pytest.raises(UserError) as caught:
        load_protocol(file)
    assert said in str(caught.value)
