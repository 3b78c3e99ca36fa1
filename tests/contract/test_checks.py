"""Every check of the contract, with a block that fails it and keeps all others."""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from agfer_bench import AttentionSpec, Slot
from agfer_bench.contract import abilities
from agfer_bench.contract.block import Block, usual_slots
from agfer_bench.contract.checks import COMPILE, INFORMATIONAL, REQUIRED, Check, outcomes
from agfer_bench.contract.find import find_blocks
from agfer_bench.contract.limits import memory_limited, time_limited
from agfer_bench.contract.settings import generator_states, settings
from agfer_bench.plugin.finder import OWN_DISTRIBUTION, load_catalogue
from tests.contract import broken
from tests.contract.broken import SLOT, Good, spec

CHECKS = {check.name: check for check in (*REQUIRED, *INFORMATIONAL)}
SLOW = {"export", "compiles", "onnx"}


def _raises(slot: Any) -> nn.Module:
    raise RuntimeError("no licence")


FAILING: list[tuple[str, AttentionSpec, str]] = [
    ("builds", spec(_raises), "no licence"),
    ("builds", spec(lambda slot: 7), "returned int"),
    ("keeps_shape", spec(broken.ChangesShape), "(2, 16, 12, 12) to (2, 16, 12, 11)"),
    ("leaves_its_input", spec(broken.ChangesInput), "changed its input in evaluation"),
    ("finite_gradients", spec(broken.InfiniteGradient), "not finite where a channel is zero"),
    ("every_parameter_learns", spec(broken.DeadParameter), "at forgotten"),
    ("ignores_batch_mates", spec(broken.LooksAtMates), "beside another image"),
    ("state_dict_round_trip", spec(broken.HiddenState), "with its state dict"),
    ("autocasts", spec(broken.OnlyFp32), "in bfloat16 forward failed: TypeError: no bf16"),
    ("deterministic", spec(broken.Noisy), "under one seed differ in the output"),
    ("same_seed_same_weights", spec(broken.ForgetsItsSeed), "scale differs"),
    ("no_side_effects", spec(broken.SeedsTorch), "build seeds the global generator of torch"),
    ("no_side_effects", spec(broken.SeedsNumpy), "global generator of numpy"),
    ("no_side_effects", spec(broken.DrawsInEvaluation), "global generator of random"),
    ("no_side_effects", spec(broken.SetsDtype), "the default dtype of torch"),
    ("no_side_effects", spec(broken.SetsDevice), "the default device of torch"),
    ("no_side_effects", spec(broken.StopsGradients), "the gradient mode of torch"),
    ("no_side_effects", spec(broken.SetsThreads), "the number of threads of torch"),
    ("formula", spec(Good, "C + 1"), "gives 17 parameters, the block has 16"),
    ("formula", spec(Good, "C +"), "does not evaluate: SyntaxError"),
    ("formula", spec(Good, "C * open('x')"), "does not evaluate: NameError"),
    ("keeps_dtypes", spec(broken.AlwaysFp32), "cast to bfloat16, it returns float32"),
    ("pickles", spec(broken.HoldsALock), "pickle failed: TypeError"),
    ("odd_maps", spec(broken.OnlyLarge), "at 7 × 7: forward failed: ValueError: no odd maps"),
    ("non_square_maps", spec(broken.OnlySquare), "at 7 × 13"),
    ("one_by_one_maps", spec(broken.NoSinglePosition), "at 1 × 1"),
    ("other_sizes", spec(broken.FixedSize), "another size than it was built for"),
    ("batch_of_one", spec(broken.NormalisesPooled), "forward failed: ValueError"),
    ("channels_last", spec(broken.GoesByStrides), "the output differs by"),
    ("uses_second_inputs", spec(broken.LooksAway), "the answer does not change with image"),
    ("gate", spec(broken.NoProduct), "its output is no product with its input"),
    ("export", spec(broken.Branches), "torch.export failed"),
    ("compiles", spec(broken.CompilesBadly), "the output differs by"),
    ("onnx", spec(broken.NotInOnnx), "torch.onnx.export failed"),
]
"""Name of a check, a block that fails it alone, and part of what is said."""


def _block(what: AttentionSpec) -> Block:
    (block,) = find_blocks(what)
    return Block(chosen=block.chosen, slots=(SLOT,))


@pytest.mark.parametrize(
    ("name", "what", "said"),
    [
        pytest.param(
            *one, id=f"{one[0]}-{one[1].name}", marks=[pytest.mark.slow] * (one[0] in SLOW)
        )
        for one in FAILING
    ],
)
def test_a_block_fails_one_check_and_keeps_the_others(
    name: str, what: AttentionSpec, said: str
) -> None:
    block, target = _block(what), CHECKS[name]
    checks = REQUIRED if target.required else (*REQUIRED, *_quick(target))
    found = {one.check.name: one for one in outcomes(block, checks)}
    assert {key for key, one in found.items() if one.verdict == "failed"} == {name}
    assert said in found[name].detail
    assert found[name].detail.startswith("stage 2 (16 × 12 × 12): ")
    assert "\n" not in found[name].detail


def _quick(target: Check) -> list[Check]:
    """Return the informational checks that take no seconds, and the one in question.

    The gate is left out: a block that goes by its maps' shape has none that can be traced. So is
    a second input: most have none.
    """
    left_out = {*SLOW, "gate", "uses_second_inputs"}
    return [one for one in INFORMATIONAL if one is target or one.name not in left_out]


def test_every_check_has_a_block_that_fails_it() -> None:
    # `gates` only reports; what it reports is tested below.
    assert {name for name, _, _ in FAILING} == CHECKS.keys() - {"gates"}
    assert len(CHECKS) == len(REQUIRED) + len(INFORMATIONAL)


def test_a_sound_block_passes_all() -> None:
    block = _block(spec(Good, "C"))
    for one in outcomes(block, (*REQUIRED, *_quick(COMPILE))):
        assert one.verdict == ("measured" if one.check.measures else "passed"), one.detail


def test_gates_are_reported() -> None:
    class Half(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x / 2

    assert abilities.gates(_block(spec(lambda slot: Half())), SLOT) == "× 0.50 (0.50–0.50)"


UNSEEN = {"builds", "formula", "same_seed_same_weights", "uses_second_inputs"}
"""Checks that do not call the forward of a block that asks for its map alone."""


def test_other_ways_of_failing() -> None:
    def detail(name: str, build: Callable[..., Any]) -> str:
        outcome = CHECKS[name].outcome(_block(spec(build)))
        assert outcome.verdict == "failed"
        return outcome.detail

    one = Good()
    assert "had returned before" in detail("same_seed_same_weights", lambda slot: one)
    assert "in evaluation differ" in detail("deterministic", broken.NoisyInEvaluation)
    for name in CHECKS.keys() - UNSEEN - SLOW:
        assert "SystemExit: that is all" in detail(name, broken.Exits), name

    class Detached(Good):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.detach())

    assert "no gradient arrives at the input" in detail("finite_gradients", Detached)

    class Pair(Good):
        def forward(self, x: Tensor) -> Any:
            return x, x

    assert "returned tuple, not a tensor" in detail("deterministic", Pair)


def test_zero_initial_weights_and_dead_units_are_no_fault() -> None:
    class Gated(Good):
        """Nothing learns in the first step but the gate; half of all starts leave the unit dead."""

        def __init__(self, slot: Any) -> None:
            super().__init__(slot)
            self.gate = nn.Parameter(torch.zeros(1))
            self.unit = nn.Conv2d(slot.channels, 1, 1)
            nn.init.constant_(self.unit.weight, -0.02)

        def forward(self, x: Tensor) -> Tensor:
            unit = torch.relu(self.unit(x.mean(dim=(2, 3), keepdim=True)))
            return x + self.gate * (super().forward(x) + unit)

    outcome = CHECKS["every_parameter_learns"].outcome(_block(spec(Gated)))
    assert outcome.verdict == "passed", outcome.detail


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    block = _block(spec(Good))
    for name, reason in (
        ("compiles", "no C++ compiler is installed"),
        ("onnx", "onnxscript is not installed"),
        ("formula", "no formula is declared"),
    ):
        outcome = CHECKS[name].outcome(block)
        assert (outcome.verdict, outcome.detail) == ("skipped", reason)


@pytest.mark.parametrize(
    "build",
    [
        broken.SeedsTorch,
        broken.SeedsNumpy,
        broken.DrawsInEvaluation,
        broken.SetsDtype,
        broken.SetsDevice,
        broken.StopsGradients,
        broken.SetsThreads,
    ],
)
def test_checks_leave_global_state_alone(build: Callable[..., Any]) -> None:
    torch.manual_seed(7)
    np.random.seed(7)
    random.seed(7)
    before = settings(), generator_states()
    for check in REQUIRED:
        check.outcome(_block(spec(build)))
    assert (settings(), generator_states()) == before


OWN = [
    name
    for name, entry in load_catalogue().modules.items()
    if entry.distribution == OWN_DISTRIBUTION
]


@pytest.mark.slow
@pytest.mark.parametrize("name", OWN)
def test_first_party_blocks_keep_the_contract(name: str) -> None:
    (block,) = find_blocks(name)
    assert block.slots == tuple(block.chosen.entry.spec.at(slot) for slot in usual_slots())
    found = list(outcomes(block, REQUIRED))
    assert not [one.detail for one in found if one.verdict != "passed"]


# Blocks that were judged falsely.


class Spectral(nn.Module):
    def __init__(self, norm: Callable[[nn.Module], nn.Module], slot: Any) -> None:
        super().__init__()
        self.mix = norm(nn.Conv2d(slot.channels, slot.channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        gate: Tensor = torch.sigmoid(self.mix(x))
        return x * gate


class Filter(nn.Module):
    """Weights in the frequency domain, and a map in fp32 whatever comes."""

    def __init__(self, slot: Any) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(slot.channels, 1, 1, 2))

    def forward(self, x: Tensor) -> Tensor:
        spectrum = torch.fft.rfft2(x.float()) * torch.view_as_complex(self.weight.float())
        y: Tensor = torch.fft.irfft2(spectrum, s=x.shape[-2:])
        return y.to(x.dtype)


@pytest.mark.parametrize(
    "build",
    [
        lambda slot: Spectral(nn.utils.parametrizations.spectral_norm, slot),
        lambda slot: Spectral(nn.utils.spectral_norm, slot),
        lambda slot: Spectral(nn.utils.parametrizations.weight_norm, slot),
        Filter,
    ],
    ids=["spectral norm", "spectral norm by hooks", "weight norm", "Fourier filter"],
)
def test_normalised_and_complex_weights_keep_the_contract(build: Callable[..., Any]) -> None:
    for one in outcomes(_block(spec(build)), REQUIRED):
        assert one.verdict in ("passed", "skipped"), (one.check.name, one.detail)
        assert one.verdict == "passed" or one.detail == "no formula is declared"


def test_a_fault_is_shown_once() -> None:
    found = list(outcomes(_block(spec(broken.Exits, "C")), (*REQUIRED, *_quick(COMPILE))))
    assert [one.check.name for one in found if one.verdict == "failed"] == ["keeps_shape"]
    skipped = {one.check.name: one.detail for one in found if one.verdict == "skipped"}
    assert set(skipped.values()) == {"forward failed"}
    passed = {one.check.name for one in found if one.verdict == "passed"}
    assert passed == {"builds", "same_seed_same_weights", "formula"}


def test_a_fault_of_training_is_shown_once() -> None:
    class OnlyEvaluated(Good):
        def forward(self, x: Tensor) -> Tensor:
            if self.training:
                raise RuntimeError("not ready")
            return super().forward(x)

    found = {one.check.name: one for one in outcomes(_block(spec(OnlyEvaluated)), REQUIRED)}
    failed = {name for name, one in found.items() if one.verdict == "failed"}
    assert found["every_parameter_learns"].detail == "training failed"
    assert found["finite_gradients"].raised
    assert failed <= {"finite_gradients", "leaves_its_input", "no_side_effects"}


class Pairs(Good):
    """Holds every position against every other: 161 GB at 112 pixels."""

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(2)
        pairs = flat[:, :, :, None] - flat[:, :, None, :]
        return super().forward(x) * pairs.mean(dim=3).sigmoid().reshape(x.shape)


def test_what_needs_more_memory_than_there_is_is_skipped_with_the_size() -> None:
    large = Slot(channels=128, height=112, width=112, classes=7, stage=2)
    (chosen,) = (one.chosen for one in find_blocks(spec(Pairs, "C")))
    with memory_limited():
        alone = CHECKS["keeps_shape"].outcome(Block(chosen=chosen, slots=(large,)))
        beside = CHECKS["keeps_shape"].outcome(Block(chosen=chosen, slots=(SLOT, large)))
    assert (alone.verdict, alone.detail) == ("skipped", f"{PLACE}: {MEMORY}")
    assert (beside.verdict, beside.detail) == ("passed", f"skipped at {PLACE}: {MEMORY}")


PLACE = "stage 2 (128 × 112 × 112)"
MEMORY = "forward needs more memory than there is"


def test_what_takes_too_long_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    class Sleeps(Good):
        def forward(self, x: Tensor) -> Tensor:
            time.sleep(30)
            return super().forward(x)

    monkeypatch.setattr(
        "agfer_bench.contract.checks.time_limited", functools.partial(time_limited, 0.2)
    )
    outcome = CHECKS["keeps_shape"].outcome(_block(spec(Sleeps)))
    assert outcome.verdict == "skipped"
    assert "not done after 0.2 s" in outcome.detail
