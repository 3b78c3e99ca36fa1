"""Runs in other hosts and from pretrained weights, end to end."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import timm
import torch

from agfer_bench.network.build import find_pretrained
from agfer_bench.progress import Silent
from agfer_bench.report.notes import title
from agfer_bench.run.runner import run
from agfer_bench.submissions.audit import contradictions
from tests.run.support import Runs, own, without_times

pytestmark = pytest.mark.slow

HOST = "timm:resnet10t"


def test_a_backbone_of_timm_is_a_host_like_another(runs: Runs) -> None:
    record, _ = runs("base,se", host=HOST)
    assert [module.error for module in record.modules] == [None, None]
    assert f"host={HOST}" in title(record)
    base, se = record.modules
    for one, other in zip(base.folds, se.folds, strict=True):
        assert one.host_weights_sha256 == other.host_weights_sha256
    assert se.size is not None
    assert base.size is not None
    assert se.size.parameters - base.size.parameters == se.size.block_parameters > 0
    assert se.speed is not None
    again, _ = runs("base,se", host=HOST, out="again")
    assert without_times(again) == without_times(record)


def test_pretrained_weights_reach_every_fold_and_process(runs: Runs, tmp_path: Path) -> None:
    torch.manual_seed(0)
    file = tmp_path / "mine.pth"
    torch.save(timm.create_model("resnet10t").state_dict(), file)
    catalogue = own()
    settings = runs.settings("base,se", host=HOST, timing="skip", epochs=1)
    protocol, weights = find_pretrained(
        settings.protocol, str(file), tmp_path / "cache", own_input=True
    )
    settings = dataclasses.replace(settings, protocol=protocol, pretrained=weights)
    record, _ = run(settings, catalogue, Silent())
    folds = [fold for module in record.modules for fold in module.folds]
    assert len({fold.host_weights_sha256 for fold in folds}) == 2, (
        "a classifier of its own in each fold"
    )
    for fold in folds:
        assert fold.channel_mean == pytest.approx((123.675, 116.28, 103.53)), "ImageNet's"
    elsewhere = dataclasses.replace(settings, jobs=2, out=tmp_path / "elsewhere")
    side_by_side, _ = run(elsewhere, catalogue, Silent())
    assert without_times(side_by_side) == without_times(record)


def test_blocks_stand_at_every_residual_branch(runs: Runs) -> None:
    record, _ = runs("base,se,cbam", host="timm:resnet18", place="branch", epochs=1)
    assert [module.error for module in record.modules] == [None, None, None]
    assert "place=branch" in title(record)
    base, se, cbam = (module.size for module in record.modules)
    assert base is not None
    assert se is not None
    assert cbam is not None
    channels = [64, 64, 128, 128, 256, 256, 512, 512]
    assert se.block_parameters == sum(2 * C * (C // 16) + C // 16 + C for C in channels)
    assert cbam.parameters - base.parameters == cbam.block_parameters > se.block_parameters
    (alone,) = {fold.host_weights_sha256 for fold in record.modules[0].folds[:1]}
    assert alone == record.modules[1].folds[0].host_weights_sha256
    assert contradictions(record) == []


@pytest.mark.parametrize("host", ["vgg16", HOST])
def test_blocks_with_a_second_input_and_in_place_of_a_stage(runs: Runs, host: str) -> None:
    names = "base,attention-gate,residual-attention"
    record, _ = runs(names, host=host, epochs=1, seeds=2)
    assert [module.error for module in record.modules] == [None, None, None]
    for fold in zip(*(module.folds for module in record.modules), strict=True):
        assert len({one.host_weights_sha256 for one in fold}) == 1
    base, gate, stage = (module.size for module in record.modules)
    assert base is not None
    assert gate is not None
    assert stage is not None
    assert gate.parameters - base.parameters == gate.block_parameters > 0
    assert stage.parameters - stage.block_parameters < base.parameters, "stages are gone"
    assert contradictions(record) == []
    again, _ = runs(names, host=host, epochs=1, seeds=2, out="again", jobs=2)
    assert without_times(again) == without_times(record)
