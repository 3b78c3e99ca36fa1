"""Trained networks judged with other gates, and twins settled before training."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint
from typing import Any

import numpy as np
import pytest

from agfer_bench.comparison.contrasts import Question
from agfer_bench.comparison.controls import worths
from agfer_bench.plugin.catalogue import Catalogue
from agfer_bench.protocol import load_preset
from agfer_bench.records.run import ModuleRecord, RunRecord
from agfer_bench.report.controls import is_it_attention, sentence
from agfer_bench.report.table import to_json, to_markdown
from agfer_bench.report.verdicts import entrants_of
from agfer_bench.run.jobs.placebos import in_pairs, lenders_of
from agfer_bench.run.request import ControlsName
from agfer_bench.run.resolve import choose_rows, with_controls
from tests.run.support import Runs, own

Plugin = Callable[[str, str], EntryPoint]

PLANTED = """
import torch
from torch import nn
from agfer_bench import AttentionSpec, hookimpl

class Constant(nn.Module):
    def forward(self, x):
        return x * 0.5

class Label(nn.Module):
    # The place of the brightest band tells the emotion; each opens a third of the channels.
    def forward(self, x):
        return x * self.gate(x)
    def gate(self, x):
        bands = torch.stack([part.mean((1, 2, 3)) for part in x.tensor_split(3, dim=2)], 1)
        chosen = nn.functional.one_hot(bands.argmax(1), 3).to(x)
        channels = torch.arange(x.shape[1], device=x.device) % 3
        return (0.05 + chosen[:, channels])[:, :, None, None]

class Noise(nn.Module):
    # Far digits of each channel's sum: they differ from image to image, and tell nothing of it.
    def forward(self, x):
        return x * self.gate(x)
    def gate(self, x):
        digits = (x.sum((2, 3), keepdim=True) * 1e4).frac().abs()
        return (0.1 + 1.8 * digits).detach()

class Wrong(Constant):
    def gate(self, x):
        return torch.ones_like(x)

class Fails(Constant):
    def gate(self, x):
        raise RuntimeError("no gate today")

def spec(name, block):
    return AttentionSpec(name=name, build=lambda slot: block(), source="", summary="")

@hookimpl
def attention_modules():
    return [spec("constant", Constant), spec("label", Label), spec("noise", Noise),
            spec("wrong", Wrong), spec("fails", Fails)]
"""


@pytest.fixture
def planted(plugin: Plugin) -> Catalogue:
    return own(plugin("planted", PLANTED))


def row(record: RunRecord, label: str) -> ModuleRecord:
    return next(one for one in record.modules if one.label == label)


def test_what_is_recorded(runs: Runs, planted: Catalogue) -> None:
    record, _ = runs("base,se,constant,wrong,fails,self-residual-channel", catalogue=planted)
    assert all(fold.gate is None for fold in row(record, "base").folds)
    for fold in row(record, "se").folds:
        assert fold.gate is not None
        assert fold.gate.how == "offered"
        assert len(fold.gate.start) == 3
        assert all(0.3 < mean < 0.7 for mean in fold.gate.start), "sigmoids about 0"
        for found in (fold.gate.frozen, fold.gate.shuffled):
            assert found is not None
            assert np.sum(found.confusion, axis=1).tolist() == np.sum(fold.confusion, 1).tolist()
    for fold in row(record, "constant").folds:
        assert fold.gate is not None
        assert fold.gate.start == (0.5, 0.5, 0.5)
        for found in (fold.gate.frozen, fold.gate.shuffled):
            assert found is not None
            assert found.confusion == fold.confusion, "a constant gate is what it is"
            assert found.recognised == fold.recognised
    reasons = {
        "wrong": "its output is not its input times its gate",
        "fails": "its gate cannot be computed: RuntimeError: no gate today",
        "self-residual-channel": "it offers no gate(x), and its output is no product with its "
        "input",
    }
    for label, reason in reasons.items():
        assert row(record, label).error is None, "the row stands"
        for fold in row(record, label).folds:
            assert fold.gate is not None
            assert fold.gate.why_not == reason
    said = " ".join(to_json(record)["notes"])
    assert f"no placebo of its gate can be made: {reasons['wrong']}." in said


def test_controls_move_no_other_number(runs: Runs, planted: Catalogue) -> None:
    """What a network is trained to does not depend on being judged with other gates."""
    with_gate, _ = runs("base,constant", catalogue=planted)
    without, _ = runs("base,wrong", catalogue=planted, out="other")
    for one, other in zip(
        row(with_gate, "constant").folds, row(without, "wrong").folds, strict=True
    ):
        assert one.final_weights_sha256 == other.final_weights_sha256
        assert one.confusion == other.confusion


def test_twins_are_trained(runs: Runs) -> None:
    labels = ["se", "se:neutral=true", "se:control=scale", "se:control=blind", "null"]
    record, _ = runs(",".join(["base", *labels]), seeds=2, epochs=3)
    assert [one.error for one in record.modules] == [None] * 6
    neutral = row(record, "se:neutral=true")
    for one, other in zip(neutral.folds, row(record, "se").folds, strict=True):
        assert one.gate is not None
        assert other.gate is not None
        assert one.gate.start[0] == pytest.approx(other.gate.start[0]), "the gate before rescaling"
    assert row(record, "se:control=scale").folds[0].gate is None, "a control has no controls"
    se = row(record, "se").size
    blind = row(record, "se:control=blind").size
    scale = row(record, "se:control=scale").size
    assert se is not None
    assert blind is not None
    assert scale is not None
    assert scale.block_parameters == 0
    assert blind.block_parameters > se.block_parameters
    found = {one.label: one for one in worths(entrants_of(record), Question())}
    assert list(found) == ["se", "se:neutral=true", "null"]
    assert list(found["se"].over) == ["base", "scale", "blind", "frozen", "shuffled"]
    assert list(found["se:neutral=true"].over) == ["base", "frozen", "shuffled"]
    assert list(found["null"].over) == ["base"]
    assert "Is it attention?" in to_markdown(record)
    assert "though it does nothing" in sentence(found["null"])


def test_a_neutral_constant_is_a_constant(runs: Runs, planted: Catalogue) -> None:
    """What is frozen and lent is the rescaled gate, which is 1 here."""
    record, _ = runs("base,constant:neutral=true,null", catalogue=planted)
    module = row(record, "constant:neutral=true")
    for fold, other in zip(module.folds, row(record, "base").folds, strict=True):
        assert fold.gate is not None
        assert fold.gate.start == (0.5, 0.5, 0.5), "the block's own"
        assert fold.final_weights_sha256 != other.final_weights_sha256, "its factors are kept"
        assert fold.confusion == other.confusion, "half, doubled, is what base has"
        for found in (fold.gate.frozen, fold.gate.shuffled):
            assert found is not None
            assert found.recognised == fold.recognised


def test_twins_of_a_neutral_block_are_neutral(runs: Runs, planted: Catalogue) -> None:
    labels = ["constant:neutral=true:control=scale", "constant:neutral=true:control=blind"]
    record, _ = runs(",".join(["base", *labels]), catalogue=planted)
    base = row(record, "base")
    for label in labels:
        for fold, other in zip(row(record, label).folds, base.folds, strict=True):
            assert fold.confusion == other.confusion, "a constant of one"


def test_controls_that_are_added() -> None:
    catalogue, protocol = own(), load_preset("quick")
    rows = choose_rows(catalogue, "se,self-residual-channel,linear")

    def added(controls: ControlsName) -> list[str]:
        found = with_controls(catalogue, rows, controls, protocol)
        assert found[: len(rows)] == rows
        return [one.label for one in found[len(rows) :]]

    assert added("none") == []
    assert added("fast") == ["null"]
    # A block without a gate has no twins.
    assert added("all") == ["null", "se:control=scale", "se:control=blind"]
    alone = choose_rows(catalogue, "linear,null")
    assert with_controls(catalogue, alone, "all", protocol) == alone


def test_lenders_are_others(runs: Runs) -> None:
    from agfer_bench.run.jobs.base import FoldJob

    settings = runs.settings()
    fold = type("Fold", (), {"validation": np.arange(5, 16), "number": 1})()
    job = FoldJob.__new__(FoldJob)
    object.__setattr__(job, "fold", fold)
    object.__setattr__(job, "protocol", settings.protocol)
    lenders = lenders_of(job)
    assert sorted(lenders) == list(range(5, 16)), "each lends once"
    assert (lenders != fold.validation).all(), "nobody to himself"
    for half in (1, 4, 20):
        images, places = in_pairs(fold.validation, lenders, half)
        assert images[places].tolist() == fold.validation.tolist()
        for start in range(0, len(images), 2 * half):
            one, other = np.array_split(images[start : start + 2 * half], 2)
            assert [lenders[i - 5] for i in other] == one.tolist()


def test_a_gate_that_carries_the_label(runs: Runs, planted: Catalogue) -> None:
    record, _ = runs("label", catalogue=planted, seeds=3, epochs=15, learning_rate=0.002)
    (found,) = worths(entrants_of(record), Question())
    for kind in ("frozen", "shuffled"):
        difference = found.over[kind].difference
        assert difference is not None
        assert difference.estimate > 0.1
        assert difference.p < 0.01
    assert "(ahead)" in sentence(found)


@pytest.mark.slow
def test_a_gate_of_noise(runs: Runs, planted: Catalogue) -> None:
    """Of twenty networks whose gate is noise, hardly more differ from their frozen selves than one
    in twenty. Of 20 true hypotheses at 5 % four or more are rejected in 1.6 % of all cases, two or
    more in 26 %: which twenty these are depends on the rounding of the machine."""
    claimed = moved = 0
    for seed in range(20):
        settings: dict[str, Any] = {"seeds": 2, "seed": 10 * seed, "epochs": 8, "timing": "skip"}
        record, _ = runs("noise", catalogue=planted, **settings)
        (found,) = worths(entrants_of(record), Question())
        for fold in row(record, "noise").trainings:
            assert fold.gate is not None
            assert fold.gate.frozen is not None
            moved += fold.gate.frozen.recognised != fold.recognised
        difference = found.over["frozen"].difference
        claimed += difference is not None and difference.p < 0.05
    assert claimed <= 3
    assert moved >= 20, "a quarter of all trainings: the noise must matter to somebody"


def test_nothing_is_said_of_one_training(runs: Runs) -> None:
    record, _ = runs("base,se,null")
    found = is_it_attention(entrants_of(record))
    assert all(one.difference is None for worth in found for one in worth.over.values())
    assert "(not judged)" in sentence(found[0])
