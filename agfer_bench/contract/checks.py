"""All checks of the contract, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from agfer_bench.contract import abilities, compilers, learning, shapes, state
from agfer_bench.contract.block import Block, Broken, Skipped
from agfer_bench.contract.settings import settings_kept
from agfer_bench.errors import describe
from agfer_bench.network.build import CPU
from agfer_bench.plugin.specs import Slot
from agfer_bench.seeds import seeded

Verdict = Literal["passed", "failed", "skipped"]


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
        for slot in block.slots if self.everywhere else block.slots[-1:]:
            try:
                with seeded(CPU, 0, strict=False), settings_kept():
                    details.append(self.look(block, slot))
            except Skipped as reason:
                return CheckResult(check=self, verdict="skipped", detail=str(reason))
            # What a check does not guard itself is a stranger's fault too: a tensor of another
            # kind, a weight that cannot be compared.
            except (Exception, SystemExit) as error:
                text = str(error) if isinstance(error, Broken) else describe(error)
                return CheckResult(check=self, verdict="failed", detail=f"{_where(slot)}: {text}")
        return CheckResult(check=self, verdict="passed", detail=_joined(details))


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """What a check found."""

    check: Check
    """The check."""
    verdict: Verdict
    """Whether it passed; `skipped` where it could not be made."""
    detail: str
    """What was found, or why it failed or was skipped, in one line; may be empty."""


def _where(slot: Slot) -> str:
    return f"stage {slot.stage} ({slot.channels} × {slot.height} × {slot.width})"


def _joined(details: list[str]) -> str:
    return " · ".join(dict.fromkeys(detail for detail in details if detail))


BUILDS = Check(look=state.builds, says="is built")

REQUIRED = (
    BUILDS,
    Check(look=shapes.keeps_shape, says="keeps shape and type"),
    Check(look=shapes.leaves_its_input, says="leaves its input alone"),
    Check(look=learning.finite_gradients, says="gives finite gradients"),
    Check(look=learning.every_parameter_learns, says="every parameter learns"),
    Check(look=shapes.ignores_batch_mates, says="judges each image by itself"),
    Check(look=state.state_dict_round_trip, says="is all in its state dict"),
    Check(look=shapes.keeps_dtypes, says="runs in fp32, bf16 and fp64"),
    Check(look=learning.deterministic, says="is deterministic"),
    Check(look=state.same_seed_same_weights, says="same seed, same weights"),
    Check(look=state.no_side_effects, says="touches nothing global"),
    Check(look=state.pickles, says="can be pickled and copied"),
    Check(look=state.formula, says="has the parameters declared"),
)
"""What a block must keep at every slot of the host."""

INFORMATIONAL = (
    Check(look=abilities.odd_maps, says="takes odd maps", required=False),
    Check(look=abilities.non_square_maps, says="takes maps that are no squares", required=False),
    Check(look=abilities.one_by_one_maps, says="takes 1 × 1 maps", required=False),
    Check(look=abilities.other_sizes, says="takes other sizes than its own", required=False),
    Check(look=abilities.batch_of_one, says="trains at batch 1", required=False),
    Check(look=abilities.channels_last, says="gives the same channels last", required=False),
    Check(
        look=compilers.export, says="goes through torch.export", required=False, everywhere=False
    ),
    Check(
        look=compilers.compiles, says="goes through torch.compile", required=False, everywhere=False
    ),
    Check(look=compilers.onnx, says="goes into ONNX", required=False, everywhere=False),
    Check(look=abilities.gates, says="damps by (gates 1–99 %)", required=False),
    Check(look=abilities.gate, says="its gate can be told", required=False),
)
"""What else a block can do: shown, and deciding nothing."""

COMPILE = next(check for check in INFORMATIONAL if check.look is compilers.compiles)
"""The slowest check."""


def outcomes(block: Block, checks: tuple[Check, ...]) -> Iterator[CheckResult]:
    """Make checks one by one; what cannot be built is looked at no further."""
    built = BUILDS.outcome(block)
    for check in checks:
        if check is BUILDS:
            yield built
        elif built.verdict == "failed":
            yield CheckResult(check=check, verdict="skipped", detail="it cannot be built")
        else:
            yield check.outcome(block)
