"""All checks of the contract, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from agfer_bench.contract import abilities, compilers, learning, shapes, state
from agfer_bench.contract.block import Block, Broken, Raised, Skipped, too_large
from agfer_bench.contract.limits import time_limited
from agfer_bench.contract.settings import settings_kept
from agfer_bench.errors import describe
from agfer_bench.network.build import CPU, place_of
from agfer_bench.plugin.specs import Slot
from agfer_bench.seeds import seeded

Verdict = Literal["passed", "failed", "skipped", "measured"]
Needs = Literal["nothing", "build", "forward", "training"]


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that a block keeps, or does not."""

    says: str
    """What a block that passes does, in a few words."""
    look: Callable[[Block, Slot], str]
    """Looks at a block in one slot and returns a detail; raises `Broken` or `Skipped`."""
    required: bool = True
    """Whether a block that fails is unsound; else it is told and decides nothing."""
    everywhere: bool = True
    """Whether every slot is looked at, or the last alone."""
    needs: Needs = "forward"
    """What must work before it can be looked at: a pass in evaluation, a step of training."""
    measures: bool = False
    """Whether it tells a number, and no verdict."""

    @property
    def name(self) -> str:
        """Name in test reports and JSON."""
        return self.look.__name__

    def __call__(self, block: Block) -> None:
        """Look at a block, for a test.

        Raises:
            AssertionError: It fails; one sentence says in what.
            unittest.SkipTest: It cannot be looked at.
        """
        __tracebackhide__ = True
        outcome = self.outcome(block)
        if outcome.verdict == "skipped":
            raise Skipped(outcome.detail)
        if outcome.verdict == "failed":
            raise AssertionError(f"{block.label}: {outcome.detail}")

    def outcome(self, block: Block) -> CheckResult:
        """Look at a block in its slots, up to the first where it fails."""
        details: list[str] = []
        skipped: list[str] = []
        slots = block.slots if self.everywhere else block.slots[-1:]
        for slot in slots:
            try:
                with time_limited(), seeded(CPU, 0, strict=False), settings_kept():
                    details.append(self.look(block, slot))
            # What a check does not guard itself is a stranger's fault too: a tensor of another
            # kind, a weight that cannot be compared.
            except (Exception, SystemExit) as error:
                limit = too_large(error, "it")
                if limit is not None:
                    skipped.append(f"{place_of(slot)}: {limit}")
                    continue
                if isinstance(error, Skipped):
                    return CheckResult(check=self, verdict="skipped", detail=str(error))
                text = str(error) if isinstance(error, Broken) else describe(error)
                return CheckResult(
                    check=self,
                    verdict="failed",
                    detail=f"{place_of(slot)}: {text}",
                    raised=isinstance(error, Raised),
                )
        if not details or len(skipped) > len(details):
            return CheckResult(check=self, verdict="skipped", detail=_joined(skipped))
        verdict: Verdict = "measured" if self.measures else "passed"
        left_out = [f"skipped at {one}" for one in skipped]
        return CheckResult(check=self, verdict=verdict, detail=_joined([*details, *left_out]))


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """What a check found."""

    check: Check
    """The check."""
    verdict: Verdict
    """Whether it passed; `skipped` where it could not be made."""
    detail: str
    """What was found, or why it failed or was skipped, in one line; may be empty."""
    raised: bool = False
    """Whether it failed since the block's own code raised."""


def _joined(details: list[str]) -> str:
    return " · ".join(dict.fromkeys(detail for detail in details if detail))


BUILDS = Check(look=state.builds, says="is built", needs="nothing")
FORWARD = Check(look=shapes.keeps_shape, says="keeps shape and type", needs="build")
TRAINING = Check(look=learning.finite_gradients, says="gives finite gradients")

REQUIRED = (
    BUILDS,
    FORWARD,
    Check(look=shapes.leaves_its_input, says="leaves its input alone"),
    TRAINING,
    Check(look=learning.every_parameter_learns, says="every parameter learns", needs="training"),
    Check(look=shapes.ignores_batch_mates, says="judges each image by itself", needs="training"),
    Check(look=state.state_dict_round_trip, says="is all in its state dict", needs="training"),
    Check(look=shapes.autocasts, says="runs in fp32 and in bf16 (autocast)"),
    Check(look=learning.deterministic, says="is deterministic", needs="training"),
    Check(look=state.same_seed_same_weights, says="same seed, same weights", needs="build"),
    Check(look=state.no_side_effects, says="touches nothing global"),
    Check(look=state.formula, says="has the parameters declared", needs="build"),
)
"""What a block must keep at every slot of the host."""

INFORMATIONAL = (
    Check(look=abilities.odd_maps, says="takes odd maps", required=False),
    Check(look=abilities.non_square_maps, says="takes maps that are no squares", required=False),
    Check(look=abilities.one_by_one_maps, says="takes 1 × 1 maps", required=False),
    Check(look=abilities.other_sizes, says="takes other sizes than its own", required=False),
    Check(look=abilities.batch_of_one, says="trains at batch 1", required=False, needs="training"),
    Check(look=shapes.keeps_dtypes, says="runs cast to bf16 and to fp64", required=False),
    Check(look=state.pickles, says="can be pickled and copied", required=False),
    Check(look=abilities.channels_last, says="gives the same channels last", required=False),
    Check(
        look=compilers.export, says="goes through torch.export", required=False, everywhere=False
    ),
    Check(
        look=compilers.compiles, says="goes through torch.compile", required=False, everywhere=False
    ),
    Check(look=compilers.onnx, says="goes into ONNX", required=False, everywhere=False),
    Check(look=abilities.uses_second_inputs, says="uses its second input", required=False),
    Check(look=abilities.gates, says="damps by (gates 1–99 %)", required=False, measures=True),
    Check(look=abilities.gate, says="its gate can be told", required=False),
)
"""What else a block can do: shown, and deciding nothing."""

COMPILE = next(check for check in INFORMATIONAL if check.look is compilers.compiles)
"""The slowest check."""


def outcomes(block: Block, checks: tuple[Check, ...]) -> Iterator[CheckResult]:
    """Make checks one by one; a fault is shown once, and what needs more than works is skipped."""
    found: dict[str, CheckResult] = {}
    for check in checks:
        missing = _missing(found, check.needs)
        if missing is not None:
            outcome = CheckResult(check=check, verdict="skipped", detail=missing)
        else:
            outcome = check.outcome(block)
        found[check.name] = outcome
        yield outcome


def _missing(found: Mapping[str, CheckResult], needs: Needs) -> str | None:
    """Say which step did not work that a check needs; None where all did."""
    steps = (
        ("build", BUILDS, "build failed"),
        ("forward", FORWARD, "forward failed"),
        ("training", TRAINING, "training failed"),
    )
    for step, check, said in steps:
        if _ORDER.index(needs) < _ORDER.index(step):
            return None
        outcome = found.get(check.name)
        if outcome is None:
            continue
        if outcome.raised or (check is BUILDS and outcome.verdict == "failed"):
            return said
        if outcome.verdict == "skipped":
            return outcome.detail
    return None


_ORDER: tuple[Needs, ...] = get_args(Needs)
