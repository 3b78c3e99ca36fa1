"""The hooks that hear of a run: called guarded, and no more once they have failed in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pluggy

from agfer_bench.errors import describe
from agfer_bench.plugin.containment import contained, ordinary, told

if TYPE_CHECKING:
    from pathlib import Path

    from agfer_bench.plugin.specs import EpochEvent
    from agfer_bench.records.run import RunRecord

EPOCH, RUN = "epoch_finished", "run_finished"


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Why something of a plugin is not on offer, or what it did that it must not do."""

    distribution: str
    """Name of the distribution at fault."""
    message: str
    """What went wrong, in one line."""

    def __str__(self) -> str:
        """Return one line that names the distribution."""
        return f"plugin {self.distribution}: {self.message}"


class Listeners:
    """The plugins that have something to do when an epoch or a run has ended."""

    def __init__(self) -> None:
        self._callers: dict[str, list[tuple[str, Callable[..., Any]]]] = {EPOCH: [], RUN: []}

    def add(self, distribution: str, manager: pluggy.PluginManager) -> bool:
        """Let a manager's plugins hear; tell whether they have a hook for it."""
        found = False
        for name, callers in self._callers.items():
            caller = getattr(manager.hook, name)
            if caller.get_hookimpls():
                callers.append((distribution, caller))
                found = True
        return found

    def run_finished(self, record: RunRecord, folder: Path) -> list[Problem]:
        """Tell all of a run's end; return what went wrong."""
        return [
            Problem(distribution=distribution, message=f"{RUN}: {fault}")
            for distribution, call in self._callers[RUN]
            for fault in _call(call, record=record, folder=folder)
        ]

    def of_epochs(self, tell: Callable[[Problem], None]) -> Callable[[EpochEvent], None] | None:
        """Return what tells all of an epoch's end in one run; None where nobody listens.

        Args:
            tell: Is handed what goes wrong, once a plugin: its hook is then left alone.
        """
        left = list(self._callers[EPOCH])
        if not left:
            return None

        def hear(event: EpochEvent) -> None:
            for one in tuple(left):
                distribution, call = one
                if faults := _call(call, event=event):
                    left.remove(one)
                    message = f"{EPOCH}: {'; '.join(faults)}; not called again in this run"
                    tell(Problem(distribution=distribution, message=message))

        return hear


def _call(call: Callable[..., Any], **arguments: Any) -> list[str]:
    """Call a hook; return what it did that it must not do.

    What it draws from the global generators is put back: a training may be under way.
    """
    faults = []
    with contained() as changes:
        try:
            with ordinary():
                call(**arguments)
        except (Exception, SystemExit) as error:
            faults.append(describe(error))
    if changes:
        faults.append(f"{told(changes)}; put back")
    return faults
