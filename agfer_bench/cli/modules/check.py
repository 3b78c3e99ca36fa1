"""`agfer-bench modules check`: whether blocks keep the contract."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agfer_bench.cli.console import catalogue_with_notes, errors, show, show_json
from agfer_bench.cli.groups import JsonOption, grouped
from agfer_bench.run.request import HostOptions

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

    from agfer_bench.contract.block import Block
    from agfer_bench.contract.checks import Check, CheckResult

_SIGNS = {
    "passed": ("✓", "green"),
    "failed": ("✗", "bold red"),
    "skipped": ("–", "yellow"),
    "measured": (" ", "dim"),
}


@grouped
def check(
    protocol: HostOptions,
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="Names, with options if you like.")
    ],
    quick: Annotated[bool, typer.Option("--quick", help="Required checks alone.")] = False,
    no_compile: Annotated[
        bool, typer.Option("--no-compile", help="Leave out torch.compile, the slowest check.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check that blocks keep the contract; exit code 1 if a required check fails.

    They are looked at in the slots of a protocol: of `--preset`, `--host` and the like, or, where
    none is named, of both presets.
    """
    from agfer_bench.contract.block import CLASSES, Block, usual_slots
    from agfer_bench.contract.checks import COMPILE, INFORMATIONAL, REQUIRED
    from agfer_bench.contract.limits import memory_limited
    from agfer_bench.network.build import slots_of
    from agfer_bench.run.resolve import build_protocol

    slots = usual_slots()
    if protocol != HostOptions():
        slots = tuple(slots_of(build_protocol(protocol), CLASSES))
    chosen = catalogue_with_notes().choose_modules(",".join(names))
    checks: tuple[Check, ...] = REQUIRED
    if not quick:
        checks += tuple(c for c in INFORMATIONAL if not (no_compile and c is COMPILE))
    found = []
    for one in chosen:
        block = Block(chosen=one, slots=slots)
        with memory_limited():
            outcomes = list(_checked(block, checks, as_json))
        if not as_json:
            show(_summary(outcomes))
        found.append((block, outcomes))
    if as_json:
        show_json({"modules": [_described(block, outcomes) for block, outcomes in found]})
    if not all(_kept(outcomes) for _, outcomes in found):
        raise typer.Exit(1)


def _checked(block: Block, checks: tuple[Check, ...], as_json: bool) -> Iterator[CheckResult]:
    """Check a block, and print each line as it is found unless JSON is wanted."""
    from rich.text import Text

    from agfer_bench.contract.checks import outcomes

    def say(line: RenderableType) -> None:
        if not as_json:
            show(line)

    entry = block.chosen.entry
    say(Text.assemble((block.label, "bold"), f"  {entry.distribution} {entry.version}"))
    say(Text("  in the paper's VGG16, width 1: larger than in preset quick, width 0.125", "dim"))
    steps = outcomes(block, checks)
    width = max(len(one.says) for one in checks)
    required = None
    for expected in checks:
        outcome = _next(steps, expected)
        if outcome.check.required is not required:
            required = outcome.check.required
            say(Text("  required" if required else "  for information", style="dim"))
        say(_line(outcome, width))
        yield outcome


def _next(steps: Iterator[CheckResult], check: Check) -> CheckResult:
    """Make the next check; a terminal shows which, since some take many seconds."""
    with errors().status(f"{check.says} ...", spinner="line"):
        return next(steps)


def _line(outcome: CheckResult, width: int) -> Table:
    """Lay out one line; a long detail goes on below its own beginning."""
    from rich.table import Table
    from rich.text import Text

    sign, style = _SIGNS[outcome.verdict]
    passed = outcome.verdict in ("passed", "measured")
    if outcome.verdict == "failed" and not outcome.check.required:
        style = "yellow"
    detail = Text(outcome.detail, "dim" if passed else "")
    if not passed:
        detail = Text.assemble((f"{outcome.verdict}: ", style), detail)
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=3, justify="right")
    grid.add_column(width=width)
    grid.add_column()
    grid.add_row(Text(sign, style), Text(outcome.check.says), detail)
    return grid


def _summary(found: list[CheckResult]) -> Text:
    from rich.text import Text

    required = [outcome for outcome in found if outcome.check.required]
    failed = sum(outcome.verdict == "failed" for outcome in required)
    skipped = sum(outcome.verdict == "skipped" for outcome in required)
    verdict = ("keeps the contract", "bold green")
    if failed:
        verdict = ("breaks the contract", "bold red")
    passed = len(required) - failed - skipped
    counts = f": {passed} of {len(required)} required checks passed"
    if failed:
        counts += f", {failed} failed"
    if skipped:
        counts += f", {skipped} skipped"
    return Text.assemble("  ", verdict, counts, "\n")


def _kept(outcomes: list[CheckResult]) -> bool:
    return not any(one.check.required and one.verdict == "failed" for one in outcomes)


def _described(block: Block, outcomes: list[CheckResult]) -> dict[str, Any]:
    entry = block.chosen.entry
    return {
        "name": block.label,
        "distribution": entry.distribution,
        "version": entry.version,
        "keeps_contract": _kept(outcomes),
        "checks": [
            {
                "name": one.check.name,
                "says": one.check.says,
                "required": one.check.required,
                "verdict": one.verdict,
                "detail": one.detail,
            }
            for one in outcomes
        ],
    }
