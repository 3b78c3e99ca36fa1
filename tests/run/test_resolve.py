"""What users ask for becomes settings: guidance follows the host unless it is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from agfer_bench.errors import UserError
from agfer_bench.plugin.finder import load_catalogue
from agfer_bench.run.request import NetworkOptions
from agfer_bench.run.resolve import build_protocol, build_settings

BATCH_NORM, WITHOUT = "timm:resnet10t", "timm:convnext_atto"


@pytest.mark.parametrize("preset", ["quick", "paper"])
@pytest.mark.parametrize(
    ("host", "guidance"), [("vgg16", True), (BATCH_NORM, False), (WITHOUT, True)]
)
def test_guidance_is_off_where_the_host_normalises_batches(
    preset: str, host: str, guidance: bool
) -> None:
    asked = NetworkOptions(preset=preset, host=host, image_size=64)
    assert build_protocol(asked).guidance is guidance


def test_guidance_stays_where_it_is_asked_for(tmp_path: Path) -> None:
    assert build_protocol(NetworkOptions(host=BATCH_NORM, guidance=True)).guidance
    assert build_protocol(NetworkOptions(host=BATCH_NORM, settings=["guidance=true"])).guidance
    file = tmp_path / "mine.toml"
    file.write_text(f'preset = "quick"\nhost = "{BATCH_NORM}"\n')
    assert not build_protocol(NetworkOptions(protocol_file=file)).guidance
    file.write_text(f'preset = "quick"\nhost = "{BATCH_NORM}"\nguidance = true\n')
    assert build_protocol(NetworkOptions(protocol_file=file)).guidance


def test_layers_are_not_rescaled_under_weights_of_somebody_else(tmp_path: Path) -> None:
    asked = NetworkOptions(pretrained=str(tmp_path), width=1.0, settings=["unit_variance=true"])
    with pytest.raises(UserError, match=r"unit_variance=true .* no pretrained weights"):
        build_settings(load_catalogue(), "base", protocol=asked)
